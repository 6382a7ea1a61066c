"""Numbers that describe an architecture, for surrogates of accuracy: from its spec alone."""

from collections.abc import Callable, Iterable
from math import log2, log10, prod

from nas_core.cost import Cost, Shape, cost
from nas_core.errors import SpecError
from nas_core.spec import (
    OPERATIONS,
    BatchNorm,
    CellSpec,
    ChainSpec,
    Conv,
    Dense,
    Dropout,
    GlobalAveragePool,
    Layer,
    Pool,
    Spec,
)
from nas_core.spec.cell_blocks import PREVIOUS, Cell
from nas_core.spec.cell_ops import Family

WEIGHTED = (Family.CONVOLUTION, Family.FACTORISED, Family.DILATED, Family.SEPARABLE)


def features(spec: Spec, image_shape: tuple[int, int, int]) -> tuple[dict[str, float], Cost]:
    """Return an architecture's features by name, and its cost.

    A chain has: depth (convolutions), width (mean log2 of filters), first and last (log2 of their
    filters), narrowest (log2 of the fewest), kernel (mean of the kernels' larger sides), area (mean
    log2 of their pixels), dropped (dropout layers on the way through it that meets fewest), pools
    (pooling layers), field (log2 of the receptive field over the image's side), map (log2 of the
    side that the head sees), head (log10 of the numbers that the classifier reads), average (1 with
    global average pooling), dense (dense layers), dropout (highest rate), norm (share of
    convolutions with batch normalisation), skips (joins).

    Cells have: depth (weighted operations on the longest path through all cells) and field; and of
    the normal and of the reduction cell each: weighted and identity (operations), outputs (joined
    states), nearer (operations that read the nearer of the two inputs) and shortest (weighted
    operations on the shortest path).

    Both have parameters and macs (log10 of weights and multiply-adds).

    Raises:
        SpecError: The images are too small, or the type is unknown.
    """
    figures = cost(spec, image_shape)
    if isinstance(spec, ChainSpec):
        found = _chain(spec, image_shape, figures)
    elif isinstance(spec, CellSpec):
        found = _cell(spec)
    else:
        raise SpecError(f"expected a chain or cell specification, received {type(spec).__name__}")
    sizes = {"parameters": figures.parameters, "macs": figures.macs}
    return {**found, **{name: log10(max(size, 1)) for name, size in sizes.items()}}, figures


def _chain(spec: ChainSpec, image_shape: tuple[int, int, int], figures: Cost) -> dict[str, float]:
    convs = [layer for layer in spec.layers if isinstance(layer, Conv)]
    logs = [log2(layer.filters) for layer in convs] or [0.0]
    return {
        "depth": float(len(convs)),
        "width": sum(logs) / len(logs),
        "first": logs[0],
        "last": logs[-1],
        "narrowest": min(logs),
        "kernel": sum(_larger(layer.kernel) for layer in convs) / max(1, len(convs)),
        "area": sum(log2(_area(layer.kernel)) for layer in convs) / max(1, len(convs)),
        "dropped": float(_fewest_dropouts(spec)),
        "pools": float(sum(isinstance(layer, Pool) for layer in spec.layers)),
        "field": log2(_receptive_field(spec) / max(image_shape[:2])),
        "map": log2(_last_side(figures.shapes, image_shape)),
        "head": log10(prod(figures.shapes[-2] if len(figures.shapes) > 1 else image_shape)),
        "average": float(any(isinstance(layer, GlobalAveragePool) for layer in spec.layers)),
        "dense": float(sum(isinstance(layer, Dense) for layer in spec.layers)),
        "dropout": max((x.rate for x in spec.layers if isinstance(x, Dropout)), default=0.0),
        "norm": sum(isinstance(x, BatchNorm) for x in spec.layers) / max(1, len(convs)),
        "skips": float(sum(len(layer.inputs) > 1 for layer in spec.layers)),
    }


def _last_side(shapes: tuple[Shape, ...], image_shape: tuple[int, int, int]) -> int:
    """Return the larger side of the last map before it becomes a vector."""
    maps = [shape for shape in shapes if len(shape) == 3]
    height, width, _ = maps[-1] if maps else image_shape
    return max(height, width)


def _area(kernel: tuple[int, int] | int) -> int:
    return kernel * kernel if isinstance(kernel, int) else prod(kernel)


def _fewest_dropouts(spec: ChainSpec) -> int:
    """Return how many dropout layers no way from the image to the output avoids."""
    fewest = {-1: 0}
    for index, layer in enumerate(spec.layers):
        before = min(fewest[source] for source in spec.sources(index))
        fewest[index] = before + isinstance(layer, Dropout)
    return fewest[len(spec.layers) - 1]


def _receptive_field(spec: ChainSpec) -> int:
    """Return the pixels along a side that one position of the last map sees."""
    fields, jumps = {-1: 1}, {-1: 1}
    for index, layer in enumerate(spec.layers):
        sources = spec.sources(index)
        window, stride = _window(layer)
        fields[index] = max(fields[s] + (window - 1) * jumps[s] for s in sources)
        jumps[index] = max(jumps[s] for s in sources) * stride
    return max(fields.values())


def _window(layer: Layer) -> tuple[int, int]:
    """Return the larger side of a layer's window and stride."""
    if isinstance(layer, (Conv, Pool)):
        size = layer.kernel if isinstance(layer, Conv) else layer.size
        return _larger(size), _larger(layer.stride)
    return 1, 1


def _larger(value: tuple[int, int] | int) -> int:
    return value if isinstance(value, int) else max(value)


def _cell(spec: CellSpec) -> dict[str, float]:
    normals, reductions = sum(spec.stacks), len(spec.stacks) - 1
    path = _path(spec.normal, max, 0) * normals + _path(spec.reduction, max, 0) * reductions
    reach = _path(spec.normal, max, 1) * normals + 2 * _path(spec.reduction, max, 1) * reductions
    return {
        "depth": float(path),
        "field": log2(1 + reach),
        **_one_cell("normal", spec.normal),
        **_one_cell("reduction", spec.reduction),
    }


def _one_cell(kind: str, cell: Cell) -> dict[str, float]:
    """Count the blocks that the output depends on."""
    blocks = [cell.blocks[state - 2] for state in sorted(cell.live) if state >= 2]
    edges = [edge for block in blocks for edge in block.edges]
    families = [OPERATIONS[name].family for _, name in edges]
    found = {
        "weighted": sum(family in WEIGHTED for family in families),
        "identity": families.count(Family.IDENTITY),
        "outputs": len(cell.outputs),
        "nearer": sum(source == PREVIOUS for source, _ in edges),
        "shortest": _path(cell, min, 0),
    }
    return {f"{kind} {name}": float(count) for name, count in found.items()}


def _path(cell: Cell, choose: Callable[[Iterable[int]], int], what: int) -> int:
    """Return the longest or shortest path: 0 counts weighted operations, 1 pixels of reach."""
    length = {0: 0, 1: 0}
    for state, block in enumerate(cell.blocks, start=2):
        length[state] = choose(length[source] + _length(name, what) for source, name in block.edges)
    return choose(length[state] for state in cell.outputs)


def _length(name: str, what: int) -> int:
    operation = OPERATIONS[name]
    if what == 0:
        return int(operation.family in WEIGHTED)
    return operation.size - 1
