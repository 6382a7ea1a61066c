"""The jobs of a run, seen from outside its driver: what they are doing, and none left behind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.cloud import jobs
from nas_core.cloud.client import sagemaker
from nas_core.cloud.driver import RETRAIN, RUN, settings_of
from nas_core.cloud.jobs import JobState
from nas_core.cloud.request import job_arguments
from nas_core.cloud.settings import Cloud
from nas_core.database import take_lock
from nas_core.errors import LockedError, RunError, UsageError
from nas_core.store import RunStore


@dataclass(frozen=True)
class RunJob:
    """One job of a run.

    Attributes:
        state: What the service says.
        kind: "search", "trial" or "retrain"; empty for a job that is not ours.
        trials: Numbers of its trials.
        attempt: How often they were tried in vain before.
    """

    state: JobState
    kind: str = ""
    trials: tuple[int, ...] = ()
    attempt: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for a table."""
        return {
            "job": self.state.name,
            "kind": self.kind,
            "trials": list(self.trials),
            "attempt": self.attempt,
            "status": self.state.status,
            "secondary": self.state.secondary,
            "billed_seconds": self.state.billed,
            "instance": self.state.instance,
            "reason": self.state.reason,
        }


def cloud_of(run: Path) -> tuple[Cloud, str]:
    """Return where a run's jobs are, and the id that names them.

    Raises:
        RunError: No such run, or one without training jobs.
    """
    with RunStore.open(run) as store:
        given = store.config["plan"].get("cloud")
    if given is None:
        raise RunError(f"expected a run with training jobs, {run} has none: see nas show {run}")
    return settings_of(given), str(given[RUN])


def run_jobs(cloud: Cloud, run_id: str) -> list[RunJob]:
    """Return all jobs of a run, final trainings too, oldest first.

    Args:
        cloud: Where they are.
        run_id: What tells this run from every other of the account.

    Raises:
        CloudError: AWS refuses.
    """
    client = sagemaker(cloud)
    listed = [state for known in (run_id, run_id + RETRAIN) for state in jobs.of_run(client, known)]
    described = [jobs.describe(client, state.name) for state in reversed(listed)]
    return [_read(state) for state in described if state is not None]


def _read(state: JobState) -> RunJob:
    try:
        kind, arguments = job_arguments(state.hyperparameters or {})
        trials = tuple(int(trial["job"]["trial"]) for trial in arguments.get("trials", []))
        return RunJob(state, kind, trials, int(arguments.get("attempt", 0)))
    except (UsageError, KeyError, TypeError, ValueError):
        return RunJob(state)


def status(run: Path) -> list[RunJob]:
    """Return the jobs of a run's folder; see `run_jobs`.

    Raises:
        RunError: No such run, or one without training jobs.
        CloudError: AWS refuses.
    """
    return run_jobs(*cloud_of(run))


def sweep(run: Path, *, dry_run: bool = False) -> list[str]:
    """Stop the jobs that a run's driver has left behind; their results stay and are used.

    Args:
        run: The run's folder. Its driver must have ended: what a living one runs is no orphan.
        dry_run: Whether to list only.

    Returns:
        The names of the jobs that ran.

    Raises:
        RunError: The driver lives; or see `status`.
        CloudError: AWS refuses.
    """
    cloud, run_id = cloud_of(run)
    try:
        lock = take_lock(run)
    except LockedError as error:
        raise RunError(
            f"expected a run whose driver has ended, {run} has one that works: stop it first "
            f"({error})"
        ) from error
    with lock:
        return sweep_jobs(cloud, run_id, dry_run=dry_run)


def sweep_jobs(cloud: Cloud, run_id: str, *, dry_run: bool = False) -> list[str]:
    """Stop every job of a run that still costs money; return their names.

    Args:
        cloud: Where they are.
        run_id: What tells this run from every other of the account.
        dry_run: Whether to list only.

    Raises:
        CloudError: AWS refuses.
    """
    client = sagemaker(cloud)
    found = [state for known in (run_id, run_id + RETRAIN) for state in jobs.running(client, known)]
    for state in found:
        if not dry_run and state.status != "Stopping":
            jobs.stop(client, state.name)
    return [state.name for state in found]
