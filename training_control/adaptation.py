"""When to intervene and how often to learn, adapted to how the training goes."""

from dataclasses import asdict, dataclass
from typing import Any

FAST, SLOW = 0.3, 0.05  # weights of the newest reward in its two moving averages
THRESHOLD_STEP = 0.02
THRESHOLDS = (0.05, 0.95)


@dataclass
class Adaptation:
    """Counters that move with each reward.

    While interventions are followed by larger rewards than letting the training go on, the
    threshold falls, else it rises (what has not happened yet counts as the long average). While
    rewards lie above their long average, the agent learns less often; while they lie below, more
    often and longer.

    Attributes:
        threshold: Probability of intervening from which on the agent does, in [0.05, 0.95].
        frequency: Intervals between two trainings of the agent, within `frequencies`.
        frequencies: Smallest and largest.
        fast: Short moving average of rewards.
        slow: Long moving average of rewards.
        with_action: Moving average of rewards after interventions; None before the first.
        without: The same without; None before the first.
    """

    threshold: float
    frequency: int
    frequencies: tuple[int, int]
    fast: float | None = None
    slow: float | None = None
    with_action: float | None = None
    without: float | None = None

    def observe(self, reward: float, intervened: bool) -> None:
        """Take in one interval's reward, finite."""
        self.fast, self.slow = _mix(self.fast, reward, FAST), _mix(self.slow, reward, SLOW)
        self._move_frequency()
        if intervened:
            self.with_action = _mix(self.with_action, reward, FAST)
        else:
            self.without = _mix(self.without, reward, FAST)
        self._move_threshold()

    def _move_threshold(self) -> None:
        acting = self.slow if self.with_action is None else self.with_action
        waiting = self.slow if self.without is None else self.without
        if acting is None or waiting is None or acting == waiting:
            return
        moved = self.threshold + (-THRESHOLD_STEP if acting > waiting else THRESHOLD_STEP)
        self.threshold = min(max(moved, THRESHOLDS[0]), THRESHOLDS[1])

    def _move_frequency(self) -> None:
        low, high = self.frequencies
        if self.fast is None or self.slow is None or self.fast == self.slow:
            return
        self.frequency += 1 if self.fast > self.slow else -1
        self.frequency = min(max(self.frequency, low), high)

    @property
    def eagerness(self) -> float:
        """How often the agent learns, from 0 (as rarely as it may) to 1."""
        low, high = self.frequencies
        return 0.0 if high == low else (high - self.frequency) / (high - low)

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Adaptation":
        """Go on from where `state` was taken."""
        return cls(**{**state, "frequencies": tuple(state["frequencies"])})


def _mix(average: float | None, value: float, weight: float) -> float:
    return value if average is None else average + weight * (value - average)
