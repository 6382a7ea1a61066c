"""From decided layers to a chain specification, and back."""

from dataclasses import dataclass, replace
from functools import lru_cache

from nas_core.errors import SpecError
from nas_core.spec import (
    Activation,
    BatchNorm,
    ChainSpec,
    Conv,
    Dropout,
    GlobalAveragePool,
    Layer,
    Pool,
    Softmax,
)


@dataclass(frozen=True)
class ChainLayer:
    """One layer of the search space: a convolution and what belongs to it.

    Attributes:
        kernel: Height and width.
        stride: Height and width.
        filters: Number of filters.
        pool: Side and stride of max pooling; 1 for none.
        activation: Its name.
        batch_norm: Whether it is normalised.
        dropout: Rate; 0 for none.
        sources: Earlier layers that it reads; empty for the image.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    filters: int
    pool: int
    activation: str
    batch_norm: bool
    dropout: float
    sources: tuple[int, ...]


@lru_cache(maxsize=65536)  # masks ask for the same layers again and again
def _parts(layer: ChainLayer, inputs: tuple[int, ...]) -> tuple[Layer, ...]:
    """Return what a layer is made of, in order; the first part reads `inputs`."""
    first = "linear" if layer.batch_norm else layer.activation
    parts: list[Layer] = [Conv(layer.filters, layer.kernel, layer.stride, first, inputs=inputs)]
    if layer.batch_norm:
        parts += [BatchNorm(), Activation(layer.activation)]
    if layer.pool > 1:
        parts.append(Pool(layer.pool, layer.pool))
    if layer.dropout > 0.0:
        parts.append(Dropout(layer.dropout))
    return tuple(parts)


def chain_of(layers: list[ChainLayer], classes: int, average: bool) -> ChainSpec:
    """Return the network; layers that nobody reads are joined before the classifier.

    (Zoph & Le 2017, section 3.3: no input means the image; the image's place in the notation is
    -1.)

    Args:
        layers: As decided.
        classes: Of the classifier.
        average: Whether the joined maps are averaged over their positions before it.
    """
    chain: list[Layer] = []
    ends: list[int] = []  # position of each layer's last part
    for layer in layers:
        inputs = tuple(ends[source] for source in layer.sources) or (-1,)
        chain += _parts(layer, _short(inputs, len(chain)))
        ends.append(len(chain) - 1)
    read = {source for layer in layers for source in layer.sources}
    last = tuple(end for number, end in enumerate(ends) if number not in read)
    inputs = _short(last, len(chain))
    if not average:
        return ChainSpec((*chain, Softmax(classes, inputs=inputs)))
    return ChainSpec((*chain, GlobalAveragePool(inputs=inputs), Softmax(classes)))


def _short(inputs: tuple[int, ...], position: int) -> tuple[int, ...]:
    """Leave out what is meant anyway: the layer just before."""
    return () if inputs == (position - 1,) else inputs


def layers_of(spec: ChainSpec) -> list[ChainLayer]:
    """Read a chain back into layers of the search space.

    Raises:
        SpecError: It is not made of convolutions with what may follow them.
    """
    layers: list[ChainLayer] = []
    number_at: dict[int, int] = {}  # position of a part -> number of its layer
    for position, part in enumerate(spec.layers[:-1]):
        if isinstance(part, GlobalAveragePool):
            break
        if isinstance(part, Conv):
            read = [source for source in spec.sources(position) if source >= 0]
            layers.append(_fresh(part, tuple(sorted({number_at[source] for source in read}))))
        elif layers and not part.inputs:
            layers[-1] = _with(layers[-1], part)
        else:
            raise SpecError(f"expected a convolution first, received {spec.to_text()[:120]}")
        number_at[position] = len(layers) - 1
    return layers


def _fresh(conv: Conv, sources: tuple[int, ...]) -> ChainLayer:
    kernel, stride = conv.kernel, conv.stride
    return ChainLayer(
        kernel if isinstance(kernel, tuple) else (kernel, kernel),
        stride if isinstance(stride, tuple) else (stride, stride),
        conv.filters,
        1,
        conv.activation,
        False,
        0.0,
        sources,
    )


def _with(layer: ChainLayer, part: Layer) -> ChainLayer:
    match part:
        case BatchNorm():
            return replace(layer, batch_norm=True)
        case Activation():
            return replace(layer, activation=part.function)
        case Pool():
            return replace(layer, pool=part.size[0] if isinstance(part.size, tuple) else part.size)
        case Dropout():
            return replace(layer, dropout=part.rate)
    raise SpecError(f"expected convolutions and what follows them, received {part}")
