"""The search loop: the only room that knows agent, trainer, executor and store.

    space -> agent.suggest -> Spec -> executor.submit -> trainer.score -> Result -> store
          -> agent.observe

Each round commits what arrived, what the agent learned from it and what it proposes next in one
transaction. Proposals are observed in the order of proposing, so the sequence depends on the
seed alone: not on the number of workers, their speed, or interruptions.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from nas_core.agent import Agent, Proposal, Scored
from nas_core.executors.base import Executor, Finished
from nas_core.seeding import derived_seed
from nas_core.store import RunStore, TrialRow
from nas_core.trainer.base import Job, Result

POLL_SECONDS = 0.25


class Stop(StrEnum):
    """Why a search ended."""

    FINISHED = "finished"
    TARGET = "target reached"
    TIME = "time is up"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Settings:
    """What bounds a search.

    Attributes:
        trials: Proposals in all, credited repeats included.
        seed: Seed of the whole run.
        max_seconds: Wall-clock seconds over all sittings; None for no limit.
        target: Stop when a score reaches this; None for never.
        failure_reward: What the agent is told of a failed trial.
        threads: Processor threads of one child.
    """

    trials: int
    seed: int
    max_seconds: float | None = None
    target: float | None = None
    failure_reward: float = 0.0
    threads: int = 1


@dataclass
class _Trial:
    """A trial in memory, from proposal to observation."""

    proposal: Proposal
    result: Result | None = None
    credited_from: int | None = None
    observed: bool = False


class SearchLoop:
    """One sitting of a run, new or resumed."""

    def __init__(
        self,
        agent: Agent,
        executor: Executor,
        store: RunStore,
        settings: Settings,
        on_trial: Callable[[TrialRow], None] = lambda row: None,
    ) -> None:
        """Take the parts, and what the store already holds.

        Args:
            agent: Fresh; on a resumed run it receives its stored state here.
            executor: Where children run; the caller closes it.
            store: Opened for writing.
            settings: Bounds of the search.
            on_trial: Called with each trial as it is committed, for progress.
        """
        self._agent = agent
        self._executor = executor
        self._store = store
        self._settings = settings
        self._on_trial = on_trial
        self._trials: list[_Trial] = []
        self._source: dict[str, int] = {}  # digest -> the trial that is (or was) trained
        self._running: set[int] = set()
        self._next = 0  # first trial that may still need a worker
        self._observed = 0
        self._stopping = False
        self._before = _stored_seconds(store)
        self._started = time.monotonic()
        self._restore()

    def _restore(self) -> None:
        rows = self._store.trials()
        for row in rows:
            result = None if row.status is None else row.result
            self._trials.append(_Trial(row.proposal, result, row.credited_from, row.observed))
            self._source.setdefault(row.digest, row.number)
        self._observed = sum(trial.observed for trial in self._trials)
        state = self._store.agent_state()
        if state is not None:
            self._agent.load_state(state, self._scored(self._trials[: self._observed]))

    def stop(self) -> None:
        """Ask for a gentle end: running children finish, nothing new starts."""
        self._stopping = True

    def run(self) -> Stop:
        """Search until a bound is met; every committed trial is kept whatever happens."""
        self._advance([])
        while True:
            reason = self._reason()
            if reason is None:
                self._dispatch()
            elif not self._running:
                return reason
            finished = self._executor.poll(POLL_SECONDS)
            if finished:
                self._advance(finished)

    def _reason(self) -> Stop | None:
        if self._observed >= self._settings.trials:
            return Stop.FINISHED
        if self._stopping:
            return Stop.INTERRUPTED
        limit = self._settings.max_seconds
        if limit is not None and self.seconds() >= limit:
            return Stop.TIME
        target = self._settings.target
        if target is not None and self._best() >= target:
            return Stop.TARGET
        return None

    def seconds(self) -> float:
        """Wall-clock seconds of the run so far, earlier sittings included."""
        return self._before + time.monotonic() - self._started

    def _best(self) -> float:
        scores = (t.result.score for t in self._trials if t.result is not None)
        return max((score for score in scores if score is not None), default=-math.inf)

    def _dispatch(self) -> None:
        """Give free slots to the next trials that need training."""
        for trial in range(self._next, len(self._trials)):
            if len(self._running) >= self._executor.slots:
                return
            entry = self._trials[trial]
            if entry.result is None and self._is_source(trial) and trial not in self._running:
                self._executor.submit(entry.proposal.spec, self._job(entry.proposal))
                self._running.add(trial)

    def _is_source(self, trial: int) -> bool:
        return self._source[self._trials[trial].proposal.spec.digest] == trial

    def _job(self, proposal: Proposal) -> Job:
        # By digest, not by trial: the same architecture meets the same chance in every agent.
        seed = derived_seed(self._settings.seed, f"child {proposal.spec.digest}")
        return Job(proposal.trial, seed, self._settings.threads)

    def _advance(self, finished: Sequence[Finished]) -> None:
        """Commit results, credits, what the agent learned, and its next proposals."""
        for item in finished:
            self._trials[item.trial].result = item.result
            self._running.discard(item.trial)
        changed = [item.trial for item in finished]
        with self._store.transaction():
            recorded = self._settle(changed)
            self._store.set_meta("seconds", self.seconds())
        for trial in sorted(recorded):
            self._on_trial(self._store.trial(trial))

    def _settle(self, changed: list[int]) -> list[int]:
        """Record, credit, observe and propose until nothing more follows without a child.

        One group is observed, then one proposed, in turn: however many results arrive together,
        a proposal is made with the knowledge that `Agent` promises, no less and no more.
        """
        recorded: list[int] = []
        moved = False  # whether the agent has anything new to be stored
        while True:
            changed += self._credit()
            for trial in changed:
                entry = self._trials[trial]
                if entry.result is not None:
                    self._store.record(trial, entry.result, entry.credited_from)
            recorded += changed
            changed = []
            observed, proposed = self._observe(), self._propose()
            if not observed and not proposed:
                if moved:
                    self._store.save_agent(self._agent.state())
                return recorded
            moved = True

    def _credit(self) -> list[int]:
        """Answer repeats of finished architectures with the earlier result; no child is run."""
        while self._next < len(self._trials) and self._trials[self._next].result is not None:
            self._next += 1
        credited = []
        for trial in range(self._next, len(self._trials)):
            entry = self._trials[trial]
            source = self._source[entry.proposal.spec.digest]
            earlier = self._trials[source].result
            if entry.result is None and source != trial and earlier is not None:
                entry.result = replace(earlier, seconds=0.0)
                entry.credited_from = source
                credited.append(trial)
        return credited

    def _observe(self) -> bool:
        """Let the agent learn from the next group if it is complete; return whether it was."""
        group = self._trials[self._observed : self._observed + self._agent.batch]
        scored = self._scored(group)
        if not group or len(scored) < len(group):
            return False
        metrics = self._agent.observe(scored)
        self._store.mark_observed({item.proposal.trial: item.reward for item in scored})
        if metrics:
            self._store.add_event("metrics", {"trial": self._observed, **metrics})
        for trial in group:
            trial.observed = True
        self._observed += len(group)
        return True

    def _propose(self) -> bool:
        """Ask for every group whose knowledge is complete; return whether any was proposed."""
        before = len(self._trials)
        window = self._agent.batch * self._agent.lag
        while len(self._trials) < min(self._settings.trials, self._observed + window):
            room = self._settings.trials - len(self._trials)
            proposals = self._agent.suggest(min(self._agent.batch, room))
            for proposal in proposals:
                self._source.setdefault(proposal.spec.digest, proposal.trial)
                self._trials.append(_Trial(proposal))
            self._store.propose(proposals)
        return len(self._trials) > before

    def _scored(self, group: Sequence[_Trial]) -> list[Scored]:
        """Return what the agent is told of the finished trials of a group."""
        penalty = self._settings.failure_reward
        return [
            Scored(
                trial.proposal,
                penalty if trial.result.score is None else trial.result.score,
                trial.result,
                fresh=trial.credited_from is None,
            )
            for trial in group
            if trial.result is not None
        ]


def _stored_seconds(store: RunStore) -> float:
    seconds = store.meta("seconds")
    return 0.0 if seconds is None else float(seconds)
