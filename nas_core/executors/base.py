"""What an executor is: the place where trials run, some at a time."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result


@dataclass(frozen=True)
class Finished:
    """A trial that has ended, with its result."""

    trial: int
    result: Result


@runtime_checkable
class Executor(Protocol):
    """Runs trials apart from the driver. Used by one thread.

    Every submitted trial is answered exactly once, whatever becomes of its process: a crash, a
    hang or an allocation without end costs that trial alone. Nothing that an executor started
    outlives it by more than a few seconds, however the driver ends.

    Attributes:
        slots: Trials that may run at once, at least 1.
    """

    slots: int

    def submit(self, spec: Spec, job: Job) -> None:
        """Start a trial; `job.trial` names it. Waits never: queue at most `slots` at a time."""

    def poll(self, seconds: float) -> list[Finished]:
        """Return what has ended, waiting up to `seconds` for the first; may be empty."""

    def cancel(self, trial: int) -> None:
        """Stop a running trial; it is not answered. Unknown trials are ignored."""

    def close(self) -> None:
        """Stop everything that runs. May be called twice."""


@runtime_checkable
class Describes(Protocol):
    """An executor that can say how its workers are, for people; read from any thread."""

    def state(self) -> str:
        """Return one short line, such as "2 nodes, 3/4 busy"."""
