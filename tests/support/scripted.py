"""Agents and executors that do what a test says."""

from collections.abc import Sequence
from typing import Any

from small_spaces import GridSpace

from nas_core.agent import Proposal, Scored
from nas_core.executors.base import Finished
from nas_core.space import spec_of
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Trainer

SPACE = GridSpace(5, 3)


class ScriptedAgent:
    """Proposes the given sequences of decisions, and remembers what it was told."""

    name = "scripted"

    def __init__(self, script: Sequence[tuple[int, ...]], batch: int = 1, lag: int = 1):
        self.batch, self.lag = batch, lag
        self._script = list(script)
        self.proposed = 0
        self.told: list[tuple[int, float, bool]] = []
        self.knew: list[int] = []  # trials observed when each proposal was made

    def suggest(self, n: int) -> list[Proposal]:
        first, self.proposed = self.proposed, self.proposed + n
        self.knew += [len(self.told)] * n
        return [
            Proposal(trial, spec_of(SPACE, self._script[trial]), self._script[trial])
            for trial in range(first, first + n)
        ]

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        self.told += [(item.proposal.trial, item.reward, item.fresh) for item in scored]
        return {"told": float(len(self.told))}

    def state(self) -> dict[str, Any]:
        return {"proposed": self.proposed}

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        self.proposed = state["proposed"]
        self.told = [(item.proposal.trial, item.reward, item.fresh) for item in observed]


class ShuffledExecutor:
    """Holds up to `slots` trials and finishes the newest first: the worst order there is."""

    def __init__(self, trainer: Trainer, slots: int):
        self.slots = slots
        self._trainer = trainer
        self._held: list[tuple[Spec, Job]] = []
        self.submitted: list[int] = []

    def submit(self, spec: Spec, job: Job) -> None:
        assert len(self._held) < self.slots
        self._held.append((spec, job))
        self.submitted.append(job.trial)

    def poll(self, seconds: float) -> list[Finished]:
        if not self._held:
            return []
        spec, job = self._held.pop()
        return [Finished(job.trial, self._trainer.score(spec, job))]

    def cancel(self, trial: int) -> None:
        self._held = [(spec, job) for spec, job in self._held if job.trial != trial]

    def close(self) -> None:
        self._held.clear()


def failing(result: Result) -> Trainer:
    """Return a trainer that always answers `result`."""

    class Failing:
        name = "failing"

        def score(self, spec: Spec, job: Job) -> Result:
            return result

        def config(self) -> dict[str, Any]:
            return {}

    return Failing()
