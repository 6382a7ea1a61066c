"""`nas sagemaker`'s commands one after another, as the page tells them, against the service."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import nas
from s3_server import CANARY
from training_service import TrainingService

from nas_core.cloud.settings import Cloud

pytestmark = pytest.mark.slow
MOCK = ("--trainer", "mock", "--seed", 4)


def created(service: TrainingService) -> list[dict[str, Any]]:
    return [body for action, body in service.calls if action == "CreateTrainingJob"]


def wait(here: Path, run: str) -> list[dict[str, Any]]:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        found = json.loads(nas("sagemaker", "status", run, "--json", cwd=here).stdout)["jobs"]
        if all(job["status"] not in ("InProgress", "Stopping") for job in found):
            return found
        time.sleep(1.0)
    raise AssertionError(found)


@pytest.mark.timeout(600)
def test_a_search_in_a_job_from_dry_run_to_report(
    tmp_path: Path, cloud: Cloud, service: TrainingService
) -> None:
    command = (
        "sagemaker", "search", "metaqnn", *MOCK, "--trials", 6, "--to", str(cloud.root), "--role",
        cloud.role, "--run", "runs/S",
    )  # fmt: skip
    printed = json.loads(nas(*command, "--dry-run", cwd=tmp_path).stdout)
    assert created(service) == []
    nas(*command, cwd=tmp_path)
    assert created(service) == [printed]
    nas(*command, cwd=tmp_path)  # once more: the same job, adopted
    assert len(service.jobs) == 1
    (job,) = wait(tmp_path, "runs/S")
    assert (job["kind"], job["status"]) == ("search", "Completed"), job
    assert nas("sagemaker", "logs", "runs/S", cwd=tmp_path).stdout.strip()
    nas("sagemaker", "fetch", "runs/S", cwd=tmp_path)
    nas("search", "metaqnn", *MOCK, "--trials", 6, "--run", "runs/P", cwd=tmp_path)
    shown = [
        json.loads(nas("show", run, "--json", cwd=tmp_path).stdout)["trials"]
        for run in ("runs/S", "runs/P")
    ]
    assert shown[0] == shown[1] and len(shown[0]) == 6
    bill = json.loads(nas("sagemaker", "cost", "runs/S", "--json", cwd=tmp_path).stdout)
    assert bill["billed_seconds"] > 0 and bill["money"] > 0
    nas("report", "runs/S", "--no-comparison", cwd=tmp_path)
    assert "Training jobs" in (tmp_path / "runs/S/report.html").read_text()
    assert "no running jobs" in nas("sagemaker", "sweep", "runs/S", cwd=tmp_path).stdout
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "jobs" not in path.parts]
    assert all(CANARY.encode() not in path.read_bytes() for path in left)


@pytest.mark.timeout(600)
def test_trials_are_submitted_as_the_dry_run_printed_them(
    tmp_path: Path, cloud: Cloud, service: TrainingService
) -> None:
    (tmp_path / "quick.toml").write_text("[cloud]\nlook_seconds = 0.2\n")
    command = (
        "sagemaker", "trial", "metaqnn", *MOCK, "--trials", 2, "--workers", 2, "--to",
        str(cloud.root), "--role", cloud.role, "--run", "T", "--run-id", "T-1", "--config",
        "quick.toml",
    )  # fmt: skip
    printed = json.loads(nas(*command, "--dry-run", cwd=tmp_path).stdout)["requests"]
    nas(*command, cwd=tmp_path, timeout=500)
    assert sorted(created(service), key=lambda body: body["TrainingJobName"]) == printed
    bill = json.loads(nas("sagemaker", "cost", "T", "--json", cwd=tmp_path).stdout)
    assert set(bill["trials"]) == {"0", "1"} and bill["billed_seconds"] > 0
    nas("report", "T", "--no-comparison", cwd=tmp_path)
    assert "Billed seconds by trial" in (tmp_path / "T/report.html").read_text()
