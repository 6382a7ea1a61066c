"""What an agent sees of a training: one float32 vector of fixed length, never NaN.

`FEATURES` names its entries. The first ones are values; then `has_X` says whether the values that
come from source X are known in this training, and `can_X` whether control X acts on it. A value
that is not known is 0. Everything is scaled to about one and clipped to [-10, 10].
"""

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_core.errors import UsageError
from training_control.controls import CONTROLS, OPTIMIZERS

if TYPE_CHECKING:
    import gymnasium as gym

LIMIT = 10.0
SMOOTHING = 0.5  # weight of the newest loss in its moving average
SHORT, LONG = 3, 8  # intervals that slopes look back over
SMALLEST_LOSS = 1e-8
LONG_TIME = 10.0  # intervals after which "since the last intervention" reads 1

# Each value and the source that it comes from.
VALUES: Mapping[str, str] = {
    "learning_rate": "learning_rate",
    "learning_rate_change": "learning_rate",
    "dropout": "dropout",
    "weight_decay": "weight_decay",
    **{f"optimizer_{name}": "optimizer" for name in OPTIMIZERS},
    "batch_size": "batch_size",
    "layers": "layers",
    "units": "units",
    "train_loss": "train_loss",
    "train_gain": "train_loss",
    "train_slope_short": "train_loss",
    "train_slope_long": "train_loss",
    "validation_loss": "validation_loss",
    "validation_gain": "validation_loss",
    "validation_slope_short": "validation_loss",
    "validation_slope_long": "validation_loss",
    "validation_above_best": "validation_loss",
    "validation_noise": "validation_loss",
    "gap": "gap",
    "metric": "metric",
    "gradient_norm": "gradient_norm",
    "gradient_norm_change": "gradient_norm",
    "update_ratio": "update_ratio",
    "progress": "progress",
    "since_intervention": "interventions",
    "intervention_share": "interventions",
    "trouble": "interventions",
}
SOURCES = tuple(dict.fromkeys(VALUES.values()))
FEATURES: tuple[str, ...] = (
    *VALUES,
    *(f"has_{source}" for source in SOURCES),
    *(f"can_{name}" for name in CONTROLS),
)


@dataclass(frozen=True)
class Measurement:
    """What one decision interval has shown. None, NaN and infinity mean: not known.

    Attributes:
        hyperparameters: Known values by control name, those that the interval was trained with.
        train_loss: Mean over the interval, in nats.
        validation_loss: After the interval.
        metric: Validation metric in [0, 1], more is better.
        gradient_norm: Mean Euclidean norm of the whole gradient.
        update_ratio: Mean norm of an update over the norm of the weights.
        progress: Part of the budget that is used, in [0, 1].
        intervened: Whether the decision before this interval changed a value.
        trouble: Whether a loss was not finite, or the interval was rolled back.
    """

    hyperparameters: Mapping[str, float | int | str] = field(default_factory=dict)
    train_loss: float | None = None
    validation_loss: float | None = None
    metric: float | None = None
    gradient_norm: float | None = None
    update_ratio: float | None = None
    progress: float | None = None
    intervened: bool = False
    trouble: bool = False


def observation_space() -> "gym.Space[Any]":
    """Return the box of all observations, float32 [len(FEATURES)]."""
    import gymnasium as gym

    return gym.spaces.Box(-LIMIT, LIMIT, (len(FEATURES),), np.float32)


class Track:
    """A positive quantity over time: its logarithm, smoothed, with slopes."""

    def __init__(self) -> None:
        """Start without values."""
        self.first: float | None = None
        self.smooth: float | None = None
        self.best = math.inf
        self.known = False  # whether the newest value was
        self._smoothed: deque[float] = deque(maxlen=LONG)
        self._raw: deque[float] = deque(maxlen=LONG)

    def add(self, value: float | None) -> None:
        """Take the next value; one that is not finite leaves everything as it was."""
        self.known = value is not None and math.isfinite(value)
        if value is None or not self.known:
            return
        log = math.log(max(value, SMALLEST_LOSS))
        self.first = log if self.first is None else self.first
        before = log if self.smooth is None else self.smooth
        self.smooth = before + SMOOTHING * (log - before)
        self.best = min(self.best, self.smooth)
        self._smoothed.append(self.smooth)
        self._raw.append(log)

    def slope(self, window: int) -> float:
        """Return the least-squares slope of the last `window` smoothed logs per interval."""
        values = np.array(self._smoothed)[-window:]
        if len(values) < 2:
            return 0.0
        times = np.arange(len(values)) - (len(values) - 1) / 2
        return float(times @ values / (times @ times))

    def noise(self) -> float:
        """Return the standard deviation of the raw logs' differences."""
        return float(np.std(np.diff(self._raw))) if len(self._raw) > 2 else 0.0

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "first": self.first,
            "smooth": self.smooth,
            "best": self.best if math.isfinite(self.best) else None,
            "known": self.known,
            "smoothed": list(self._smoothed),
            "raw": list(self._raw),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over `state`'s values."""
        self.first, self.smooth, self.known = state["first"], state["smooth"], state["known"]
        self.best = math.inf if state["best"] is None else state["best"]
        self._smoothed = deque(state["smoothed"], maxlen=LONG)
        self._raw = deque(state["raw"], maxlen=LONG)


