"""The reward of a decision; the equations are numbered in README.md. Pure Python, no Keras.

Improvements are measured in nats: p_t = clip(log(L_0 / E_t), -1, 5), where L_0 is the validation
loss before training and E_t its moving average. A reward pays for what p_t has gained over the
level that was paid before, at most 1 at a time; the rest is paid later. So the rewards of an
episode add up to the improvement, and a loss that is first driven up and then down again pays
nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.errors import UsageError
from training_control.observations import SMALLEST_LOSS, SMOOTHING

Values = float | np.ndarray  # of one training, or of several [N]
WORST, BEST = -1.0, 5.0  # nats of improvement that count


@dataclass(frozen=True)
class RewardConfig:
    """Prices and weights.

    Attributes:
        clip: Largest payment for one interval, above 0.
        intervention: Price of a decision that changed something, 0 or above.
        overhead: Price of the controller's time, for each interval's worth of training.
        time: Price of the training's time, for a whole budget's worth at the starting values.
        terminal: Weight of the score at the end; above 1, it outweighs all payments before.

    Raises:
        UsageError: On construction, if a value is out of range.
    """

    clip: float = 1.0
    intervention: float = 0.01
    overhead: float = 1.0
    time: float = 0.1
    terminal: float = 2.0

    def __post_init__(self) -> None:
        if not self.clip > 0 or not math.isfinite(self.clip):
            raise UsageError(f"expected a reward clip above 0, received {self.clip}: try 1.0")
        for name in ("intervention", "overhead", "time", "terminal"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"expected a reward's {name} of 0 or above, received {value}")


@dataclass(frozen=True)
class Interval:
    """What a reward is computed from: of one training, or of several as arrays [N].

    Attributes:
        validation_loss: After the interval.
        intervened: Whether the decision changed a value.
        overhead: The controller's time over the interval's training time.
        time: The interval's time over the whole budget's at the starting values.
        trouble: Whether the interval diverged or was rolled back.
        ended: Whether the episode ends here.
        final_loss: Validation loss of the final weights; None or infinity where the training is
            lost.
    """

    validation_loss: Values
    intervened: bool | np.ndarray = False
    overhead: Values = 0.0
    time: Values = 0.0
    trouble: bool | np.ndarray = False
    ended: bool | np.ndarray = False
    final_loss: Values | None = None


def gain(first: Values, loss: Values) -> Any:
    """Return the improvement from `first` to `loss` in nats, clipped to [-1, 5]: float or [N].

    A loss that is not finite is the worst.
    """
    known = np.isfinite(loss)
    ratio = _log(first) - _log(np.where(known, loss, 1.0))
    return np.where(known, np.clip(ratio, WORST, BEST), WORST)[()]


def _log(loss: Values) -> Any:
    return np.log(np.maximum(loss, SMALLEST_LOSS))


class Rewarder:
    """Rewards of one episode, or of several side by side."""

    def __init__(self, first_loss: Values, config: RewardConfig | None = None) -> None:
        """Start an episode.

        Args:
            first_loss: Validation loss before training, finite; [N] for several trainings.
            config: Prices; the defaults when None.

        Raises:
            UsageError: The first loss is not finite.
        """
        if not np.isfinite(first_loss).all():
            raise UsageError(
                f"expected a finite validation loss before training, received {first_loss}: "
                "start with other weights or another learning rate"
            )
        self._config = RewardConfig() if config is None else config
        self._first = np.asarray(first_loss, float)
        self._smooth = np.asarray(_log(first_loss))
        self._level = np.zeros_like(self._first)

    def restart(self, rows: np.ndarray, first_loss: np.ndarray) -> None:
        """Start new episodes in some places, int [rows], with their first losses [rows]."""
        self._first[rows] = first_loss
        self._smooth[rows] = _log(first_loss)
        self._level[rows] = 0.0

    def reward(self, interval: Interval) -> Any:
        """Return the reward of one decision, bounded: float or [N].

        An interval in trouble pays -1 in place of its improvement.
        """
        config = self._config
        value = -config.intervention * np.asarray(interval.intervened, float)
        value = value - config.overhead * np.clip(interval.overhead, 0.0, 1.0)
        value = value - config.time * np.clip(interval.time, 0.0, 1.0)
        trouble = np.asarray(interval.trouble, bool)
        value = value + np.where(trouble, -1.0, self._improvement(interval, trouble))
        final = math.inf if interval.final_loss is None else interval.final_loss
        return value + np.where(interval.ended, config.terminal * gain(self._first, final), 0.0)

    def _improvement(self, interval: Interval, trouble: np.ndarray) -> Any:
        """Return what is paid; where there was trouble, nothing is paid and nothing changes."""
        loss = np.asarray(interval.validation_loss, float)
        known = np.isfinite(loss) & ~trouble
        smooth = self._smooth + SMOOTHING * (_log(np.where(known, loss, 1.0)) - self._smooth)
        self._smooth = np.where(known, smooth, self._smooth)
        with np.errstate(over="ignore"):
            reached = gain(self._first, np.where(known, np.exp(self._smooth), math.inf))
        limit = self._config.clip
        paid = np.where(trouble, 0.0, np.clip(reached - self._level, -limit, limit))
        self._level = self._level + paid
        return paid

    def state(self) -> dict[str, float]:
        """Return everything but the configuration, as JSON values; of one training."""
        known = (("first", self._first), ("smooth", self._smooth), ("level", self._level))
        return {name: float(value) for name, value in known}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from where `state` was taken."""
        self._first = np.asarray(state["first"])
        self._smooth, self._level = np.asarray(state["smooth"]), np.asarray(state["level"])


