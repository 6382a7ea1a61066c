"""What an agent sees of a training: one float32 vector of fixed length, never NaN.

`FEATURES` names its entries. The first ones are values; then `has_X` says whether the values that
come from source X are known in this training, and `can_X` whether control X acts on it. A value
that is not known is 0. Everything is scaled to about one and clipped to [-10, 10].
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
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
SOURCE_OF = [SOURCES.index(source) for source in VALUES.values()]
FIRST_OF = [SOURCE_OF.index(number) for number in range(len(SOURCES))]  # its first value's place
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


class Tracks:
    """A positive quantity over time in several trainings: its logarithm, smoothed, with slopes.

    Attributes:
        known: Whether the newest value was, bool [N].
        first: First logarithm, float64 [N]; NaN before there is one, as in `smooth`.
        smooth: Its moving average.
        best: The least of that; infinity before there is one.
    """

    def __init__(self, count: int) -> None:
        """Start `count` trainings without values."""
        self.known = np.zeros(count, bool)
        self.first = np.full(count, np.nan)
        self.smooth = np.full(count, np.nan)
        self.best = np.full(count, np.inf)
        self._smoothed = np.zeros((count, LONG))  # the newest last, zeros before the first
        self._raw = np.zeros((count, LONG))
        self._filled = np.zeros(count, int)

    def restart(self, rows: np.ndarray) -> None:
        """Forget the values of some trainings, int [rows]."""
        self.known[rows] = False
        self.first[rows] = self.smooth[rows] = np.nan
        self.best[rows] = np.inf
        self._smoothed[rows] = self._raw[rows] = 0.0
        self._filled[rows] = 0

    def add(self, values: np.ndarray) -> None:
        """Take the next values [N]; one that is not finite leaves its training as it was."""
        self.known = known = np.isfinite(values)
        logs = np.log(np.maximum(np.where(known, values, 1.0), SMALLEST_LOSS))
        self.first = np.where(known & np.isnan(self.first), logs, self.first)
        before = np.where(np.isnan(self.smooth), logs, self.smooth)
        self.smooth = np.where(known, before + SMOOTHING * (logs - before), self.smooth)
        self.best = np.where(known, np.minimum(self.best, self.smooth), self.best)
        self._smoothed = _pushed(self._smoothed, self.smooth, known)
        self._raw = _pushed(self._raw, logs, known)
        self._filled = np.minimum(self._filled + known, LONG)

    def slope(self, window: int) -> np.ndarray:
        """Return the least-squares slopes [N] of the last `window` smoothed logs per interval."""
        weights = SLOPES[np.minimum(self._filled, window)]
        return (self._smoothed * weights).sum(1)

    def noise(self) -> np.ndarray:
        """Return the standard deviations [N] of the raw logs' differences."""
        used = np.arange(LONG - 1) >= LONG - self._filled[:, None]
        count = np.maximum(self._filled - 1, 1)[:, None]
        steps = np.where(used, np.diff(self._raw), 0.0)
        apart = np.where(used, steps - steps.sum(1, keepdims=True) / count, 0.0)
        found = np.sqrt((apart**2).sum(1) / count[:, 0])
        return np.where(self._filled > 2, found, 0.0)

    def state(self) -> dict[str, Any]:
        """Return the first training's values for JSON."""
        start = LONG - int(self._filled[0])
        return {
            "first": _or_none(self.first[0]),
            "smooth": _or_none(self.smooth[0]),
            "best": _or_none(self.best[0]),
            "known": bool(self.known[0]),
            "smoothed": self._smoothed[0, start:].tolist(),
            "raw": self._raw[0, start:].tolist(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over `state`'s values as those of the first training."""
        self.restart(np.array([0]))
        self.known[0] = state["known"]
        for name in ("first", "smooth", "best"):
            if state[name] is not None:
                getattr(self, name)[0] = state[name]
        self._filled[0] = count = len(state["raw"])
        self._smoothed[0, LONG - count :] = state["smoothed"]
        self._raw[0, LONG - count :] = state["raw"]


def _pushed(history: np.ndarray, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    later = np.concatenate([history[:, 1:], values[:, None]], 1)
    return np.where(known[:, None], later, history)


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _slope_weights(count: int) -> np.ndarray:
    """Return what the last `count` of LONG values weigh in a least-squares slope, [LONG]."""
    times = np.arange(LONG) - (LONG - 1) + (count - 1) / 2
    times = np.where(np.arange(LONG) >= LONG - count, times, 0.0)
    return times / (times @ times) if count > 1 else np.zeros(LONG)


SLOPES = np.array([_slope_weights(count) for count in range(LONG + 1)])
TRACKED = ("train_loss", "validation_loss", "gradient_norm")


class Observers:
    """Turns measurements of several trainings, side by side, into observations."""

    def __init__(self, count: int) -> None:
        """Start `count` trainings: everything is shown, every control acts."""
        self._hidden = np.zeros((count, len(SOURCES)), bool)
        self._available = np.ones((count, len(CONTROLS)), bool)
        self._tracks = {name: Tracks(count) for name in TRACKED}
        self._first_rate = np.full(count, np.nan)
        self._intervals = np.zeros(count, int)
        self._interventions = np.zeros(count, int)
        self._since = np.zeros(count, int)

    def restart(
        self, row: int, available: Collection[str] = tuple(CONTROLS), hidden: Collection[str] = ()
    ) -> None:
        """Start a new training in one place.

        Args:
            row: Which of them.
            available: Controls that act on it; the others' `can_` entries are 0.
            hidden: Sources of `SOURCES` that are to look unknown, as in meta-training.

        Raises:
            UsageError: An unknown control or source.
        """
        for given, known in ((available, tuple(CONTROLS)), (hidden, SOURCES)):
            for name in given:
                if name not in known:
                    raise UsageError(f"expected one of {', '.join(known)}, received {name!r}")
        self._hidden[row] = [source in hidden for source in SOURCES]
        self._available[row] = [name in available for name in CONTROLS]
        for track in self._tracks.values():
            track.restart(np.array([row]))
        self._first_rate[row] = np.nan
        self._intervals[row] = self._interventions[row] = self._since[row] = 0

    def observe(self, seen: Mapping[str, np.ndarray]) -> np.ndarray:
        """Take in one interval of each and return what the agent sees, float32 [N, features].

        Args:
            seen: Arrays [N] by name: the fields of `Measurement`, and hyperparameters by their own
                names (the optimizer as indices into `OPTIMIZERS`). NaN is not known, and what is
                not there at all neither.
        """
        nothing = np.full(len(self._intervals), np.nan)
        for name, track in self._tracks.items():
            track.add(seen.get(name, nothing))
        intervened = seen["intervened"].astype(bool)
        self._intervals = self._intervals + 1
        self._interventions = self._interventions + intervened
        self._since = np.where(intervened, 0, self._since + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # clipped below
            values = self._hyperparameters(seen) | self._losses() | self._rest(seen)
        table = np.stack([values.get(name, nothing) for name in VALUES], 1)
        table[self._hidden[:, SOURCE_OF]] = np.nan
        known = ~np.isnan(table)
        shown = (np.where(known, table, 0.0), known[:, FIRST_OF], self._available)
        return np.clip(np.concatenate(shown, 1), -LIMIT, LIMIT).astype(np.float32)

    def _hyperparameters(self, seen: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = {
            name: _scaled(name, seen[name])
            for name in CONTROLS
            if name in seen and name != "optimizer"
        }
        if "optimizer" in seen:
            used = seen["optimizer"]
            unknown = np.where(np.isnan(used), np.nan, 0.0)
            values |= {f"optimizer_{n}": (used == k) + unknown for k, n in enumerate(OPTIMIZERS)}
        if "learning_rate" in seen:
            rate = np.log10(np.maximum(seen["learning_rate"], SMALLEST_LOSS))
            self._first_rate = np.where(np.isnan(self._first_rate), rate, self._first_rate)
            values["learning_rate_change"] = rate - self._first_rate
        return values

    def _losses(self) -> dict[str, np.ndarray]:
        values: dict[str, np.ndarray] = {}
        train, held = self._tracks["train_loss"], self._tracks["validation_loss"]
        for name, track in (("train", train), ("validation", held)):
            unknown = np.where(track.known, 0.0, np.nan)
            values[f"{name}_loss"] = track.smooth + unknown
            values[f"{name}_gain"] = track.first - track.smooth + unknown
            values[f"{name}_slope_short"] = 5.0 * track.slope(SHORT) + unknown
            values[f"{name}_slope_long"] = 5.0 * track.slope(LONG) + unknown
        unknown = np.where(held.known, 0.0, np.nan)
        values["validation_above_best"] = 5.0 * (held.smooth - held.best) + unknown
        values["validation_noise"] = 5.0 * held.noise() + unknown
        values["gap"] = np.where(train.known & held.known, held.smooth - train.smooth, np.nan)
        return values

    def _rest(self, seen: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = {
            "since_intervention": np.minimum(self._since / LONG_TIME, 1.0),
            "intervention_share": self._interventions / self._intervals,
            "trouble": seen["trouble"].astype(float),
        }
        norms = self._tracks["gradient_norm"]
        unknown = np.where(norms.known, 0.0, np.nan)
        values["gradient_norm"] = norms.smooth / math.log(10.0) + unknown
        values["gradient_norm_change"] = norms.smooth - norms.first + unknown
        if "update_ratio" in seen:
            ratio = _finite(seen["update_ratio"])
            values["update_ratio"] = np.log10(np.maximum(ratio, SMALLEST_LOSS)) + 3.0
        for name in ("metric", "progress"):
            if name in seen:
                values[name] = 2.0 * _finite(seen[name]) - 1.0
        return values


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
        self._one = Observers(1)
        self._restart(available, hidden)

    def _restart(self, available: Collection[str], hidden: Collection[str]) -> None:
        self._one.restart(0, available, hidden)
        self._available, self._hidden = tuple(available), tuple(hidden)

    def observe(self, measurement: Measurement) -> np.ndarray:
        """Take in one interval and return what the agent sees, float32 [len(FEATURES)].

        Raises:
            UsageError: The measurement holds a hyperparameter that does not exist.
        """
        seen = {name: np.array([_number(name, v)]) for name, v in _entries(measurement).items()}
        observation: np.ndarray = self._one.observe(seen)[0]
        return observation

    def state(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        one = self._one
        return {
            "available": list(self._available),
            "hidden": list(self._hidden),
            "tracks": {name: track.state() for name, track in one._tracks.items()},
            "first_rate": _or_none(one._first_rate[0]),
            "counts": [int(n[0]) for n in (one._intervals, one._interventions, one._since)],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._restart(state["available"], state["hidden"])
        one = self._one
        for name, track in one._tracks.items():
            track.load_state(state["tracks"][name])
        if state["first_rate"] is not None:
            one._first_rate[0] = state["first_rate"]
        one._intervals[0], one._interventions[0], one._since[0] = state["counts"]


def _entries(measurement: Measurement) -> dict[str, Any]:
    known = dict(measurement.hyperparameters)
    for name in known:
        if name not in CONTROLS:
            raise UsageError(f"expected one of {', '.join(CONTROLS)}, received {name!r}")
    others = {item.name: getattr(measurement, item.name) for item in fields(measurement)}
    return {**known, **{n: v for n, v in others.items() if n != "hyperparameters"}}


def _number(name: str, value: Any) -> float:
    if name == "optimizer":
        return float(OPTIMIZERS.index(value)) if value in OPTIMIZERS else math.nan
    return math.nan if value is None else float(value)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _scaled(name: str, values: np.ndarray) -> np.ndarray:
    """Return a numeric hyperparameter so that its range is about [-1, 1]; NaN if not finite."""
    control = CONTROLS[name]
    low, high, values = control.low, control.high, _finite(values)
    if name not in ("dropout", "layers"):  # the others are felt by their ratios
        low, high = math.log(low), math.log(high)
        values = np.log(np.maximum(values, SMALLEST_LOSS))
    return (2.0 * values - low - high) / (high - low)
