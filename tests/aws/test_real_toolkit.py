"""The entry point under SageMaker's own in-container toolkit (`sagemaker-training`)."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from fault_trainers import SPEC
from s3_server import ACCOUNT, Server

from nas_core.cloud import bundle
from nas_core.cloud.address import S3Address
from nas_core.cloud.client import s3
from nas_core.cloud.objects import get_json
from nas_core.cloud.request import hyperparameters
from nas_core.cloud.tasks import TrialTask
from nas_core.cloud.trainers import encode_trainer
from nas_core.executors.wire import encode_request
from nas_core.trainer.base import Job
from nas_core.trainer.mock import MockTrainer

pytestmark = [pytest.mark.slow, pytest.mark.toolkit]
RESOURCES = {
    "current_host": "localhost", "hosts": ["localhost"], "current_instance_type": "ml.c5.xlarge",
    "current_group_name": "homogeneousCluster", "network_interface_name": "lo",
    "instance_groups": [
        {"instance_group_name": "homogeneousCluster", "instance_type": "ml.c5.xlarge",
         "hosts": ["localhost"]}
    ],
}  # fmt: skip


def lay_out(base: Path, arguments: dict[str, Any]) -> None:
    for folder in ("input/config", "input/data", "model", "output/data", "checkpoints", "code"):
        (base / folder).mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(bundle.build().data)) as archive:
        archive.extractall(base / "code", filter="data")
    given = hyperparameters("trial", arguments) | {
        "sagemaker_program": json.dumps("train-entry.py"),
        "sagemaker_submit_directory": json.dumps(str(base / "code")),
    }
    for name, value in (
        ("hyperparameters", given), ("inputdataconfig", {}), ("resourceconfig", RESOURCES),
    ):  # fmt: skip
        (base / f"input/config/{name}.json").write_text(json.dumps(value))


def train(base: Path) -> subprocess.CompletedProcess[str]:
    """Run the toolkit as the image's `train` program does."""
    return subprocess.run(
        [sys.executable, "-c", "from sagemaker_training.cli.train import main; main()"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PIP_NO_INDEX": "1",
             "AWS_REGION": "us-east-1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip


def test_trials_run_under_the_real_toolkit(aws: Server, bucket: str, tmp_path: Path) -> None:
    request = json.loads(encode_request(SPEC, Job(4, 9)))
    results = f"s3://{bucket}/nas/runs/T/trials"
    task = TrialTask(encode_trainer(MockTrainer()), (request,), results, owner=ACCOUNT)
    lay_out(tmp_path / "ml", task.arguments())
    done = train(tmp_path / "ml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "ml/output/success").is_file()
    value = get_json(s3("us-east-1", ACCOUNT), S3Address.parse(results) / "4-0" / "result.json")
    assert value["result"]["score"] == MockTrainer().score(SPEC, Job(4, 9)).score
    assert value["code"] == str(tmp_path / "ml/code")
    assert json.loads((tmp_path / "ml/model/trial-4.json").read_text()) == value


def test_a_failure_under_the_real_toolkit_has_a_reason(
    aws: Server, bucket: str, tmp_path: Path
) -> None:
    lay_out(tmp_path / "ml", {"strange": 1})
    done = train(tmp_path / "ml")
    assert done.returncode != 0
    said = (tmp_path / "ml/output/failure").read_text()
    assert len(said) > 0
    assert "submit the job with the version of nas" in done.stderr + said
