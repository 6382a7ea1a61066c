"""A frozen brain at the wheel of one training: what to set next, and when to go back. No Keras."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nas_core.errors import RunError, UsageError
from training_control import brain as brains
from training_control.brain import Brain
from training_control.controls import CONTROLS, Hyperparameters, changes, clipped
from training_control.observations import Measurement, Observer
from training_control.policy import FrozenPolicy
from training_control.safety import CUT, starts_afresh, went_wrong
from training_control.schema import controls_of

BRAINS = Path(__file__).parent / "brains"


@dataclass(frozen=True)
class Seen:
    """What the training has shown since the last decision; None for what is not known.

    `validated` is whether the validation loss is that of the present weights, not an older one.
    """

    validation_loss: float
    train_loss: float | None = None
    metric: float | None = None
    gradient_norm: float | None = None
    progress: float | None = None
    validated: bool = True


@dataclass(frozen=True)
class Verdict:
    """What to do now.

    Attributes:
        values: Hyperparameters of the next interval.
        changed: The new ones among them.
        roll_back: Whether weights and optimizer go back to where they were before the interval.
        begin_again: Whether they go back to where they were before training.
        reason: "kept", "changed", "begun again" or "rolled back".
    """

    values: Hyperparameters
    changed: dict[str, float | int | str]
    roll_back: bool
    begin_again: bool
    reason: str


def open_brain(brain: str | Path | Brain) -> Brain:
    """Return a brain: "default", a folder, or one that is open already.

    Raises:
        RunError: There is none, it is damaged, or it is not one that controls trainings.
        UsageError: It is something else.
    """
    if not isinstance(brain, str | Path | Brain):
        raise UsageError(
            f"expected a brain as 'default', a folder or a Brain, received {brain!r}: leave it out "
            "for the default one; LearnedController(agent='off') trains plainly"
        )
    if not isinstance(brain, Brain):
        shipped = BRAINS / str(brain)
        known = isinstance(brain, str) and brain == Path(brain).name and brains.exists(shipped)
        brain = brains.load(shipped if known else Path(brain))
    controls_of(brain.schema)
    return brain


class Steering:
    """Decides for one training with a brain.

    Attributes:
        values: Hyperparameters as they should be now.
    """

    def __init__(
        self,
        brain: Brain,
        values: Hyperparameters,
        available: Collection[str],
        known: Collection[str],
    ) -> None:
        """Start a training.

        Args:
            brain: From `open_brain`.
            values: Hyperparameters at the start; they may lie outside the controls' ranges.
            available: Controls that act in this training; what else the brain turns is ignored.
            known: Hyperparameters whose values are true ones.
        """
        self._policy = FrozenPolicy.restored(brain.config, brain.policy)
        self._controls = controls_of(brain.schema)
        self._available = tuple(n for n in self._controls.names if n in available)
        self._known = tuple(known)
        self._observer = Observer(tuple(available))
        self.values = self._before = values
        self._first: float | None = None
        self._loss = 0.0  # of the state to go back to
        self._untrained: float | None = None

    @property
    def loss(self) -> float:
        """Validation loss of the weights that are kept; NaN if it is not known."""
        return math.nan if self._first is None else self._loss

    def begin(self, loss: float | None) -> None:
        """Take in the loss before training, which lets the training begin again.

        Args:
            loss: Comparable with the validation losses; None, or not a finite number, where it or
                the first weights are not known: then this training never begins again.
        """
        self._untrained = loss if loss is not None and _finite(loss) else None

    def adopt(self, rate: float) -> None:
        """Take a learning rate that another hand has set for the present one."""
        self.values = replace(self.values, learning_rate=rate)
        if self._first is None:  # nothing was trained under the one before
            self._before = self.values

    def decide(self, seen: Seen) -> Verdict:
        """Return what to do after an interval.

        The first loss is compared with itself, so only one that is not finite is rolled back then.
        """
        if self._first is None:
            self._first = self._loss = seen.validation_loss
        if bool(went_wrong(self._first, self._loss, seen.validation_loss)):
            return self._go_back(seen)
        self._loss = seen.validation_loss
        observation = self._observe(seen, trouble=False)
        self._before = self.values
        action = self._controls.decode(self._policy.act(observation))
        if action is None:
            raise RunError("expected a legal action, received another: the brain is damaged")
        self.values = self._controls.apply(self.values, action, self._available)
        changed = changes(self._before, self.values)
        if self._begin_again(seen):
            return Verdict(self.values, changed, False, True, "begun again")
        return Verdict(self.values, changed, False, False, "changed" if changed else "kept")

    def _begin_again(self, seen: Seen) -> bool:
        """Set the losses back if the training is to begin again; return whether it is.

        An older validation loss says nothing about weights that have been trained since.
        """
        if self._untrained is None or seen.progress is None or not seen.validated:
            return False
        cut = self.values.learning_rate < self._before.learning_rate
        again = bool(starts_afresh(cut, seen.progress, self._untrained, seen.validation_loss))
        if again:
            self._first = self._loss = self._untrained
        return again

    def _go_back(self, seen: Seen) -> Verdict:
        failed = self.values
        self._observe(replace(seen, validation_loss=self._loss), trouble=True)
        rate = CUT * min(self._before.learning_rate, failed.learning_rate)
        lower = float(clipped("learning_rate", rate))
        self.values = replace(self._before, learning_rate=lower)
        self._before = self.values
        if self._first is not None and not _finite(self._first):
            self._first, self._loss = None, 0.0  # nothing to compare with yet
        return Verdict(self.values, changes(failed, self.values), True, False, "rolled back")

    def _observe(self, seen: Seen, *, trouble: bool) -> Any:
        values = self.values.values()
        return self._observer.observe(
            Measurement(
                hyperparameters={name: values[name] for name in self._known},
                validation_loss=seen.validation_loss,
                train_loss=seen.train_loss,
                metric=seen.metric,
                gradient_norm=seen.gradient_norm,
                progress=seen.progress,
                intervened=self.values != self._before,
                trouble=trouble,
            )
        )

    def state(self) -> dict[str, Any]:
        """Return JSON values from which `load_state` goes on."""
        return {
            "observer": self._observer.state(),
            "values": asdict(self.values),
            "before": asdict(self._before),
            "first": self._first,
            "loss": self._loss,
            "untrained": self._untrained,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken, in the same training."""
        self._observer.load_state(state["observer"])
        self.values = Hyperparameters(**state["values"])
        self._before = Hyperparameters(**state["before"])
        self._first, self._loss = state["first"], state["loss"]
        self._untrained = state["untrained"]


def _finite(value: float) -> bool:
    return abs(value) < float("inf")


def describe(
    brain: Brain,
    available: Collection[str],
    known: Collection[str],
    measured: Collection[str],
) -> str:
    """Return a line on what a brain can turn here, what it has to do without and what it sees.

    Args:
        brain: From `open_brain`.
        available: Controls that act in this training.
        known: Hyperparameters whose values are true ones.
        measured: What it sees beside losses and progress.
    """
    turned = controls_of(brain.schema).names
    here = [name for name in turned if name in available] or ["nothing"]
    without = [name for name in CONTROLS if name in turned and name not in available] or ["nothing"]
    return (
        f"controls: {', '.join(here)} (not here: {', '.join(without)}); "
        f"sees: {', '.join(('losses', 'progress', *measured, *known))}"
    )
