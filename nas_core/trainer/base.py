"""What a trainer is, what it is told, and what it answers."""

import math
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nas_core.errors import RunError
from nas_core.spec import Spec

WARNINGS = "warnings"  # in a result's details
STOPPED = "stopped_after"  # there, too: epochs, of a training that was stopped as hopeless


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    DIVERGED = "diverged"  # loss or accuracy not finite, or never better than random
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    INVALID = "invalid"  # the architecture cannot be built on this data
    KILLED = "killed"  # the child's process ended without an answer
    ERROR = "error"  # an exception inside the child


@dataclass(frozen=True)
class Epoch:
    """One epoch of a learning curve; losses in nats, accuracies in [0, 1]."""

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float


@dataclass(frozen=True)
class Job:
    """How one trial is to be run.

    Attributes:
        trial: Number of the trial.
        seed: Seed of everything random in this child, in [0, 2**31).
        threads: Processor threads that the child may use.
        model_path: Where to save the trained model (`.keras`), or None for not at all.
        init_from: Saved model (`.keras`) to inherit weights from, or None for fresh ones.
        checkpoint: Folder where a long training keeps its state and finds it again after a kill,
            for this trial alone; None for none. Never decides what the result is.
        stops: Validation accuracy that it must have after the first epochs, one each, to be
            trained on; none to train every child to its end (see `nas_core.early_stopping`).
    """

    trial: int
    seed: int
    threads: int = 1
    model_path: Path | None = None
    init_from: Path | None = None
    checkpoint: Path | None = None
    stops: tuple[float, ...] = ()


@dataclass(frozen=True)
class Result:
    """What became of one trial.

    Attributes:
        status: `Status.OK` if and only if `score` is a finite number.
        score: Validation accuracy in [0, 1]; None unless ok.
        curve: One entry per finished epoch of the last attempt.
        seconds: Wall-clock seconds of the trial (simulated by the mock).
        parameters: Weights of the network; None where it was never known.
        macs: Multiply-accumulates of one image; None where it was never known.
        message: One line about what went wrong; empty when ok.
        attempts: Trainings started: the learning-rate ladder and a halved batch add to it.
        details: Further JSON values, such as the learning rate that worked.
    """

    status: Status
    score: float | None = None
    curve: tuple[Epoch, ...] = ()
    seconds: float = 0.0
    parameters: int | None = None
    macs: int | None = None
    message: str = ""
    attempts: int = 1
    details: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        finite = self.score is not None and math.isfinite(self.score)
        if finite != (self.status is Status.OK):
            raise RunError(
                f"expected a finite score exactly when a trial is ok, received {self.status} "
                f"with score {self.score!r}: return Status.DIVERGED for a score that is not finite"
            )

    @property
    def warnings(self) -> list[str]:
        """Lines about what went wrong and did not stop the trial, such as a damaged checkpoint."""
        return [] if self.details is None else list(self.details.get(WARNINGS, []))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; numbers of the curve that are not finite become None."""
        value = asdict(self)
        value["curve"] = [[_finite(v) for v in asdict(epoch).values()] for epoch in self.curve]
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Result":
        """Read `to_json`'s values back (a None in the curve becomes NaN)."""
        known = {item.name for item in fields(cls)}
        rows = [[math.nan if v is None else v for v in row] for row in value["curve"]]
        curve = tuple(Epoch(*row) for row in rows)
        given = {key: item for key, item in value.items() if key in known}
        return cls(**{**given, "status": Status(value["status"]), "curve": curve})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def failed(status: Status, message: str, seconds: float = 0.0) -> Result:
    """Return the result of a trial that has no score; the message is kept to one short line."""
    line = " ".join(message.split())
    return Result(status=status, message=line[:500], seconds=seconds)


def credits_repeats(trainer: "Trainer") -> bool:
    """Return whether a repeat of an architecture has its earlier result, rather than a new one.

    It has, unless the trainer says with an attribute ``repeats`` that every query is a draw of
    its own, as those of published tables are.
    """
    return not getattr(trainer, "repeats", False)


@runtime_checkable
class Trainer(Protocol):
    """Scores one architecture. Runs inside the child; must be sendable to a new process.

    A trainer never raises for a bad child: it answers with a typed status. It reads the training
    and validation splits only. A trainer with the attribute `repeats = True` is asked again when
    an architecture is proposed again; the others' first result is credited.
    """

    @property
    def name(self) -> str:
        """As typed on the command line."""

    def score(self, spec: Spec, job: Job) -> Result:
        """Train `spec` as `job` says and return its validation score."""

    def config(self) -> dict[str, Any]:
        """Return JSON values that identify how scores come about (recipe, data digest)."""
