"""The layers of a chain specification, as frozen data that checks itself."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nas_core.errors import SpecError

ACTIVATIONS = ("linear", "relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid")
LARGEST = 1 << 16
CELLS = ("gru", "lstm")


def _whole(owner: object, name: str, value: Any, smallest: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= LARGEST:
        raise SpecError(
            f"expected {name} of {type(owner).__name__} as a whole number from {smallest} to "
            f"{LARGEST}, received {value!r}: correct the architecture"
        )
    return value


def _pair(owner: object, name: str, value: Any) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise SpecError(f"expected {name} as a number or two, received {value!r}: correct it")
    return _whole(owner, name, pair[0]), _whole(owner, name, pair[1])


def _choice(owner: object, name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SpecError(
            f"expected {name} of {type(owner).__name__} as one of {', '.join(allowed)}, "
            f"received {value!r}: correct the architecture"
        )


@dataclass(frozen=True)
class Layer:
    """One layer of a chain.

    Attributes:
        inputs: Positions of the layers that this one reads, -1 for the image; several are
            concatenated along channels, smaller ones zero-padded (Zoph & Le 2017, section 3.3).
            Empty means the layer just before.
    """

    kind: ClassVar[str] = ""
    inputs: tuple[int, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        for position in self.inputs:
            if isinstance(position, bool) or not isinstance(position, int) or position < -1:
                raise SpecError(f"expected inputs as positions from -1, received {self.inputs!r}")


@dataclass(frozen=True)
class Embedding(Layer):
    """Turns a text's tokens [L, 1, 1] into vectors [L, 1, units]: ``E(words,units)``. Always first.

    Attributes:
        words: Tokens that there are, padding and unknown words among them.
        units: Numbers for each word.
    """

    kind: ClassVar[str] = "embedding"
    words: int
    units: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "words", self.words, smallest=2)
        _whole(self, "units", self.units)


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution with SAME padding and bias, then its activation: ``C(filters,kernel,stride)``."""

    kind: ClassVar[str] = "conv"
    filters: int
    kernel: tuple[int, int] | int
    stride: tuple[int, int] | int = 1
    activation: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "filters", self.filters)
        object.__setattr__(self, "kernel", _pair(self, "kernel", self.kernel))
        object.__setattr__(self, "stride", _pair(self, "stride", self.stride))
        _choice(self, "activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True)
class SepConv(Conv):
    """Depthwise-separable convolution, SAME padding and bias: ``S(filters,kernel,stride)``."""

    kind: ClassVar[str] = "sep_conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        rows, columns = _pair(self, "stride", self.stride)
        if rows != columns:
            raise SpecError(
                f"expected equal strides of a separable convolution, received {self.stride}: "
                "frameworks have no other"
            )


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling without padding (output ``(n - size) // stride + 1``): ``P(size,stride)``."""

    kind: ClassVar[str] = "pool"
    size: tuple[int, int] | int
    stride: tuple[int, int] | int
    mode: str = "max"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "size", _pair(self, "size", self.size))
        object.__setattr__(self, "stride", _pair(self, "stride", self.stride))
        _choice(self, "mode", self.mode, ("max", "avg"))


@dataclass(frozen=True)
class Recurrent(Layer):
    """Reads a map's positions in order, row by row: ``GRU(units)``, ``LSTM(units)``.

    Its output is the state after the last position, a vector.

    Attributes:
        units: Numbers in the state.
        cell: "gru" or "lstm".
        both: Whether a second one reads backwards and the two states are joined: ``BGRU``.
    """

    kind: ClassVar[str] = "recurrent"
    units: int
    cell: str = "gru"
    both: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "units", self.units)
        _choice(self, "cell", self.cell, CELLS)
        if not isinstance(self.both, bool):
            raise SpecError(f"expected both of Recurrent as true or false, received {self.both!r}")


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer over the flattened input: ``FC(units)``."""

    kind: ClassVar[str] = "dense"
    units: int
    activation: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "units", self.units)
        _choice(self, "activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """Mean over positions: ``GAP``. On an input that is already a vector it changes nothing."""

    kind: ClassVar[str] = "gap"


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout at `rate` in [0, 1): ``D(rate)``; MetaQNN's ``D(i,n)`` is read as rate i / 2n."""

    kind: ClassVar[str] = "dropout"
    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)):
            raise SpecError(f"expected a dropout rate as a number, received {self.rate!r}")
        if not 0.0 <= self.rate < 1.0:
            raise SpecError(f"expected a dropout rate in [0, 1), received {self.rate!r}: lower it")
        object.__setattr__(self, "rate", float(self.rate))


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation over channels: ``BN``."""

    kind: ClassVar[str] = "batch_norm"


@dataclass(frozen=True)
class Activation(Layer):
    """An activation alone, as after a normalisation: ``A(relu)``."""

    kind: ClassVar[str] = "activation"
    function: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        _choice(self, "function", self.function, ACTIVATIONS)


@dataclass(frozen=True)
class Softmax(Layer):
    """The classifier: a dense layer to `classes` and a softmax: ``SM(classes)``. Always last."""

    kind: ClassVar[str] = "softmax"
    classes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "classes", self.classes, smallest=2)


LAYER_TYPES: dict[str, type[Layer]] = {
    kind.kind: kind
    for kind in (
        Embedding, Conv, SepConv, Pool, Recurrent, Dense, GlobalAveragePool, Dropout, BatchNorm,
        Activation, Softmax,
    )
}  # fmt: skip
