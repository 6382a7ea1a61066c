"""Searches through training jobs, as a user types them, against the training service."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_line import NAS, nas, nas_here
from executor_contract import wait_for
from owned_buckets import give
from s3_server import CANARY, Server
from tiny_data import write_tiny
from training_service import TrainingService

from nas_core.cloud.checkpoint import Checkpoint
from nas_core.cloud.client import s3
from nas_core.cloud.objects import sizes
from nas_core.cloud.request import training_job
from nas_core.cloud.settings import Cloud
from nas_core.cloud.sweep import status, sweep
from nas_core.cloud.tasks import SEARCH, SearchTask
from nas_core.errors import RunError
from nas_core.store import RunStore

pytestmark = pytest.mark.slow
MOCK = ("search", "metaqnn", "--trainer", "mock", "--seed", "4")
JOBS = (*MOCK, "--executor", "sagemaker", "--config", "cloud.toml")


@pytest.fixture
def here(tmp_path: Path, cloud: Cloud, service: TrainingService) -> Path:
    """A working folder with a configuration that leads to the service."""
    text = f'bucket = "{cloud.bucket}"\nprefix = "{cloud.prefix}"\nrole = "{cloud.role}"\n'
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "cloud.toml").write_text(f"[cloud]\n{text}look_seconds = 0.2\n")
    recipe = "[recipe]\nepochs = 2\nimage_size = 8\nrestarts = 0\n"
    (folder / "tiny.toml").write_text(recipe)
    (folder / "both.toml").write_text(f"{recipe}[cloud]\n{text}look_seconds = 0.2\n")
    return folder


def trials(run: Path) -> list[tuple[Any, ...]]:
    with RunStore.open(run) as store:
        return [
            (row.number, row.digest, row.actions, row.status, row.score, row.reward)
            for row in store.trials()
        ]


def secrets_in(*folders: Path) -> list[Path]:
    """Return the files (logs, databases, reports, whole jobs) that hold the secret key."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(paths) > 100  # there was something to look through
    return [path for path in paths if CANARY.encode() in path.read_bytes()]


def start(folder: Path, *arguments: Any) -> subprocess.Popen[bytes]:
    with (folder / "driver.log").open("wb") as log:
        return subprocess.Popen(
            [*NAS, *map(str, arguments)], cwd=folder, stdout=subprocess.DEVNULL, stderr=log
        )


@pytest.mark.timeout(900)
def test_real_children_in_jobs_score_as_they_do_here(
    here: Path, cloud: Cloud, service: TrainingService
) -> None:
    """Data pushed, eight real children through jobs, results, report, a final training."""
    write_tiny(here / "tiny")
    there = f"s3://{cloud.bucket}/nas/tiny"
    nas("data", "push", "tiny", there, cwd=here)
    search = ("search", "metaqnn", "--trials", 8, "--workers", 2, "--seed", 4)
    nas(
        *search, "--data", there, "--executor", "sagemaker", "--config", "both.toml",
        "--run", "S", cwd=here, timeout=800,
    )  # fmt: skip
    nas(*search, "--data", "tiny", "--config", "tiny.toml", "--run", "P", cwd=here)
    assert trials(here / "S") == trials(here / "P")
    trained = {row[1] for row in trials(here / "S")}
    assert len(service.jobs) == len(trained)
    assert all(job.status == "Completed" for job in service.jobs.values())
    written = [
        json.loads(s3(cloud).get_object(Bucket=item.bucket, Key=item.key)["Body"].read())
        for item, _ in sizes(s3(cloud), cloud.root / "runs")
        if item.key.endswith("/result.json")
    ]
    assert len(written) == len(trained)
    # nothing but the bundle was imported, though the project is installed on this machine
    assert all(value["code"].endswith("/input/data/code") for value in written)
    nas("report", "S", cwd=here)
    assert trials(here / "S")[0][1]
    assert "metaqnn" in (here / "S/report.html").read_text()
    nas("sagemaker", "retrain", "S", "--top", 1, "--epochs", 2, "--workers", 1, cwd=here)
    outcome = json.loads((here / "S/retrain.json").read_text())
    (model,) = outcome["architectures"][0]["model"]
    assert (here / model).is_file()
    assert len(service.jobs) == len(trained) + 2  # the best one, and the hand-made one
    billed = [row.state.billed for row in status(here / "S")]
    assert len(billed) == len(service.jobs)


@pytest.mark.timeout(600)
def test_a_whole_search_survives_two_warnings_and_a_kill(
    here: Path, cloud: Cloud, service: TrainingService, code: str, tmp_path: Path
) -> None:
    options = {
        "space": "metaqnn", "trainer": "mock", "trials": 80, "seed": 4, "control": None,
        "executor": "process", "workers": 1,
    }  # fmt: skip
    request = training_job(
        "nas-whole", SEARCH, SearchTask(options).arguments(), {"code": code}, cloud,
        output=str(cloud.root / "out"), checkpoints=str(cloud.root / "checkpoint"),
    )  # fmt: skip
    submit_directly(request, service, cloud)
    job = service.jobs["nas-whole"]
    for number, (how, least) in enumerate((("TERM", 10), ("KILL", 25), ("TERM", 40)), start=1):
        wait_for(lambda n=number: job.starts == n, 120)
        wait_for(lambda n=number, m=least: finished(job, n) >= m, 120)
        job.interruptions.append(how)
        wait_for(lambda n=number: job.starts == n + 1 or job.status == "Completed", 60)
        assert finished(job, number) < 80, "interrupted too late to prove anything"
    wait_for(lambda: job.status in ("Completed", "Failed"), 240)
    assert (job.status, job.starts) == ("Completed", 4), job.log.read_text()[-2000:]
    assert [each["Status"] for each in job.transitions].count("Interrupted") == 3
    nas(*MOCK, "--trials", 80, "--executor", "process", "--workers", 1, "--run", "P", cwd=here)
    assert Checkpoint(download(cloud, tmp_path / "end"), tmp_path / "S").restore()
    assert trials(tmp_path / "S") == trials(here / "P")


