"""TEST EQUIPMENT: one job as the training service knows it, and what its request may not be."""

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training_container import Container

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class RefusedError(Exception):
    """An answer with an error code, as AWS gives it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class TrainingJob:
    """One job as the service knows it."""

    request: dict[str, Any]
    root: Path
    arn: str
    created: float = field(default_factory=time.time)
    status: str = "InProgress"
    transitions: list[dict[str, Any]] = field(default_factory=list)
    billable: float = 0.0
    failure: str = ""
    model: str = ""
    ended: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    interruptions: list[str] = field(default_factory=list)  # "TERM" or "KILL", first one first
    starts: int = 0
    container: Container | None = None

    @property
    def name(self) -> str:
        return str(self.request["TrainingJobName"])

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    def enter(self, secondary: str, message: str = "") -> None:
        """Go on to the next secondary status."""
        now = time.time()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})

    def summary(self) -> dict[str, Any]:
        ended = {} if self.ended is None else {"TrainingEndTime": self.ended}
        return {
            "TrainingJobName": self.name, "TrainingJobArn": self.arn, "CreationTime": self.created,
            "LastModifiedTime": time.time(), "TrainingJobStatus": self.status, **ended,
        }  # fmt: skip

    def describe(self) -> dict[str, Any]:
        secondary = self.transitions[-1]["Status"] if self.transitions else "Starting"
        return {
            **{key: value for key, value in self.request.items() if key != "Tags"},
            **self.summary(), "SecondaryStatus": secondary, "FailureReason": self.failure,
            "SecondaryStatusTransitions": self.transitions,
            "ModelArtifacts": {"S3ModelArtifacts": self.model},
            "TrainingTimeInSeconds": round(self.billable),
            "BillableTimeInSeconds": round(self.billable),
        }  # fmt: skip


def check_request(body: dict[str, Any]) -> None:
    """Refuse what the service's model of the request refuses.

    Raises:
        RefusedError: A name, a hyperparameter, an owner or a time that cannot be.
    """
    problems = []
    if NAME.fullmatch(body["TrainingJobName"]) is None:
        problems.append("trainingJobName: Member must satisfy regular expression pattern")
    given = body.get("HyperParameters", {})
    if len(given) > 100 or any(len(value) > 2500 for value in given.values()):
        problems.append("hyperParameters: Map value must satisfy constraint: length <= 2500")
    condition = body["StoppingCondition"]
    wait, runtime = condition.get("MaxWaitTimeInSeconds"), condition["MaxRuntimeInSeconds"]
    if body.get("EnableManagedSpotTraining", False) and (wait is None or wait < runtime):
        problems.append("MaxWaitTimeInSeconds must be equal to or greater than MaxRuntimeInSeconds")
    if problems:
        raise RefusedError(
            "ValidationException", f"{len(problems)} validation error detected: {problems[0]}"
        )
