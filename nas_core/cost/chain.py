"""Shapes, parameters, MACs and activations of chains, layer by layer."""

from functools import lru_cache
from math import prod

from nas_core.cost.model import BYTES, Cost, LayerCost, Shape
from nas_core.errors import SpecError
from nas_core.spec.chain import ChainSpec
from nas_core.spec.layers import (
    BatchNorm,
    Conv,
    Dense,
    Embedding,
    GlobalAveragePool,
    Layer,
    Pool,
    Recurrent,
    SepConv,
    Softmax,
)


def _pair(value: tuple[int, int] | int) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _conv(layer: Conv, shape: Shape) -> LayerCost:
    height, width, channels = shape
    (kernel_h, kernel_w), (stride_h, stride_w) = _pair(layer.kernel), _pair(layer.stride)
    # SAME padding: the output has ceil(size / stride) positions.
    out_h, out_w = -(-height // stride_h), -(-width // stride_w)
    window, positions = kernel_h * kernel_w, out_h * out_w
    if isinstance(layer, SepConv):
        weights = window * channels + channels * layer.filters
    else:
        weights = window * channels * layer.filters
    outputs = positions * layer.filters
    return LayerCost(
        (out_h, out_w, layer.filters), weights + layer.filters, positions * weights, outputs
    )


def _pool(layer: Pool, shape: Shape) -> LayerCost:
    height, width, channels = shape
    (size_h, size_w), (stride_h, stride_w) = _pair(layer.size), _pair(layer.stride)
    if size_h > height or size_w > width:
        raise SpecError(
            f"expected a map of at least {size_h}x{size_w} pixels to pool, received "
            f"{height}x{width}: pool less or use larger images"
        )
    out = (height - size_h) // stride_h + 1, (width - size_w) // stride_w + 1, channels
    return LayerCost(out, 0, 0, prod(out))


def _embedding(layer: Embedding, shape: Shape) -> LayerCost:
    if shape[1:] != (1, 1):
        raise SpecError(
            f"expected tokens [length, 1, 1] to embed, received a map {shape}: choose a data set "
            "of texts"
        )
    out = (shape[0], 1, layer.units)
    return LayerCost(out, layer.words * layer.units, 0, prod(out))


# Gates of a cell, and biases of each unit in each gate (Keras's GRU keeps two).
GATES = {"gru": (3, 2), "lstm": (4, 1)}


def _recurrent(layer: Recurrent, shape: Shape) -> LayerCost:
    """Count one cell's matrices at every position; kept are the gates and the state."""
    (gates, biases), positions = GATES[layer.cell], prod(shape[:-1])
    directions = 2 if layer.both else 1
    units = directions * layer.units
    weights = gates * units * (shape[-1] + layer.units)
    return LayerCost(
        (units,),
        weights + gates * biases * units,
        positions * weights,
        positions * (gates + 1) * units,
    )


def _dense(units: int, shape: Shape) -> LayerCost:
    weights = prod(shape) * units
    return LayerCost((units,), weights + units, weights, units)


@lru_cache(maxsize=65536)
def layer_cost(layer: Layer, shape: Shape) -> LayerCost:
    """Return one layer's cost on an input of `shape` (skip inputs already joined).

    Raises:
        SpecError: A map is needed and a vector came, or the map is too small to pool.
    """
    match layer:
        case Conv() | Pool() | Recurrent() | Embedding() if len(shape) != 3:
            raise SpecError(f"{type(layer).__name__} needs a map, received a vector {shape}")
        case Embedding():
            return _embedding(layer, shape)
        case Recurrent():
            return _recurrent(layer, shape)
        case Conv():
            return _conv(layer, shape)
        case Pool():
            return _pool(layer, shape)
        case Dense():
            return _dense(layer.units, shape)
        case Softmax():
            return _dense(layer.classes, shape)
        case GlobalAveragePool():
            return LayerCost((shape[-1],), 0, 0, shape[-1])
        case BatchNorm():
            return LayerCost(shape, 4 * shape[-1], 0, prod(shape))
    return LayerCost(shape, 0, 0, prod(shape))


def joined_shape(shapes: list[Shape]) -> Shape:
    """Return the shape after zero-padding maps to the largest and concatenating channels."""
    if len(shapes) == 1:
        return shapes[0]
    sides = [max(sizes) for sizes in zip(*(shape[:-1] for shape in shapes), strict=True)]
    return (*sides, sum(shape[-1] for shape in shapes))


def chain_cost(spec: ChainSpec, image_shape: tuple[int, int, int]) -> Cost:
    """Return the cost of a chain (see `nas_core.cost.cost`)."""
    rows: list[LayerCost] = []
    sources = [spec.sources(index) for index in range(len(spec.layers))]
    read = _read_layers(sources)
    shapes: list[Shape] = []
    image: Shape = tuple(image_shape)
    kept = prod(image)
    for index, layer in enumerate(spec.layers):
        shape = joined_shape([image if source < 0 else shapes[source] for source in sources[index]])
        row = layer_cost(layer, shape)
        shapes.append(row.shape)
        if not read[index]:  # never built, as nothing that comes out depends on it
            rows.append(LayerCost(row.shape, 0, 0, 0))
            continue
        if len(sources[index]) > 1:  # the padded concatenation is a tensor of its own
            kept += prod(shape)
        kept += row.activations
        rows.append(row)
    return Cost(
        layers=tuple(rows),
        parameters=sum(row.parameters for row in rows),
        macs=sum(row.macs for row in rows),
        peak_activation_bytes=kept * BYTES,
    )


def _read_layers(sources: list[tuple[int, ...]]) -> list[bool]:
    """Return which positions the classifier, the last, depends on, itself included."""
    read = [False] * len(sources)
    read[-1] = True
    for index in reversed(range(len(sources))):
        if read[index]:
            for source in sources[index]:
                if source >= 0:
                    read[source] = True
    return read
