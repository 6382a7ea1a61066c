"""Trials in this very process, one after the other: for tests, debugging and the mock trainer."""

from collections import deque

from nas_core.executors.answer import answer
from nas_core.executors.base import Finished
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Trainer


class InlineExecutor:
    """Runs each trial inside `poll`. No isolation: a crash or a hang is the driver's own.

    Attributes:
        slots: Always 1.
        threads: Processor threads of a trial.
    """

    slots = 1

    def __init__(self, trainer: Trainer, *, threads: int = 1) -> None:
        self.threads = threads
        self._trainer = trainer
        self._waiting: deque[tuple[Spec, Job]] = deque()

    def submit(self, spec: Spec, job: Job) -> None:
        """Note the trial; the next `poll` runs it."""
        self._waiting.append((spec, job))

    def poll(self, seconds: float) -> list[Finished]:
        """Run the oldest trial, however long it takes; empty when none is waiting."""
        del seconds  # a trial in this process cannot be left before its end
        if not self._waiting:
            return []
        spec, job = self._waiting.popleft()
        return [Finished(job.trial, answer(self._trainer, spec, job))]

    def cancel(self, trial: int) -> None:
        """Forget a trial that has not run yet."""
        self._waiting = deque(item for item in self._waiting if item[1].trial != trial)

    def close(self) -> None:
        """Forget everything that has not run yet."""
        self._waiting.clear()
