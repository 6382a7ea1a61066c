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
    """What a reward is computed from.

    Attributes:
        validation_loss: After the interval.
        intervened: Whether the decision changed a value.
        overhead: The controller's time over the interval's training time.
        time: The interval's time over the whole budget's at the starting values.
        trouble: Whether the interval diverged or was rolled back.
        ended: Whether the episode ends here.
        final_loss: Validation loss of the final weights; None where the training is lost.
    """

    validation_loss: float
    intervened: bool = False
    overhead: float = 0.0
    time: float = 0.0
    trouble: bool = False
    ended: bool = False
    final_loss: float | None = None


def gain(first: float, loss: float) -> float:
    """Return the improvement from `first` to `loss` in nats, clipped to [-1, 5].

    A loss that is not finite is the worst.
    """
    if not math.isfinite(loss):
        return WORST
    ratio = math.log(max(first, SMALLEST_LOSS)) - math.log(max(loss, SMALLEST_LOSS))
    return min(max(ratio, WORST), BEST)


class Rewarder:
    """Rewards of one episode."""

    def __init__(self, first_loss: float, config: RewardConfig | None = None) -> None:
        """Start an episode.

        Args:
            first_loss: Validation loss before training, finite.
            config: Prices; the defaults when None.

        Raises:
            UsageError: The first loss is not finite.
        """
        if not math.isfinite(first_loss):
            raise UsageError(
                f"expected a finite validation loss before training, received {first_loss}: "
                "start with other weights or another learning rate"
            )
        self._config = RewardConfig() if config is None else config
        self._first = first_loss
        self._smooth = math.log(max(first_loss, SMALLEST_LOSS))
        self._level = 0.0

    def reward(self, interval: Interval) -> float:
        """Return the reward of one decision, bounded.

        An interval in trouble pays -1 in place of its improvement.
        """
        config = self._config
        value = -config.intervention * interval.intervened
        value -= config.overhead * min(max(interval.overhead, 0.0), 1.0)
        value -= config.time * min(max(interval.time, 0.0), 1.0)
        value += -1.0 if interval.trouble else self._improvement(interval.validation_loss)
        if interval.ended:
            lost = interval.final_loss is None
            final = math.inf if interval.final_loss is None else interval.final_loss
            value += config.terminal * (WORST if lost else gain(self._first, final))
        return value

    def _improvement(self, loss: float) -> float:
        log = math.log(max(loss, SMALLEST_LOSS)) if math.isfinite(loss) else math.inf
        if math.isfinite(log):
            self._smooth += SMOOTHING * (log - self._smooth)
        reached = gain(self._first, math.exp(self._smooth) if math.isfinite(log) else math.inf)
        paid = min(max(reached - self._level, -self._config.clip), self._config.clip)
        self._level += paid
        return paid

    def state(self) -> dict[str, float]:
        """Return everything but the configuration, as JSON values."""
        return {"first": self._first, "smooth": self._smooth, "level": self._level}

    def load_state(self, state: Mapping[str, float]) -> None:
        """Go on from where `state` was taken."""
        self._first, self._smooth, self._level = state["first"], state["smooth"], state["level"]


class ReturnScale:
    """Divides rewards by the running deviation of discounted returns; the mean is not touched."""

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
        self._return = 0.0
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    @property
    def deviation(self) -> float:
        """The returns' standard deviation; 1 before there are two."""
        if self._count < 2 or self._squares <= 0.0:
            return 1.0
        return math.sqrt(self._squares / self._count)

    def __call__(self, reward: float, ended: bool) -> float:
        """Return the scaled reward; learn from it unless frozen (at evaluation).

        Args:
            reward: As paid.
            ended: Whether the episode ends with it.
        """
        if not self.frozen:
            self._return = self._gamma * self._return + reward
            self._count += 1
            delta = self._return - self._mean
            self._mean += delta / self._count
            self._squares += delta * (self._return - self._mean)
            self._return = 0.0 if ended else self._return
        return float(np.clip(reward / (self.deviation + 1e-8), -self._clip, self._clip))

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "gamma": self._gamma,
            "clip": self._clip,
            "return": self._return,
            "count": self._count,
            "mean": self._mean,
            "squares": self._squares,
            "frozen": self.frozen,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._gamma, self._clip, self.frozen = state["gamma"], state["clip"], state["frozen"]
        self._return, self._count = state["return"], state["count"]
        self._mean, self._squares = state["mean"], state["squares"]
