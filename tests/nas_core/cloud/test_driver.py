"""What a run's plan holds of its training jobs."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

import nas_core
from nas_core.cloud.driver import for_retraining, named, settings_of
from nas_core.cloud.settings import Cloud
from nas_core.cloud.sweep import cloud_of
from nas_core.errors import RunError, UsageError

ROLE = "arn:aws:iam::123456789012:role/nas"
GIVEN = {"bucket": "bucket", "prefix": "nas", "role": ROLE, "region": "us-east-1",
         "owner": "123456789012"}  # fmt: skip


def test_settings_come_back_from_json() -> None:
    cloud = Cloud(**GIVEN, subnets=("subnet-1",), security_groups=("sg-1",), kms_key="key")
    assert settings_of(json.loads(json.dumps(asdict(cloud)))) == cloud


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "nas sagemaker trial"),
        ({"bucket": "bucket", "prefix": "nas"}, "role"),
        ({**GIVEN, "colour": "green"}, "colour"),
        ({**GIVEN, "role": "me"}, "--role"),
    ],
)
def test_settings_that_cannot_be_are_one_line(given: dict[str, str] | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings_of(given)


def test_two_runs_of_one_name_have_different_ids() -> None:
    first, second = named(GIVEN, "R"), named(GIVEN, "R")
    assert first["run"] != second["run"]
    assert named(first, "another name")["run"] == first["run"]  # what is known stays
    assert named({**GIVEN, "trials_per_job": 3}, "R")["trials_per_job"] == 3


def test_a_region_must_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="--region"):
        named({**GIVEN, "region": None}, "R")


def test_final_trainings_of_a_local_run_have_one_id(tmp_path: Path) -> None:
    for name in ("a/R", "b/R"):
        nas_core.search("metaqnn", trainer="mock", trials=1, control=None, run=tmp_path / name)
    found = for_retraining(tmp_path / "a/R", GIVEN)
    assert found["kind"] == "retrain"
    assert found["run"].endswith("-retrain")
    assert for_retraining(tmp_path / "a/R", GIVEN)["run"] == found["run"]
    assert for_retraining(tmp_path / "b/R", GIVEN)["run"] != found["run"]
    with pytest.raises(UsageError, match="role"):
        for_retraining(tmp_path / "a/R", None)  # nowhere to run
    with pytest.raises(RunError, match="training jobs"):
        cloud_of(tmp_path / "a/R")
