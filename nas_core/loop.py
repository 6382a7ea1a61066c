"""The search loop: the only room that knows agent, trainer, executor and store.

    space -> agent.suggest -> Spec -> executor.submit -> trainer.score -> Result -> store
          -> agent.observe

Each round commits what arrived, what the agent learned from it and what it proposes next in one
transaction. By default proposals are observed in the order of proposing, so the sequence depends
on the seed alone: not on the number of workers, their speed, or interruptions.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from nas_core.agent import Agent, Proposal, Recommends, Scored
from nas_core.early_stopping import Stops, least_accuracies
from nas_core.executors.base import Executor, Finished
from nas_core.executors.simulated import SIMULATED_SECONDS
from nas_core.failpoints import reach
from nas_core.ledger import Ledger
from nas_core.order import ByArrival, ByProposal, Order
from nas_core.replay import catch_up
from nas_core.seeding import derived_seed
from nas_core.store import METRICS, RECOMMENDED, RunStore, TrialRow
from nas_core.trainer.base import Job
from nas_core.trainer.checkpoint import CHECKPOINTS, remove

POLL_SECONDS = 0.25
RACE_SECONDS = 0.05
ENOUGH = 20  # finished trainings before their share of failures says anything


class Stop(StrEnum):
    """Why a search ended."""

    FINISHED = "finished"
    TARGET = "target reached"
    TIME = "time is up"
    INTERRUPTED = "interrupted"
    FAILED = "too many children failed"


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
        asynchronous: Whether the agent learns in the order in which children finish.
        credits: Whether a repeat is answered with its earlier result rather than scored again.
        stop_early: Whether hopeless children end after their first epochs.
        max_failed: Stop when more than this share of the trainings has failed; 1 for never.
    """

    trials: int
    seed: int
    max_seconds: float | None = None
    target: float | None = None
    failure_reward: float = 0.0
    threads: int = 1
    asynchronous: bool = False
    credits: bool = True
    max_failed: float = 1.0
    stop_early: bool = False


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
        self._ledger = Ledger(store.trials(), settings.credits)
        self._order: Order = (
            ByArrival(agent, settings.trials, lambda: executor.slots)  # a cluster's grow
            if settings.asynchronous
            else ByProposal(agent, settings.trials)
        )
        self._running: set[int] = set()
        self._checkpoints = store.folder.resolve() / CHECKPOINTS
        self._stopping = False
        self._before = _stored_seconds(store, "seconds")
        self._started = time.monotonic()
        self._simulates = hasattr(executor, "clock")
        self._clock_before = _stored_seconds(store, SIMULATED_SECONDS) - self._clock()
        self._restore()

    def _restore(self) -> None:
        if catch_up(self._agent, self._store.memory(), self._ledger, self._scored):
            with self._store.transaction():
                self._save_agent()
        for trial in self._ledger.trials:  # a kill may come between a commit and the removal
            if trial.result is not None:
                remove(self._checkpoint(trial.proposal.trial))

    def _checkpoint(self, number: int) -> Path:
        return self._checkpoints / f"trial-{number}"

    def _scored(self, numbers: Sequence[int]) -> list[Scored]:
        return self._ledger.scored(numbers, self._settings.failure_reward)

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
        if len(self._ledger.observed) >= self._settings.trials:
            return Stop.FINISHED
        if self._stopping:
            return Stop.INTERRUPTED
        limit = self._settings.max_seconds
        if limit is not None and self.seconds() >= limit:
            return Stop.TIME
        if self._fails():
            return Stop.FAILED
        target = self._settings.target
        if target is not None and self._best() >= target:
            return Stop.TARGET
        return None

    def _fails(self) -> bool:
        """Return whether so many children fail that something general is wrong."""
        if self._settings.max_failed >= 1.0:
            return False
        scores = [t.result.score for t in self._ledger.trials
                  if t.result is not None and t.credited_from is None]  # fmt: skip
        failed = sum(score is None for score in scores)
        return len(scores) >= ENOUGH and failed > self._settings.max_failed * len(scores)

    def seconds(self) -> float:
        """Wall-clock seconds of the run so far, earlier sittings included."""
        return self._before + time.monotonic() - self._started

    def _clock(self) -> float:
        """Return an executor's simulated time; 0 of one that runs in real time."""
        clock: float = getattr(self._executor, "clock", 0.0)
        return clock

    def _best(self) -> float:
        scores = (t.result.score for t in self._ledger.trials if t.result is not None)
        return max((score for score in scores if score is not None), default=-math.inf)

    def _dispatch(self) -> None:
        """Give free slots to the next trials that need training."""
        for number in self._ledger.to_train():
            if len(self._running) >= self._executor.slots:
                return
            if number not in self._running:
                proposal = self._ledger.trials[number].proposal
                job = job_of(proposal, self._settings)
                stops = self._stops(number)
                job = replace(job, checkpoint=self._checkpoint(number), stops=stops)
                self._executor.submit(proposal.spec, job)
                self._running.add(number)

    def _stops(self, number: int) -> Stops:
        """Return what a child must reach: by what was known when it was proposed, in any order."""
        known = self._ledger.trials[number].known
        if not self._settings.stop_early or known is None:
            return ()
        results = [self._ledger.trials[n].result for n in self._ledger.observed[:known]]
        ended = [(result.curve, result.score) for result in results
                 if result is not None and result.score is not None]  # fmt: skip
        curves = [[epoch.val_accuracy for epoch in curve] for curve, _ in ended]
        return least_accuracies(curves, [score for _, score in ended])

    def _advance(self, finished: Sequence[Finished]) -> None:
        """Commit results, credits, what the agent learned, and its next proposals."""
        reach("loop.delivered")
        arrived = self._note(finished)
        if arrived and self._reason() is None:
            self._dispatch()  # what was proposed in an earlier commit: no worker waits for this one
        with self._store.transaction():
            recorded = self._settle(arrived)
            if self._simulates:
                recorded += self._race()
                self._store.set_meta(SIMULATED_SECONDS, self._clock_before + self._clock())
            self._store.set_meta("seconds", self.seconds())
        for trial in sorted(recorded):
            self._on_trial(self._store.trial(trial))
        reach("loop.told")
        for item in finished:
            remove(self._checkpoint(item.trial))

    def _race(self) -> list[int]:
        """Go on in the same commit for a moment: simulated children cost less than a commit."""
        recorded: list[int] = []
        until = time.monotonic() + RACE_SECONDS
        while time.monotonic() < until and self._reason() is None:
            self._dispatch()
            recorded += self._settle(self._note(self._executor.poll(0.0)))
        return recorded

    def _note(self, finished: Sequence[Finished]) -> list[int]:
        """Take in what has arrived; return the trials' numbers."""
        for item in finished:
            self._ledger.finish(item.trial, item.result)
            self._running.discard(item.trial)
        return [item.trial for item in finished]

    def _settle(self, changed: list[int]) -> list[int]:
        """Record, credit, observe and propose until nothing more follows without a child.

        One group is observed, then one proposed, in turn: however many results arrive together,
        a proposal is made with the knowledge that `Agent` promises, no less and no more.
        """
        recorded: list[int] = []
        moved = False  # whether the agent has anything new to be stored
        while True:
            changed += self._ledger.credit()
            self._record(changed)
            recorded += changed
            changed = []
            observed, proposed = self._observe(), self._propose()
            if not observed and not proposed:
                if moved:
                    self._save_agent()
                    if isinstance(self._agent, Recommends):
                        self._store.set_meta(RECOMMENDED, self._agent.recommend())
                return recorded
            moved = True

    def _save_agent(self) -> None:
        observed, proposed = len(self._ledger.observed), len(self._ledger.trials)
        self._store.save_agent(self._agent.state(), observed, proposed)

    def _record(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            trial = self._ledger.trials[number]
            if trial.result is not None:
                self._store.record(number, trial.result, trial.credited_from)

    def _observe(self) -> bool:
        """Let the agent learn from the next group if there is one; return whether there was."""
        group, before = self._order.group(self._ledger), len(self._ledger.observed)
        if not group:
            return False
        scored = self._scored(group)
        metrics = self._agent.observe(scored)
        self._store.mark_observed({item.proposal.trial: item.reward for item in scored}, before)
        if metrics:
            self._store.add_event(METRICS, {"trial": before, **metrics})
        self._ledger.observe(group)
        return True

    def _propose(self) -> bool:
        """Ask for proposals as long as some are wanted; return whether any was made."""
        before = len(self._ledger.trials)
        while (wanted := self._order.wanted(self._ledger)) > 0:
            proposals, known = self._agent.suggest(wanted), len(self._ledger.observed)
            self._ledger.add(proposals, known)
            self._store.propose(proposals, known)
        return len(self._ledger.trials) > before


def job_of(proposal: Proposal, settings: Settings) -> Job:
    """Return how a proposal's child is to be run."""
    # By digest, not by trial: the same architecture meets the same chance in every agent.
    seed = derived_seed(settings.seed, f"child {proposal.spec.digest}")
    return Job(proposal.trial, seed, settings.threads)


def _stored_seconds(store: RunStore, name: str) -> float:
    seconds = store.meta(name)
    return 0.0 if seconds is None else float(seconds)