TRACKED = ("train_loss", "validation_loss", "gradient_norm")


class Observer:
    """Turns measurements into observations; one for each training."""

    def __init__(
        self, available: Collection[str] = tuple(CONTROLS), hidden: Collection[str] = ()
    ) -> None:
        """Start a training.

        Args:
            available: Controls that act on it; the others' `can_` entries are 0.
            hidden: Sources of `SOURCES` that are to look unknown, as in meta-training.

        Raises:
            UsageError: An unknown control or source.
        """
        for given, known in ((available, tuple(CONTROLS)), (hidden, SOURCES)):
            for name in given:
                if name not in known:
                    raise UsageError(f"expected one of {', '.join(known)}, received {name!r}")
        self._available, self._hidden = tuple(available), tuple(hidden)
        self._tracks = {name: Track() for name in TRACKED}
        self._first_rate: float | None = None
        self._intervals = self._interventions = self._since = 0

    def observe(self, measurement: Measurement) -> np.ndarray:
        """Take in one interval and return what the agent sees, float32 [len(FEATURES)].

        Raises:
            UsageError: The measurement holds a hyperparameter that does not exist.
        """
        for name, track in self._tracks.items():
            track.add(getattr(measurement, name))
        self._intervals += 1
        self._interventions += measurement.intervened
        self._since = 0 if measurement.intervened else self._since + 1
        values = self._hyperparameters(measurement.hyperparameters) | self._losses()
        values |= self._rest(measurement)
        seen = {name: v for name, v in values.items() if VALUES[name] not in self._hidden}
        known = {VALUES[name] for name in seen}
        entries = [seen.get(name, 0.0) for name in VALUES]
        entries += [float(source in known) for source in SOURCES]
        entries += [float(name in self._available) for name in CONTROLS]
        return np.clip(np.array(entries), -LIMIT, LIMIT).astype(np.float32)

    def _hyperparameters(self, known: Mapping[str, float | int | str]) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, value in known.items():
            if name not in CONTROLS:
                raise UsageError(f"expected one of {', '.join(CONTROLS)}, received {name!r}")
            if name == "optimizer":
                values |= {f"optimizer_{item}": float(item == value) for item in OPTIMIZERS}
            elif math.isfinite(float(value)):
                values[name] = _scaled(name, float(value))
        if "learning_rate" in values:
            rate = math.log10(max(float(known["learning_rate"]), SMALLEST_LOSS))
            self._first_rate = rate if self._first_rate is None else self._first_rate
            values["learning_rate_change"] = rate - self._first_rate
        return values

    def _losses(self) -> dict[str, float]:
        values: dict[str, float] = {}
        train, held = self._tracks["train_loss"], self._tracks["validation_loss"]
        for name, track in (("train", train), ("validation", held)):
            if track.known and track.smooth is not None and track.first is not None:
                values[f"{name}_loss"] = track.smooth
                values[f"{name}_gain"] = track.first - track.smooth
                values[f"{name}_slope_short"] = 5.0 * track.slope(SHORT)
                values[f"{name}_slope_long"] = 5.0 * track.slope(LONG)
        if held.known and held.smooth is not None:
            values["validation_above_best"] = 5.0 * (held.smooth - held.best)
            values["validation_noise"] = 5.0 * held.noise()
            if train.known and train.smooth is not None:
                values["gap"] = held.smooth - train.smooth
        return values

    def _rest(self, measurement: Measurement) -> dict[str, float]:
        values = {
            "since_intervention": min(self._since / LONG_TIME, 1.0),
            "intervention_share": self._interventions / self._intervals,
            "trouble": float(measurement.trouble),
        }
        norms = self._tracks["gradient_norm"]
        if norms.known and norms.smooth is not None and norms.first is not None:
            values["gradient_norm"] = norms.smooth / math.log(10.0)
            values["gradient_norm_change"] = norms.smooth - norms.first
        ratio = measurement.update_ratio
        if ratio is not None and _known(ratio):
            values["update_ratio"] = math.log10(max(float(ratio), SMALLEST_LOSS)) + 3.0
        for name in ("metric", "progress"):
            value = getattr(measurement, name)
            if _known(value):
                values[name] = 2.0 * value - 1.0
        return values

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "available": list(self._available),
            "hidden": list(self._hidden),
            "tracks": {name: track.state() for name, track in self._tracks.items()},
            "first_rate": self._first_rate,
            "counts": [self._intervals, self._interventions, self._since],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._available, self._hidden = tuple(state["available"]), tuple(state["hidden"])
        for name, track in self._tracks.items():
            track.load_state(state["tracks"][name])
        self._first_rate = state["first_rate"]
        self._intervals, self._interventions, self._since = state["counts"]


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _scaled(name: str, value: float) -> float:
    """Return a numeric hyperparameter so that its range is about [-1, 1]."""
    control = CONTROLS[name]
    low, high = control.low, control.high
    if name not in ("dropout", "layers"):  # the others are felt by their ratios
        value, low, high = (math.log(max(v, SMALLEST_LOSS)) for v in (value, low, high))
    return (2.0 * value - low - high) / (high - low)
