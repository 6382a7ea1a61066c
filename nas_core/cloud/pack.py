"""Trials that share a training job, and what the job's end means for each of them."""

import json
from dataclasses import dataclass, replace
from typing import Any

from nas_core.cloud import objects
from nas_core.cloud.client import explained
from nas_core.cloud.jobs import TAG, JobState, mark
from nas_core.cloud.request import job_name, training_job
from nas_core.cloud.settings import Cloud
from nas_core.cloud.tasks import TrialTask
from nas_core.cloud.trial_job import FORMAT, MODEL, RESULT, address_of
from nas_core.errors import CloudError
from nas_core.executors.wire import encode_request
from nas_core.files import sha256_file, write_with
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result

DETAILS = "sagemaker"  # in a result's details: the job's name and its billed seconds


@dataclass(frozen=True)
class Work:
    """What all jobs of an executor share.

    Attributes:
        cloud: Where they run.
        run: The run's id: what tells it from every other of the account.
        code: Address in S3 of the source bundle.
        data: Address in S3 of the data set; None for trainers that need none.
        kind: "trial", or "retrain" for final trainings.
        workers: Trials at a time inside a job.
        seconds_limit: See `TrialTask`.
        memory_limit_bytes: See `TrialTask`.
    """

    cloud: Cloud
    run: str
    code: str
    data: str | None = None
    kind: str = "trial"
    workers: int = 1
    seconds_limit: float | None = None
    memory_limit_bytes: int | None = None


@dataclass
class Pack:
    """Trials in one job.

    Attributes:
        trials: Those not answered yet, by number.
        attempt: Which job of this name: a job that was stopped or lost is followed by another.
        failures: Jobs that came to nothing in this sitting.
        name: The job's name once it was submitted.
        look: When to look at the job next, on the monotonic clock.
        adopted: Whether the job was there before this sitting.
    """

    trials: dict[int, tuple[Spec, Job]]
    attempt: int = 0
    failures: int = 0
    name: str | None = None
    look: float = 0.0
    adopted: bool = False

    @property
    def first(self) -> int:
        """The trial that the job is named after."""
        return min(self.trials)


def task_of(pack: Pack, trainer: dict[str, Any], work: Work) -> TrialTask:
    """Return what the pack's job is to do.

    Args:
        pack: The trials.
        trainer: The encoded trainer.
        work: What all jobs share.
    """
    requests = [json.loads(encode_request(spec, job)) for spec, job in pack.trials.values()]
    for request in requests:
        request["job"]["checkpoint"] = None  # a folder of the driver's machine
    return TrialTask(
        trainer,
        tuple(requests),
        f"{work.cloud.run(work.run)}/trials",
        pack.attempt,
        work.cloud.owner,
        workers=work.workers,
        seconds_limit=work.seconds_limit,
        memory_limit_bytes=work.memory_limit_bytes,
    )


def request_of(pack: Pack, trainer: dict[str, Any], work: Work) -> dict[str, Any]:
    """Return the exact request of the pack's job.

    Args:
        pack: The trials.
        trainer: The encoded trainer.
        work: What all jobs share.
    """
    name = job_name(work.run, pack.first, pack.attempt)
    channels = {"code": work.code}
    if work.data is not None:
        channels["data"] = work.data
    root = work.cloud.run(work.run)
    return training_job(
        name,
        "retrain" if work.kind == "retrain" else "trial",
        task_of(pack, trainer, work).arguments(),
        channels,
        work.cloud,
        output=str(root / "models"),
        checkpoints=str(root / "jobs" / name),
        tags={TAG: mark(work.run)},
    )


def collect(client: Any, pack: Pack, task: TrialTask, state: JobState) -> dict[int, Result]:
    """Return the results that a job has left in S3, by trial; and fetch the models asked for.

    Args:
        client: Of S3.
        pack: The trials.
        task: Of the job.
        state: How the job ended, for the bill.

    Raises:
        CloudError: AWS refuses, or an object is not what a job writes.
    """
    found = {}
    for trial, (spec, job) in pack.trials.items():
        value = objects.get_json(client, address_of(task, trial, RESULT))
        if value is not None:
            found[trial] = _checked(value, trial, spec)
            if value["model"] is not None and job.model_path is not None:
                _fetch(client, task, trial, job, value["model"])
    share = None if state.billed is None else round(state.billed / len(pack.trials), 1)
    about = {"job": state.name, "billed_seconds": share}
    return {
        trial: replace(result, details={**(result.details or {}), DETAILS: about})
        for trial, result in found.items()
    }


def _checked(value: Any, trial: int, spec: Spec) -> Result:
    try:
        same = (value["format"], value["trial"], value["digest"]) == (FORMAT, trial, spec.digest)
        if same:
            return Result.from_json(value["result"])
    except (KeyError, TypeError, ValueError) as error:
        raise _strange(trial, f"{type(error).__name__}: {error}") from error
    raise _strange(trial, "one of another trial or architecture")


def _strange(trial: int, found: str) -> CloudError:
    return CloudError(
        f"expected the result of trial {trial} in S3, received {found}: another program writes "
        "below the run's prefix; start a new --run"
    )


def _fetch(client: Any, task: TrialTask, trial: int, job: Job, digest: str) -> None:
    there, here = address_of(task, trial, MODEL), job.model_path
    if here is None:
        return
    with explained(f"to read {there}"):
        write_with(here, lambda path: client.download_file(there.bucket, there.key, str(path)))
    if sha256_file(here) != digest:
        here.unlink()
        raise CloudError(f"expected {there} as the job wrote it, its SHA-256 differs: try again")