class ReturnScale:
    """Divides rewards by the running deviation of discounted returns; the mean is not touched.

    Attributes:
        frozen: Whether it learns nothing more. So it is where rewards are evaluated: in a brain
            that only acts (`brain.frozen`). Meta-validation and comparisons measure losses and
            scores, and use no scale at all.
    """

    def __init__(self, gamma: float = 0.99, clip: float = 10.0) -> None:
        """Start with a deviation of 1.

        Args:
            gamma: Discount in [0, 1].
            clip: Scaled rewards lie in [-clip, clip].

        Raises:
            UsageError: A discount outside [0, 1].
        """
        if not 0.0 <= gamma <= 1.0:
            raise UsageError(f"expected a gamma in [0, 1], received {gamma}: try 0.99")
        self.frozen = False
        self._gamma, self._clip = gamma, clip
        self._return: Any = 0.0
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    @property
    def deviation(self) -> float:
        """The returns' standard deviation; 1 before there are two."""
        if self._count < 2 or self._squares <= 0.0:
            return 1.0
        return math.sqrt(self._squares / self._count)

    def __call__(self, reward: Values, ended: bool | np.ndarray) -> Any:
        """Return the scaled reward; learn from it unless frozen (at evaluation): float or [N].

        Args:
            reward: As paid; [N] from several trainings, the same ones in each call.
            ended: Whether the episode ends with it.
        """
        if not self.frozen:
            before = self._return if np.shape(self._return) == np.shape(reward) else 0.0
            returns = self._gamma * before + np.asarray(reward)
            self._learn(returns)
            self._return = np.where(ended, 0.0, returns)[()]
        return np.clip(reward / (self.deviation + 1e-8), -self._clip, self._clip)

    def _learn(self, returns: np.ndarray) -> None:
        """Merge the moments of new returns into those of all (Chan, Golub, LeVeque 1979)."""
        more, mean = returns.size, float(returns.mean())
        count, delta = self._count + more, mean - self._mean
        self._squares += float(((returns - mean) ** 2).sum())
        self._squares += delta**2 * self._count * more / count
        self._mean += delta * more / count
        self._count = count

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "gamma": self._gamma,
            "clip": self._clip,
            "return": np.asarray(self._return).tolist(),
            "count": self._count,
            "mean": self._mean,
            "squares": self._squares,
            "frozen": self.frozen,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._gamma, self._clip, self.frozen = state["gamma"], state["clip"], state["frozen"]
        self._return, self._count = np.asarray(state["return"])[()], state["count"]
        self._mean, self._squares = state["mean"], state["squares"]
