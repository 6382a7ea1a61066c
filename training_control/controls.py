"""The seven hyperparameters that an agent may turn during a training. Pure functions, no Keras.

A discrete action is a number of moves, one for each control: `x0.5 x0.9 keep x1.1 x2` for rates,
coarser ones where small steps mean nothing. A continuous action is a box [-1, 1] of exponents:
`value * 2**a`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_core.errors import UsageError

if TYPE_CHECKING:
    import gymnasium as gym

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
KEEP = "keep"
RATE_MOVES = ("x0.5", "x0.9", KEEP, "x1.1", "x2")
SIZE_MOVES = ("x0.5", KEEP, "x2")


@dataclass(frozen=True)
class Control:
    """One hyperparameter's range and moves.

    Attributes:
        name: A field of `Hyperparameters`.
        low: Smallest value that an agent sets; 0 for the optimizer.
        high: Largest value that an agent sets; the last index for the optimizer.
        moves: Labels of the discrete moves: "keep", a factor "xF", a difference "+D" or "-D", or
            the name of an optimizer.
        whole: Whether values are whole numbers.
    """

    name: str
    low: float
    high: float
    moves: tuple[str, ...]
    whole: bool = False

    @property
    def keep(self) -> int:
        """Index of the move that changes nothing."""
        return self.moves.index(KEEP)


CONTROLS: Mapping[str, Control] = MappingProxyType(
    {
        control.name: control
        for control in (
            Control("learning_rate", 1e-5, 1e-1, RATE_MOVES),
            Control("dropout", 0.1, 0.7, RATE_MOVES),
            Control("weight_decay", 1e-6, 1e-1, RATE_MOVES),
            Control("optimizer", 0, len(OPTIMIZERS) - 1, (KEEP, *OPTIMIZERS)),
            Control("batch_size", 16, 128, SIZE_MOVES, whole=True),
            Control("layers", 1, 4, ("-1", KEEP, "+1"), whole=True),
            Control("units", 32, 256, SIZE_MOVES, whole=True),
        )
    }
)


@dataclass(frozen=True)
class Hyperparameters:
    """Current values; they may lie outside the ranges until an agent first decides.

    Attributes:
        learning_rate: Step size, above 0.
        dropout: Share of values that are dropped, in [0, 1).
        weight_decay: 0 or above; decoupled for AdamW, added to the gradient for the others.
        optimizer: One of `OPTIMIZERS`.
        batch_size: Examples in a step, at least 1.
        layers: Hidden layers of the model's live stack, at least 1.
        units: Width of those layers, at least 1.

    Raises:
        UsageError: On construction, if a value cannot be trained with.
    """

    learning_rate: float = 1e-3
    dropout: float = 0.5
    weight_decay: float = 1e-4
    optimizer: str = "adam"
    batch_size: int = 32
    layers: int = 2
    units: int = 64

    def __post_init__(self) -> None:
        rules = (
            ("learning_rate", _finite(self.learning_rate) and self.learning_rate > 0, "above 0"),
            ("dropout", _finite(self.dropout) and 0 <= self.dropout < 1, "in [0, 1)"),
            ("weight_decay", _finite(self.weight_decay) and self.weight_decay >= 0, "from 0"),
            ("optimizer", self.optimizer in OPTIMIZERS, f"among {', '.join(OPTIMIZERS)}"),
            *((name, _is_count(getattr(self, name)), "whole, from 1") for name in WHOLE),
        )
        for name, good, wanted in rules:
            if not good:
                raise UsageError(f"expected {name} {wanted}, received {getattr(self, name)!r}")

    def values(self) -> dict[str, float | int | str]:
        """Return the values by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


WHOLE = tuple(name for name, control in CONTROLS.items() if control.whole)
Action = tuple[int, ...] | tuple[float, ...]  # a move's index, or an exponent, for each control


def _finite(value: Any) -> bool:
    return isinstance(value, int | float | np.floating) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def clipped(name: str, value: float) -> float | int:
    """Return a numeric control's value inside its range, rounded where it is whole."""
    control = CONTROLS[name]
    inside = min(max(value, control.low), control.high)
    return round(inside) if control.whole else inside


def moved(name: str, value: float | str, move: int) -> float | int | str:
    """Return a control's value after a discrete move, inside its range.

    Args:
        name: The control.
        value: Before; it may lie outside the range, then even "keep" clips.
        move: Index into the control's moves.
    """
    label = CONTROLS[name].moves[move]
    if name == "optimizer":
        return value if label == KEEP else label
    number = float(value)
    if label == KEEP:
        return clipped(name, number)
    return clipped(name, number * float(label[1:]) if label[0] == "x" else number + float(label))


def scaled(name: str, value: float | str, exponent: float) -> float | int | str:
    """Return a control's value after a continuous action in [-1, 1], inside its range.

    Layers take the nearest whole difference; [-1, 1] of the optimizer is five equal parts: sgd,
    adam, the present one, adamw, rmsprop.
    """
    if name == "optimizer":
        part = min(int((exponent + 1.0) / 0.4), 4)
        return ("sgd", "adam", str(value), "adamw", "rmsprop")[part]
    number = float(value)
    return clipped(name, number + round(exponent) if name == "layers" else number * 2.0**exponent)


