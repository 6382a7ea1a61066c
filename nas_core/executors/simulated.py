"""Workers on a virtual clock: parallel schedules replay exactly, thousands of trials a second.

A trial is scored at once, in this process, and delivered when its own seconds (`Result.seconds`:
measured, modelled or simulated, as the trainer says) have passed on a clock that jumps from one
end to the next. The order is that of the ends, and of the trials' numbers among equal ends: it
depends on the search alone, not on the machine.
"""

import heapq

from nas_core.errors import UsageError
from nas_core.executors.answer import answer
from nas_core.executors.base import Finished
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Trainer

SIMULATED_SECONDS = "simulated_seconds"  # a run's, by name, in its store and in summaries


class SimulatedExecutor:
    """Runs up to `slots` trials at a time in simulated seconds. No isolation, as `InlineExecutor`.

    Attributes:
        slots: Simulated workers.
        clock: Simulated seconds since the executor was made.
    """

    def __init__(self, trainer: Trainer, slots: int = 1) -> None:
        """Set the clock to 0.

        Args:
            trainer: Scores the trials and says how many seconds each one took.
            slots: Trials that run at once.

        Raises:
            UsageError: `slots` is below 1.
        """
        if slots < 1:
            raise UsageError(f"expected --workers of 1 or more, received {slots}")
        self.slots = slots
        self.clock = 0.0
        self._trainer = trainer
        self._running: list[tuple[float, int, Result]] = []  # a heap: (end, trial, result)

    def submit(self, spec: Spec, job: Job) -> None:
        """Score the trial; it ends its own seconds from now."""
        result = answer(self._trainer, spec, job)
        heapq.heappush(self._running, (self.clock + result.seconds, job.trial, result))

    def poll(self, seconds: float) -> list[Finished]:
        """Go on to the end of the next trial and return it; empty when none is running."""
        del seconds  # simulated ones pass at once
        if not self._running:
            return []
        self.clock, trial, result = heapq.heappop(self._running)
        return [Finished(trial, result)]

    def cancel(self, trial: int) -> None:
        """Forget a running trial."""
        self._running = [item for item in self._running if item[1] != trial]
        heapq.heapify(self._running)

    def close(self) -> None:
        """Forget everything that runs."""
        self._running.clear()
