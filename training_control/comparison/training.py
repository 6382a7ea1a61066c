"""One training of the comparison, under a schedule or under an agent, timed alike."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nas_core.trainer import runtime  # noqa: F401  # sets what TensorFlow reads when it starts
from training_control.controls import ControlSet, Hyperparameters
from training_control.metrics import Evaluation

if TYPE_CHECKING:
    from training_control.session import Progress, Session

Plan = Callable[[float, Sequence[float]], Hyperparameters]
Choose = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Outcome:
    """How a training went.

    Attributes:
        losses: Validation losses, the first before training; a rolled back interval repeats the
            one before it.
        train_losses: Mean training loss of each interval.
        hyperparameters: What each interval was trained with.
        final: Validation at the end; None if the training is lost.
        test: Test split at the end; None if it was not opened or the training is lost.
        examples: Training examples seen, rolled back ones among them.
        seconds: Wall-clock time from the first evaluation to the last one on validation.
        agent_seconds: The part of it that is neither training nor evaluation: deciding, copies.
        interventions: Decisions that changed something.
        rolled_back: Whether each interval was undone.
        crashed: Whether the training was lost.
    """

    losses: list[float] = field(default_factory=list)
    train_losses: list[float] = field(default_factory=list)
    hyperparameters: list[dict[str, Any]] = field(default_factory=list)
    final: Evaluation | None = None
    test: Evaluation | None = None
    examples: int = 0
    seconds: float = 0.0
    agent_seconds: float = 0.0
    interventions: int = 0
    rolled_back: list[bool] = field(default_factory=list)
    crashed: bool = False


@dataclass(frozen=True)
class Budget:
    """How long a training is.

    Attributes:
        decisions: Intervals.
        interval: Examples in each.
        test: Whether the test split is opened at the end.
    """

    decisions: int
    interval: int
    test: bool


class Stopwatch:
    """A session that counts its own seconds, so that what is left over is the agent's.

    Attributes:
        session: What trains.
        seconds: Of training and evaluation so far.
    """

    def __init__(self, session: "Session") -> None:
        """Start at zero."""
        self.session, self.seconds = session, 0.0

    def __getattr__(self, name: str) -> Any:
        """Return everything else as the session has it."""
        return getattr(self.session, name)

    def train(self, examples: int) -> "Progress":
        """Train, and count."""
        started = time.perf_counter()
        progress = self.session.train(examples)
        self.seconds += time.perf_counter() - started
        return progress

    def evaluate(self, split: str = "validation") -> Evaluation:
        """Evaluate, and count."""
        started = time.perf_counter()
        seen = self.session.evaluate(split)
        self.seconds += time.perf_counter() - started
        return seen


def scheduled(
    session: "Session", start: Hyperparameters, seed: int, budget: Budget, plan: Plan
) -> Outcome:
    """Train under a schedule. Nothing is rolled back: a loss that is not finite ends it.

    Args:
        session: What trains.
        start: First hyperparameters.
        seed: Of weights and order of examples.
        budget: How long.
        plan: (part of the budget that is used, validation losses so far) -> hyperparameters.
    """
    watch = Stopwatch(session)
    session.reset(seed, start)
    began = time.perf_counter()
    now = watch.evaluate()
    outcome, examples, changed, crashed = Outcome(losses=[now.loss]), 0, 0, False
    for number in range(budget.decisions):
        values = plan(number / budget.decisions, outcome.losses[1:])
        changed += values != session.hyperparameters
        session.apply(values)
        progress = watch.train(budget.interval)
        now = watch.evaluate()
        examples += progress.examples
        crashed = not (progress.finite and math.isfinite(now.loss))
        _record(outcome, progress.loss, now.loss, values.values(), False)
        if crashed:
            break
    return _ended(outcome, watch, began, budget, now, crashed, examples, changed)


def steered(
    session: "Session",
    start: Hyperparameters,
    seed: int,
    budget: Budget,
    controls: ControlSet,
    choose: Choose,
) -> Outcome:
    """Train under an agent, with the environment's observations and its rollback.

    Args:
        session: What trains.
        start: First hyperparameters.
        seed: Of weights and order of examples.
        budget: How long.
        controls: What the agent turns.
        choose: Observation float32 [features] -> action of `controls.space()`.
    """
    from training_control.episode import LOST, Episode

    watch = Stopwatch(session)
    session.reset(seed, start)
    began = time.perf_counter()
    episode = Episode(cast("Session", watch), budget.interval, controls.names, (), None)
    outcome, examples = Outcome(losses=[episode.info()["validation_loss"]]), 0
    observation = episode.observe(0.0)
    for number in range(budget.decisions):
        action = controls.decode(choose(observation))
        before = session.hyperparameters.values()
        episode.advance(controls, action, 0.0)
        info = episode.info()
        examples += info["examples"]
        used = {**before, **info["changed"]}
        _record(outcome, info["train_loss"], info["validation_loss"], used, info["rolled_back"])
        if episode.failures >= LOST:
            break
        observation = episode.observe((number + 1) / budget.decisions)
    crashed = episode.failures >= LOST
    now = watch.evaluate()
    changed = int(episode.info()["interventions"])
    return _ended(outcome, watch, began, budget, now, crashed, examples, changed)


def _record(
    outcome: Outcome, train: float, held: float, values: dict[str, Any], rolled_back: bool
) -> None:
    outcome.train_losses.append(train)
    outcome.losses.append(held)
    outcome.hyperparameters.append(values)
    outcome.rolled_back.append(rolled_back)


def _ended(
    outcome: Outcome,
    watch: Stopwatch,
    began: float,
    budget: Budget,
    now: Evaluation,
    crashed: bool,
    examples: int,
    interventions: int,
) -> Outcome:
    """Return the outcome with its totals; the clock stops before the test split is opened."""
    seconds = time.perf_counter() - began
    crashed = crashed or not math.isfinite(now.loss)
    own = max(seconds - watch.seconds, 0.0)
    tested = watch.evaluate("test") if budget.test and not crashed else None
    return replace(
        outcome,
        final=None if crashed else now,
        test=tested,
        examples=examples,
        seconds=seconds,
        agent_seconds=own,
        interventions=interventions,
        crashed=crashed,
    )
