"""What a job of trials leaves for its driver and for its own next start."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_trainers import SPEC
from s3_server import ACCOUNT, Server, plain

from nas_core.cloud import trial_job
from nas_core.cloud.client import s3
from nas_core.cloud.objects import get_json
from nas_core.cloud.places import Places
from nas_core.cloud.tasks import TrialTask
from nas_core.cloud.trainers import encode_trainer
from nas_core.cloud.trial_job import MODEL, RESULT, Records, address_of, decode, run_trials
from nas_core.executors.inline import InlineExecutor
from nas_core.executors.wire import encode_request
from nas_core.trainer.base import Job, Result, Status
from nas_core.trainer.mock import MockTrainer

given: list[int] = []


class Counted(InlineExecutor):
    """Runs trials here and notes which."""

    def __init__(self, trainer: Any, workers: int, **limits: Any) -> None:
        super().__init__(trainer)

    def submit(self, spec: Any, job: Job) -> None:
        given.append(job.trial)
        super().submit(spec, job)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    monkeypatch.setattr(trial_job, "ProcessExecutor", Counted)
    given.clear()
    yield given


def task(bucket: str, *jobs: Job) -> TrialTask:
    requests = tuple(json.loads(encode_request(SPEC, job)) for job in jobs)
    results = f"s3://{bucket}/nas/runs/R/trials"
    return TrialTask(encode_trainer(MockTrainer()), requests, results, owner=ACCOUNT)


def places(folder: Path) -> Places:
    found = Places(folder)
    for each in (found.model, found.checkpoints):
        each.mkdir(parents=True, exist_ok=True)
    return found


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_second_start_runs_only_what_is_not_finished(
    aws: Server, bucket: str, tmp_path: Path, ran: list[int], damage: str
) -> None:
    wanted, here = task(bucket, Job(0, 5), Job(1, 6)), places(tmp_path)
    run_trials(wanted, here)
    assert ran == [0, 1]
    record = here.checkpoints / "trial-1.json"
    if damage == "gone":
        record.unlink()
    elif damage == "cut":
        record.write_text(record.read_text()[:30])
    else:
        record.write_text((here.checkpoints / "trial-0.json").read_text())
    run_trials(wanted, here)
    assert ran == [0, 1, 1]
    run_trials(wanted, here)
    assert ran == [0, 1, 1]
    value = get_json(s3("us-east-1", ACCOUNT), address_of(wanted, 1, RESULT))
    assert value["result"]["score"] == MockTrainer().score(SPEC, Job(1, 6)).score


def test_a_lost_result_is_published_again_and_one_that_is_there_stays(
    aws: Server, bucket: str, tmp_path: Path, ran: list[int]
) -> None:
    wanted, here = task(bucket, Job(0, 5)), places(tmp_path)
    run_trials(wanted, here)
    place = address_of(wanted, 0, RESULT)
    plain("s3").delete_object(Bucket=place.bucket, Key=place.key)  # killed before S3 had it
    run_trials(wanted, here)
    assert ran == [0]
    client = s3("us-east-1", ACCOUNT)
    first = get_json(client, place)
    assert first["trial"] == 0
    Records(wanted, here).write(0, SPEC.digest, Result(Status.OK, 0.9))
    assert get_json(client, place) == first  # written once


def test_a_model_that_is_wanted_is_sent_before_the_result(
    aws: Server, bucket: str, tmp_path: Path, ran: list[int]
) -> None:
    wanted = task(bucket, Job(0, 5, model_path=tmp_path / "of-the-driver.keras"))
    here = places(tmp_path / "ml")
    (here.model / "trial-0.keras").write_bytes(b"weights")
    Records(wanted, here).write(0, SPEC.digest, Result(Status.OK, 0.5))
    model, client = address_of(wanted, 0, MODEL), plain("s3")
    body = client.get_object(Bucket=model.bucket, Key=model.key)["Body"].read()
    assert body == b"weights"
    # the next start has an empty place for models, and the checkpoint
    (here.model / "trial-0.keras").unlink()
    assert Records(wanted, here).finished(0)
    assert (here.model / "trial-0.keras").read_bytes() == b"weights"
    (here.checkpoints / "trial-0.keras").write_bytes(b"weigh")
    assert not Records(wanted, here).finished(0)


def test_paths_of_the_driver_become_the_jobs(bucket: str, tmp_path: Path) -> None:
    asked = Job(3, 5, model_path=tmp_path / "m.keras", checkpoint=tmp_path / "c")
    wanted, here = task(bucket, asked), Places(tmp_path / "ml")
    spec, job = decode(wanted.trials[0], wanted, here)
    assert (spec, job.trial, job.seed) == (SPEC, 3, 5)
    assert job.model_path == here.model / "trial-3.keras"
    assert job.checkpoint == here.checkpoints / "training-3"  # synced: a long training goes on
    bare = replace(wanted, keep_models=False)
    assert decode(bare.trials[0], bare, here)[1].model_path is None
