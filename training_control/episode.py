"""One episode: apply a decision, train, judge what came of it, go back where it went wrong."""

import math
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Literal

from training_control.controls import Action, ControlSet, Hyperparameters, changes, clipped
from training_control.metrics import Evaluation
from training_control.observations import Measurement, Observer
from training_control.rewards import Interval, RewardConfig, Rewarder
from training_control.safety import CUT, EARLY, starts_afresh, went_wrong
from training_control.session import Progress, Session, Snapshot

BLOWN_UP = 100.0  # a validation loss above this many times the first one is as good as infinite
LOST = 5  # intervals in a row that blew up: the training is given up
STEP_WORK = 16.0  # examples that a step's fixed cost is worth, for the clock "work"

Clock = Literal["work", "wall"]


class Episode:
    """The state of one training under control.

    Attributes:
        session: What trains.
        intervals: Intervals trained, rolled back ones among them.
        failures: Intervals in a row that blew up: not finite, or a hundred times the first loss.
        over: Whether the episode has ended.
        timing: Seconds so far: "training", "controller" (the agent), "other" (evaluation, copies).
    """

    def __init__(
        self,
        session: Session,
        interval: int,
        available: Collection[str],
        hidden: Collection[str],
        reward: RewardConfig | None,
    ) -> None:
        """Look at a session that has just been reset.

        Args:
            session: What trains.
            interval: Examples between two decisions.
            available: Controls that act.
            hidden: Sources that look unknown.
            reward: Prices; the defaults when None.
        """
        self.session, self._interval = session, interval
        self._available = tuple(name for name in available if name in session.available)
        self.intervals = self.failures = self._ignored = self._interventions = 0
        self.over = False
        self._now: Evaluation = session.evaluate()
        self._first = self._now.loss
        self._reward = Rewarder(self._first, reward)
        self._observer = Observer(self._available, hidden)
        self._progress: Progress | None = None
        self._changed: dict[str, float | int | str] = {}
        self._rolled_back = self._afresh = False
        self._fresh: Snapshot | None = session.snapshot()  # while it may begin again
        self._share = 0.0  # of the budget, used
        self._untrained = self._now
        self._planned_steps = math.ceil(interval / session.hyperparameters.batch_size)
        self._reference_seconds: float | None = None
        self._thought = 0.0
        self.timing = {"training": 0.0, "controller": 0.0, "other": 0.0}

    def advance(self, controls: ControlSet, action: Action | None, thought: float) -> None:
        """Apply an action, None for one to be ignored, and train for one interval.

        Args:
            controls: What the action means.
            action: From `controls.decode`.
            thought: Seconds that the agent took.
        """
        before = self.session.hyperparameters
        self._ignored += action is None
        wanted = before if action is None else controls.apply(before, action, self._available)
        wanted = self._within_reach(wanted)
        self._changed = changes(before, wanted)
        self._interventions += len(self._changed) > 0
        self._thought = thought
        started = time.perf_counter()
        progress = self._train(before, wanted)
        passed = time.perf_counter() - started
        self.intervals += 1
        self.timing["training"] += progress.seconds
        self.timing["other"] += passed - progress.seconds
        self.timing["controller"] += thought

    def _within_reach(self, wanted: Hyperparameters) -> Hyperparameters:
        """Return values that the model's stack has room for."""
        depth, width = self.session.room
        return replace(wanted, layers=min(wanted.layers, depth), units=min(wanted.units, width))

    def _train(self, before: Hyperparameters, wanted: Hyperparameters) -> Progress:
        session = self.session
        self._start_afresh(wanted.learning_rate < before.learning_rate)
        snapshot = session.snapshot()
        session.apply(wanted)
        self._progress = progress = session.train(self._interval)
        seen = session.evaluate() if progress.finite else None
        sane = seen is not None and seen.loss <= BLOWN_UP * self._first
        self.failures = 0 if sane else self.failures + 1
        self._rolled_back = seen is None or bool(went_wrong(self._first, self._now.loss, seen.loss))
        if seen is not None and not self._rolled_back:
            self._now = seen
            return progress
        session.restore(snapshot)
        if "learning_rate" in self._available:
            failed = min(before.learning_rate, wanted.learning_rate)
            lower = float(clipped("learning_rate", CUT * failed))
            session.apply(replace(before, learning_rate=lower))
        return progress

    def _start_afresh(self, cut: bool) -> None:
        """Go back to the first weights where a rate that was far too high has taught nothing."""
        self._afresh = (
            self._fresh is not None
            and self.intervals > 0
            and bool(starts_afresh(cut, self._share, self._first, self._now.loss))
        )
        if self._afresh and self._fresh is not None:
            self.session.restore(self._fresh)
            self._now = self._untrained
        if self._share >= EARLY:
            self._fresh = None

    def pay(self, clock: Clock, decisions: int, lost: bool) -> float:
        """Return the reward of the interval that was trained last.

        Args:
            clock: What time is measured by.
            decisions: Intervals of the whole budget.
            lost: Whether the training is given up.
        """
        overhead, share = self._costs(clock)
        ended = lost or self.intervals >= decisions
        return self._reward.reward(
            Interval(
                validation_loss=self._now.loss,
                intervened=len(self._changed) > 0,
                overhead=overhead,
                time=share / decisions,
                trouble=self._rolled_back,
                ended=ended,
                final_loss=None if lost else self._now.loss,
            )
        )

    def _costs(self, clock: Clock) -> tuple[float, float]:
        """Return the agent's time over the interval's, and the interval's over a usual one."""
        progress = self._progress
        if progress is None:
            return 0.0, 0.0
        if clock == "wall":
            if self._reference_seconds is None:
                self._reference_seconds = progress.seconds
            return self._thought / progress.seconds, progress.seconds / self._reference_seconds
        work = progress.examples + STEP_WORK * progress.steps
        return 0.0, work / (self._interval + STEP_WORK * self._planned_steps)

    def observe(self, progress: float) -> Any:
        """Return what the agent sees now, float32 [len(FEATURES)].

        Args:
            progress: Part of the budget that is used, in [0, 1].
        """
        self._share = progress
        last = self._progress
        known = self.session.hyperparameters.values()
        return self._observer.observe(
            Measurement(
                hyperparameters={n: v for n, v in known.items() if n in self.session.available},
                train_loss=None if last is None else last.loss,
                validation_loss=self._now.loss,
                metric=self._now.score,
                gradient_norm=None if last is None else last.gradient_norm,
                update_ratio=None if last is None else last.update_ratio,
                progress=progress,
                intervened=len(self._changed) > 0,
                trouble=self._rolled_back,
            )
        )

    def info(self) -> dict[str, Any]:
        """Return what happened in the last interval, for logs and people."""
        last = self._progress
        return {
            "hyperparameters": self.session.hyperparameters.values(),
            "available": self._available,
            "changed": dict(self._changed),
            "train_loss": math.nan if last is None else last.loss,
            "validation_loss": self._now.loss,
            "metrics": dict(self._now.metrics),
            "rolled_back": self._rolled_back,
            "afresh": self._afresh,
            "diverged": self.failures >= LOST,
            "ignored": self._ignored,
            "interventions": self._interventions,
            "examples": 0 if last is None else last.examples,
        }
