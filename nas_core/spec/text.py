"""MetaQNN's notation for chains, read and written (Baker et al. 2017; the authors' grammar).

``[C(64,3,1), P(2,2), D(0.25), FC(128), GAP, SM(10)]``, blanks as you like. Beyond the authors':
``S`` separable convolution, ``AP`` average pooling, ``BN``, ``A(elu)``, an activation as a last
argument (``C(64,3,1,elu)``), unequal sides (``C(64,3x5,1)``) and skip inputs (``C(64,3,1)@-1@2``).
For texts: ``E(8000,32)`` embedding of 8,000 words, ``GRU(32)`` and ``LSTM(32)``, in both directions
``BGRU(32)`` and ``BLSTM(32)``, as in ``[E(8000,32), C(64,3x1,1), P(2x1,2x1), GRU(32), SM(2)]``.
"""

import re
from collections.abc import Callable

from nas_core.errors import SpecError
from nas_core.spec.chain import ChainSpec
from nas_core.spec.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Layer,
    Pool,
    Recurrent,
    SepConv,
    Softmax,
)

EXAMPLE = "[C(64,3,1), P(2,2), FC(128), SM(10)]"
LONGEST = 20_000
_TOKEN = re.compile(r"([A-Z]+)(?:\(([^()]*)\))?((?:@-?\d+)*)")
_NUMBER = re.compile(r"\d{1,6}")


def _fail(token: str, why: str) -> SpecError:
    return SpecError(f"expected an architecture such as {EXAMPLE}, received {token!r} ({why})")


