"""Training jobs as the service tells of them: described, listed, stopped; and how long to wait.

boto3 rather than the SDK: `sagemaker.core.resources.TrainingJob` makes clients of its own, without
our retries and one-line errors, and lists nothing by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nas_core.cloud.client import explained
from nas_core.cloud.failures import code_of
from nas_core.errors import CloudError
from nas_core.files import sha256_bytes
from nas_core.seeding import generator

COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"
ENDED = (COMPLETED, FAILED, STOPPED)
TAG = "nas-run"  # every job of a run carries its id in a tag of this name


@dataclass(frozen=True)
class JobState:
    """What the service says of a job.

    Attributes:
        name: Of the job.
        status: "InProgress", "Stopping", "Completed", "Failed" or "Stopped".
        secondary: Where in its life it is, such as "Starting", "Training", "Interrupted" or
            "MaxWaitTimeExceeded"; empty where only a list was asked for.
        reason: Why it failed, in the service's words; else empty.
        billed: Seconds that are charged; None while the service does not know.
        hyperparameters: As they were submitted; empty where only a list was asked for.
        created: When it was submitted; None where the service does not say.
        instance: Type of its instance; None where only a list was asked for.
    """

    name: str
    status: str
    secondary: str = ""
    reason: str = ""
    billed: int | None = None
    hyperparameters: dict[str, str] | None = None
    created: datetime | None = None
    instance: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it costs nothing any more."""
        return self.status in ENDED


def describe(client: Any, name: str) -> JobState | None:
    """Return a job's state, or None where there is no such job.

    Args:
        client: From `nas_core.cloud.client.sagemaker`, as everywhere here.
        name: Of the job.

    Raises:
        CloudError: AWS refuses.
    """
    from botocore.exceptions import ClientError

    with explained(f"the job {name}"):
        try:
            found = client.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if code_of(error) == "ResourceNotFound" or "not found" in str(error):
                return None
            raise
    return JobState(
        name,
        found["TrainingJobStatus"],
        found.get("SecondaryStatus", ""),
        " ".join(found.get("FailureReason", "").split()),
        found.get("BillableTimeInSeconds"),
        found.get("HyperParameters", {}),
        found.get("CreationTime"),
        found.get("ResourceConfig", {}).get("InstanceType"),
    )


def mark(run_id: str) -> str:
    """Return the part of a job's name that is the same in all jobs of a run, and in no other's."""
    return sha256_bytes(run_id.encode())[:10]


def of_run(client: Any, run_id: str, status: str | None = None) -> Iterator[JobState]:
    """Yield the jobs of a run, newest first, without what only `describe` tells.

    Args:
        client: See `describe`.
        run_id: What tells this run from every other of the account.
        status: Only these; None for all.

    Raises:
        CloudError: AWS refuses.
    """
    wanted: dict[str, Any] = {"NameContains": mark(run_id), "MaxResults": 100}
    if status is not None:
        wanted["StatusEquals"] = status
    with explained(f"the jobs of {run_id}"):
        for page in client.get_paginator("list_training_jobs").paginate(**wanted):
            for item in page["TrainingJobSummaries"]:
                yield JobState(
                    item["TrainingJobName"],
                    item["TrainingJobStatus"],
                    created=item.get("CreationTime"),
                )


def running(client: Any, run_id: str) -> list[JobState]:
    """Return the jobs of a run that still cost money.

    Raises:
        CloudError: AWS refuses.
    """
    return [
        state for wanted in ("InProgress", "Stopping") for state in of_run(client, run_id, wanted)
    ]


def stop(client: Any, name: str) -> bool:
    """Stop a job; return whether it still ran.

    Raises:
        CloudError: AWS refuses.
    """
    try:
        with explained(f"to stop the job {name}"):
            client.stop_training_job(TrainingJobName=name)
    except CloudError as error:
        # The service refuses to stop what has ended: that is what was wanted.
        if error.code == "ValidationException":
            return False
        raise
    return True


class BackOff:
    """Waits that double, with jitter, up to a longest one.

    Args:
        key: What tells this one's jitter from others', such as the run's id.
        first: Longest first wait, seconds.
        longest: Longest of all, seconds.
    """

    def __init__(self, key: str, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._seed = int(sha256_bytes(key.encode())[:8], 16)
        self._count = self._draws = 0

    def next(self) -> float:
        """Return the seconds to wait now: between half and all of what doubling gives."""
        full = min(self._longest, self._first * 2.0**self._count)
        self._count += 1
        self._draws += 1
        share = float(generator(self._seed, "back-off", self._draws).random())
        return full * (0.5 + 0.5 * share)

    def reset(self) -> None:
        """Begin again with short waits."""
        self._count = 0