def submit_directly(request: dict[str, Any], service: TrainingService, cloud: Cloud) -> None:
    from nas_core.cloud.submit import submit

    assert not submit(request, cloud).adopted
    assert service.calls[-1][0] in ("CreateTrainingJob", "DescribeTrainingJob")


def download(cloud: Cloud, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    client = s3(cloud)
    for item, _ in sizes(client, cloud.root / "checkpoint"):
        try:
            client.download_file(item.bucket, item.key, str(folder / item.key.rpartition("/")[2]))
        except client.exceptions.ClientError:
            continue  # deleted since it was listed
    return folder


def finished(job: Any, start_number: int) -> int:
    """Return how many trials a start of a job has finished, those of earlier starts included."""
    try:
        return sum(
            row[3] is not None for row in trials(job.root / f"start-{start_number}/work/run")
        )
    except RunError:  # not begun
        return 0


def test_a_driver_killed_between_submit_and_record_pays_nothing_twice(
    here: Path, service: TrainingService
) -> None:
    drivers: list[subprocess.Popen[bytes]] = []

    def kill_at_the_third(job: Any) -> None:
        if len(service.jobs) == 3:
            drivers[0].send_signal(signal.SIGKILL)  # before it hears of the job
            drivers[0].wait()

    service.script = kill_at_the_third
    drivers.append(start(here, *JOBS, "--workers", 2, "--trials", 6, "--run", "R"))
    assert drivers[0].wait(200) == -signal.SIGKILL
    assert len(service.jobs) == 3
    nas("resume", "R", cwd=here)
    nas(*MOCK, "--executor", "inline", "--trials", 6, "--run", "P", cwd=here)
    assert trials(here / "R") == trials(here / "P")
    assert len(service.jobs) == len({row[1] for row in trials(here / "R")})  # one job each
    assert all(job.name.endswith("-a0") for job in service.jobs.values())
    assert service.in_progress() == []
    rows = status(here / "R")
    assert {trial for row in rows for trial in row.trials} <= set(range(6))
    assert {row.state.status for row in rows} == {"Completed"}
    nas("report", "R", "--no-comparison", cwd=here)
    assert (here / "R/report.html").is_file()
    assert not secrets_in(here, service.folder)


def test_sweep_stops_what_a_killed_driver_left_and_resume_goes_on(
    here: Path, service: TrainingService
) -> None:
    service.start_seconds = 60.0
    driver = start(here, *JOBS, "--workers", 2, "--trials", 3, "--run", "R")
    wait_for(lambda: len(service.jobs) == 2)
    with pytest.raises(RunError, match="driver"):
        sweep(here / "R")  # what a living driver runs is no orphan
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    listed = json.loads(nas_here("sagemaker", "sweep", "R", "--dry-run", "--json", cwd=here).stdout)
    assert listed["jobs"] == sorted(service.jobs, reverse=True)
    assert len(service.in_progress()) == 2
    assert sweep(here / "R") == listed["jobs"]
    wait_for(lambda: service.in_progress() == [])
    assert sweep(here / "R") == []
    service.start_seconds = 0.0
    nas("resume", "R", cwd=here)
    assert all(row[3] is not None for row in trials(here / "R"))


def test_ctrl_c_twice_stops_the_jobs_before_it_reports(
    here: Path, service: TrainingService
) -> None:
    service.start_seconds = 60.0
    driver = start(here, *JOBS, "--workers", 2, "--trials", 3, "--run", "R")
    wait_for(lambda: len(service.jobs) == 2)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(60) == 143, (here / "driver.log").read_text()
    assert service.count("StopTrainingJob") == 2
    wait_for(lambda: service.in_progress() == [])


def refused(here: Path, *arguments: Any) -> str:
    """Return the one line that a refused search ends with."""
    done = nas_here(*JOBS, "--trials", 2, "--run", "R", *arguments, cwd=here, check=None)
    assert done.exit_code in (1, 2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("nas: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def change(here: Path, before: str, after: str) -> None:
    path = here / "cloud.toml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize(
    "case", ["role", "owner", "image", "expired", "region", "bucket region", "no bucket"]
)
def test_what_cannot_work_is_one_line_and_creates_nothing(
    here: Path, service: TrainingService, aws: Server, case: str
) -> None:
    if case == "role":
        change(here, "role/nas-role", "role/nobody")
        words = ("Could not assume role", "--role")
    elif case == "owner":
        give(aws.url, "leaves-bucket", "999999999999")
        words = ("another account", "--owner")
    elif case == "image":
        change(here, "look_", 'image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/no:1"\nlook_')
        words = ("Cannot find repository", "--image")
    elif case == "expired":
        service.expired = True
        words = ("ExpiredToken", "sign in again")
    elif case == "region":
        change(here, "look_", 'region = "eu-west-1"\nlook_')
        words = ("region",)
    elif case == "bucket region":
        service.s3.create_bucket(
            Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        change(here, '"leaves-bucket"', '"elsewhere"')
        words = ("elsewhere", "eu-west-1")
    else:
        change(here, '"leaves-bucket"', '"no-such-bucket"')
        words = ("no-such-bucket",)
    line = refused(here)
    assert all(word in line for word in words), line
    assert service.jobs == {}
    if "bucket" in case:  # the policy is for the bucket that was meant
        aws.calls.made.clear()