def _int(token: str, text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise _fail(token, f"{text!r} is not a whole number")
    return int(text)


def _pair(token: str, text: str) -> tuple[int, int]:
    parts = [_int(token, part) for part in text.split("x")]
    if len(parts) > 2:
        raise _fail(token, f"{text!r} has more than two sides")
    return parts[0], parts[-1]


def _read_conv(kind: type[Conv]) -> Callable[[str, list[str]], Layer]:
    def read(token: str, given: list[str]) -> Layer:
        if not 2 <= len(given) <= 4:
            raise _fail(token, "filters, kernel and stride are needed")
        stride = _pair(token, given[2]) if len(given) > 2 else (1, 1)
        activation = given[3] if len(given) == 4 else "relu"
        return kind(_int(token, given[0]), _pair(token, given[1]), stride, activation)

    return read


def _read_pool(mode: str) -> Callable[[str, list[str]], Layer]:
    def read(token: str, given: list[str]) -> Layer:
        if len(given) != 2:
            raise _fail(token, "size and stride are needed")
        return Pool(_pair(token, given[0]), _pair(token, given[1]), mode)

    return read


def _read_dense(token: str, given: list[str]) -> Layer:
    if not 1 <= len(given) <= 2:
        raise _fail(token, "the number of units is needed")
    return Dense(_int(token, given[0]), given[1] if len(given) == 2 else "relu")


def _read_embedding(token: str, given: list[str]) -> Layer:
    if len(given) != 2:
        raise _fail(token, "words and units are needed")
    return Embedding(_int(token, given[0]), _int(token, given[1]))


def _read_recurrent(cell: str, both: bool) -> Callable[[str, list[str]], Layer]:
    def read(token: str, given: list[str]) -> Layer:
        if len(given) != 1:
            raise _fail(token, "the number of units is needed")
        return Recurrent(_int(token, given[0]), cell, both)

    return read


def _read_dropout(token: str, given: list[str]) -> Layer:
    if len(given) == 2:
        number, of = _int(token, given[0]), _int(token, given[1])
        if of == 0:
            raise _fail(token, "D(i,n) needs n of at least 1")
        return Dropout(number / (2 * of))
    try:
        return Dropout(float(given[0]))
    except (ValueError, IndexError):
        raise _fail(token, "a rate in [0, 1) is needed") from None


def _read_activation(token: str, given: list[str]) -> Layer:
    if len(given) != 1:
        raise _fail(token, "one activation is needed")
    return Activation(given[0])


def _read_softmax(token: str, given: list[str]) -> Layer:
    if len(given) != 1:
        raise _fail(token, "the number of classes is needed")
    return Softmax(_int(token, given[0]))


# The authors' GAP(c) carries the number of classes, which SM repeats; both forms are read.
_READERS: dict[str, Callable[[str, list[str]], Layer]] = {
    "E": _read_embedding,
    "GRU": _read_recurrent("gru", both=False),
    "BGRU": _read_recurrent("gru", both=True),
    "LSTM": _read_recurrent("lstm", both=False),
    "BLSTM": _read_recurrent("lstm", both=True),
    "C": _read_conv(Conv),
    "S": _read_conv(SepConv),
    "P": _read_pool("max"),
    "AP": _read_pool("avg"),
    "FC": _read_dense,
    "D": _read_dropout,
    "A": _read_activation,
    "SM": _read_softmax,
    "GAP": lambda token, given: GlobalAveragePool(),
    "BN": lambda token, given: BatchNorm(),
}


def _read_token(token: str) -> Layer:
    match = _TOKEN.fullmatch(token)
    if match is None or match[1] not in _READERS:
        raise _fail(token, f"known layers are {', '.join(_READERS)}")
    given = match[2].split(",") if match[2] else []
    layer = _READERS[match[1]](token, given)
    inputs = tuple(int(part) for part in match[3].split("@")[1:])
    if not inputs:
        return layer
    return type(layer)(**{**vars(layer), "inputs": inputs})


def chain_from_text(text: str) -> ChainSpec:
    """Read one chain.

    Raises:
        SpecError: The text is not in the notation, or its layers cannot form a network.
    """
    packed = re.sub(r"\s+", "", text[: LONGEST + 1])
    if not (packed.startswith("[") and packed.endswith("]")) or len(text) > LONGEST:
        raise _fail(text[:80], "square brackets around the layers are needed")
    tokens = re.split(r",(?![^(]*\))", packed[1:-1])
    return ChainSpec(tuple(_read_token(token) for token in tokens))


def _side(pair: tuple[int, int] | int) -> str:
    height, width = (pair, pair) if isinstance(pair, int) else pair
    return str(height) if height == width else f"{height}x{width}"


def _name(layer: Layer) -> str:
    match layer:
        case Embedding():
            return f"E({layer.words},{layer.units})"
        case Recurrent():
            return f"{'B' if layer.both else ''}{layer.cell.upper()}({layer.units})"
        case Conv():
            letter = "S" if isinstance(layer, SepConv) else "C"
            extra = "" if layer.activation == "relu" else f",{layer.activation}"
            return f"{letter}({layer.filters},{_side(layer.kernel)},{_side(layer.stride)}{extra})"
        case Pool():
            letter = "P" if layer.mode == "max" else "AP"
            return f"{letter}({_side(layer.size)},{_side(layer.stride)})"
        case Dense():
            extra = "" if layer.activation == "relu" else f",{layer.activation}"
            return f"FC({layer.units}{extra})"
    return _short_name(layer)


def _short_name(layer: Layer) -> str:
    match layer:
        case Dropout():
            return f"D({layer.rate!r})"
        case Activation():
            return f"A({layer.function})"
        case Softmax():
            return f"SM({layer.classes})"
        case GlobalAveragePool():
            return "GAP"
        case BatchNorm():
            return "BN"
    raise SpecError(f"expected a layer that has a notation, received {layer!r}")


def layer_to_text(layer: Layer) -> str:
    """Return one layer's notation, skip inputs included."""
    return _name(layer) + "".join(f"@{position}" for position in layer.inputs)


def chain_to_text(spec: ChainSpec) -> str:
    """Return the chain's notation; `chain_from_text` reads it back to an equal chain."""
    return f"[{', '.join(layer_to_text(layer) for layer in spec.layers)}]"