@dataclass(frozen=True)
class ControlSet:
    """The controls of one agent, in order, and the form of its actions.

    Attributes:
        names: Controls, each once.
        continuous: A box [-1, 1] instead of discrete moves.
        flat: Several discrete controls as one number, for DQN: 0 keeps everything, and each other
            number is one move of one control. So the actions add up where a product would explode.

    Raises:
        UsageError: On construction: no control, an unknown one, one twice, or a flat box.
    """

    names: tuple[str, ...] = ("learning_rate",)
    continuous: bool = False
    flat: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in CONTROLS]
        if not self.names or unknown or len(set(self.names)) != len(self.names):
            raise UsageError(
                f"expected different controls among {', '.join(CONTROLS)}, received "
                f"{', '.join(map(str, self.names)) or 'none'}: name each once"
            )
        if self.continuous and self.flat:
            raise UsageError(
                "expected discrete moves to flatten, received continuous ones: choose one form"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of discrete moves of each control."""
        return tuple(len(CONTROLS[name].moves) for name in self.names)

    def flat_moves(self) -> list[tuple[str, int]]:
        """Return (control, move) for the flat actions 1, 2, ...; 0 keeps everything."""
        return [
            (name, move)
            for name in self.names
            for move in range(len(CONTROLS[name].moves))
            if move != CONTROLS[name].keep
        ]

    def keep(self) -> Action:
        """Return the action that changes nothing (but clips)."""
        if self.continuous:
            return (0.0,) * len(self.names)
        return tuple(CONTROLS[name].keep for name in self.names)

    def labels(self) -> list[str]:
        """Return a name for each action of a Discrete space, such as "learning_rate x2"."""
        if len(self.names) == 1:
            (name,) = self.names
            return [f"{name} {move}" for move in CONTROLS[name].moves]
        moves = [f"{name} {CONTROLS[name].moves[move]}" for name, move in self.flat_moves()]
        return [KEEP, *moves]

    def space(self) -> "gym.Space[Any]":
        """Return the Gymnasium space: Discrete, MultiDiscrete, or Box float32 [controls]."""
        import gymnasium as gym

        if self.continuous:
            return gym.spaces.Box(-1.0, 1.0, (len(self.names),), np.float32)
        if len(self.names) == 1:
            return gym.spaces.Discrete(self.sizes[0])
        if self.flat:
            return gym.spaces.Discrete(1 + len(self.flat_moves()))
        return gym.spaces.MultiDiscrete(np.asarray(self.sizes))

    def decode(self, action: Any) -> Action | None:
        """Return an action of `space` as a move or exponent for each control.

        Returns:
            None for what is not finite, has another length or lies outside the space: such an
            action is to be ignored and counted.
        """
        try:
            numbers = np.asarray(action, np.float64).reshape(-1)
        except (TypeError, ValueError):
            return None
        if not np.isfinite(numbers).all():
            return None
        if self.continuous:
            inside = len(numbers) == len(self.names) and bool((np.abs(numbers) <= 1.0).all())
            return tuple(float(number) for number in numbers) if inside else None
        if not (numbers == np.floor(numbers)).all():
            return None
        return self._moves([int(number) for number in numbers])

    def moves_of(self, actions: np.ndarray) -> np.ndarray:
        """Return several discrete actions of `space` as moves of each control, int [N, controls].

        Args:
            actions: int [N], or [N, controls] where several controls are not flat; all inside.
        """
        if not self.flat or len(self.names) == 1:
            return actions.reshape(len(actions), len(self.names))
        keep = [CONTROLS[name].keep for name in self.names]
        table = np.array([keep] * (1 + len(self.flat_moves())))
        for number, (name, move) in enumerate(self.flat_moves(), 1):
            table[number, self.names.index(name)] = move
        return np.asarray(table[actions])

    def _moves(self, numbers: Sequence[int]) -> Action | None:
        if self.flat and len(self.names) > 1:
            flat = self.flat_moves()
            if len(numbers) != 1 or not 0 <= numbers[0] <= len(flat):
                return None
            name, move = flat[numbers[0] - 1] if numbers[0] > 0 else ("", 0)
            return tuple(move if n == name else CONTROLS[n].keep for n in self.names)
        if len(numbers) != len(self.names):
            return None
        inside = all(0 <= number < size for number, size in zip(numbers, self.sizes, strict=True))
        return tuple(numbers) if inside else None

    def apply(
        self, values: Hyperparameters, action: Action, available: Sequence[str] | None = None
    ) -> Hyperparameters:
        """Return the values after an action.

        Args:
            values: Before.
            action: From `decode`.
            available: Controls that the training offers; others stay as they are. None for all.
        """
        act: Callable[[str, Any, Any], Any] = scaled if self.continuous else moved
        changes: dict[str, Any] = {
            name: act(name, getattr(values, name), part)
            for name, part in zip(self.names, action, strict=True)
            if available is None or name in available
        }
        return replace(values, **changes)


def changes(before: Hyperparameters, after: Hyperparameters) -> dict[str, float | int | str]:
    """Return the new values of what differs."""
    old = before.values()
    return {name: value for name, value in after.values().items() if value != old[name]}
