"""A search that runs in a job, seen from here: its record, its checkpoint, its log, its bill."""

import time

import pytest
from s3_server import BUCKET, CANARY, plain

from nas_core.api import search
from nas_core.cloud import logs
from nas_core.cloud.checkpoint import Checkpoint
from nas_core.cloud.client import s3
from nas_core.cloud.logs import GROUP, lines
from nas_core.cloud.objects import put_folder
from nas_core.cloud.record import fetch, where, write_record
from nas_core.cloud.settings import Cloud
from nas_core.errors import RunError
from nas_core.store import RunStore

ROLE = "arn:aws:iam::123456789012:role/nas-role"
CLOUD = Cloud(
    BUCKET, "nas", ROLE, region="us-east-1", subnets=("subnet-1",), security_groups=("s",)
)


def test_a_record_says_where_the_jobs_are(tmp_path):
    write_record(tmp_path / "R1", CLOUD)
    assert where(tmp_path / "R1") == (CLOUD, "R1")
    (tmp_path / "R1" / "cloud.json").write_text("{")
    with pytest.raises(RunError, match="submit it again"):
        where(tmp_path / "R1")
    with pytest.raises(RunError):
        where(tmp_path / "R2")


def test_a_run_on_this_machine_has_no_jobs(tmp_path):
    search("metaqnn", None, trainer="mock", trials=2, run=tmp_path / "R1", control=None)
    with pytest.raises(RunError, match="has none"):
        where(tmp_path / "R1")


def test_a_search_in_a_job_is_fetched_as_it_is_now(bucket, tmp_path):
    write_record(tmp_path / "R1", CLOUD)
    with pytest.raises(RunError, match="found none yet"):
        fetch(tmp_path / "R1")
    inside = tmp_path / "job"
    search("metaqnn", None, trainer="mock", trials=3, run=inside / "run", control=None)
    checkpoint = Checkpoint(inside / "checkpoints", inside / "run")
    (inside / "checkpoints").mkdir()
    checkpoint.save(at_once=True)
    place = CLOUD.run("R1") / "checkpoint"
    put_folder(s3(CLOUD), place, inside / "checkpoints")
    fetch(tmp_path / "R1")
    with RunStore.open(tmp_path / "R1") as store, RunStore.open(inside / "run") as other:
        assert store.trials() == other.trials() and len(store.trials()) == 3
    # A generation whose files are not all there yet is ignored.
    key = f"{place.key}/manifest-00000002.json"
    plain("s3").put_object(
        Bucket=bucket, Key=key, Body=b'{"format": 1, "files": {"run.sqlite": "' + b"0" * 64 + b'"}}'
    )
    fetch(tmp_path / "R1")
    with RunStore.open(tmp_path / "R1") as store:
        assert len(store.trials()) == 3


def test_a_jobs_lines_come_in_order_without_secrets(aws, monkeypatch):
    monkeypatch.setattr(logs, "PAUSE", 0.0)
    client = plain("logs")
    assert list(lines(CLOUD, "nas-R1-a0")) == []
    client.create_log_group(logGroupName=GROUP)
    for job in ("nas-R1-a0", "nas-R1-a01"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=f"{job}/algo-1")
    now = int(time.time() * 1000)
    for job, words in (("nas-R1-a0", ["one", f"two {CANARY}"]), ("nas-R1-a01", ["another job"])):
        client.put_log_events(
            logGroupName=GROUP, logStreamName=f"{job}/algo-1",
            logEvents=[{"timestamp": now, "message": word} for word in words],
        )  # fmt: skip
    found = list(lines(CLOUD, "nas-R1-a0"))
    assert [line.split("  ", 1)[1] for line in found] == ["one", "two ***"]
    answers = iter((False, True))
    followed = list(lines(CLOUD, "nas-R1-a0", follow=True, ended=lambda: next(answers)))
    assert followed == found
