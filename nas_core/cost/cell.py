"""Shapes, parameters, MACs and activations of cell networks: stem, cells, heads."""

from functools import lru_cache
from math import prod

from nas_core.cost.cell_parts import Tally
from nas_core.cost.model import BYTES, Cost, LayerCost
from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS, Cell
from nas_core.spec.cell_ops import OPERATIONS
from nas_core.spec.cell_plan import AUXILIARY_FILTERS, Map, plan_cells


def cell_cost(spec: CellSpec, image_shape: tuple[int, int, int]) -> Cost:
    """Return the cost of a cell network, equal to the built model's counts.

    Args:
        spec: A cell specification.
        image_shape: Height, width, channels of one image.

    Returns:
        One row for the stem, each cell that the classifier depends on, the auxiliary head where
        there is one, and the classifier, in this order. Every layer's output counts as kept for
        the backward pass, which is an upper estimate.

    Raises:
        SpecError: The image is too small for the stem.
    """
    plan = plan_cells(spec, image_shape)
    rows = [stem_cost(image_shape, plan.shapes[0])]
    for placed in plan.cells:
        if placed.live:
            current, previous = plan.shapes[placed.current], plan.shapes[placed.previous]
            alone = placed.current == placed.previous
            rows.append(
                one_cell_cost(
                    placed.cell, current, None if alone else previous, placed.filters, placed.stride
                )
            )
    if plan.auxiliary is not None:
        rows.append(_auxiliary(plan.shapes[plan.auxiliary], spec.classes))
    rows.append(classifier_cost(plan.shapes[-1], spec))
    return Cost(
        layers=tuple(rows),
        parameters=sum(row.parameters for row in rows),
        macs=sum(row.macs for row in rows),
        peak_activation_bytes=(prod(image_shape) + sum(row.activations for row in rows)) * BYTES,
    )


def stem_cost(image_shape: tuple[int, int, int], out: Map) -> LayerCost:
    """Return the cost of the 3x3 convolution before the cells, whose output has shape `out`."""
    weights = 3 * 3 * image_shape[2] * out[2]
    tally = Tally(weights, weights * out[0] * out[1], prod(out))
    return tally.row(tally.batch_norm(out))


@lru_cache(maxsize=4096)
def one_cell_cost(
    cell: Cell, current: Map, previous: Map | None, filters: int, stride: int
) -> LayerCost:
    """Return one cell's cost, the matching of its inputs included.

    Args:
        cell: Its blocks.
        current: Shape of h_i.
        previous: Shape of h_{i-1}; None for the first cell, which reads h_i as both, the second
            time as it is.
        filters: Filters of each operation.
        stride: 1 or 2, of the operations on the cell's inputs.
    """
    tally = Tally()
    shapes: dict[int, Map] = {}
    if CURRENT in cell.live:
        shapes[CURRENT] = tally.relu_conv_bn(current, filters, (1, 1))
    if PREVIOUS in cell.live:
        shapes[PREVIOUS] = matched(tally, previous, current, filters)
    for state in sorted(cell.live - {CURRENT, PREVIOUS}):
        block = cell.blocks[state - 2]
        for source, name in block.edges:
            step = stride if source <= PREVIOUS else 1
            out = tally.operation(OPERATIONS[name], shapes[source], filters, step)
        shapes[state] = tally.kept((out[0], out[1], filters * cell.channels(state)))
    sides = -(-current[0] // stride), -(-current[1] // stride)
    for state in cell.outputs:
        if state <= PREVIOUS:
            _output_input(tally, shapes[state], sides, filters)
    out = (*sides, cell.width * filters)
    return tally.row(tally.kept(out) if len(cell.outputs) > 1 else out)


def matched(tally: Tally, previous: Map | None, current: Map, filters: int) -> Map:
    """Bring h_{i-1} to the current size and filters (both adjust cases)."""
    if previous is None:
        return current
    if previous[:2] != current[:2]:
        return tally.shrink(tally.kept(previous), filters)
    fits = previous[2] == filters
    return previous if fits else tally.relu_conv_bn(previous, filters, (1, 1))


def _output_input(tally: Tally, shape: Map, sides: tuple[int, int], filters: int) -> None:
    """Bring a cell input that is part of the output to the output's size and filters."""
    if shape[:2] != sides:
        tally.shrink(shape, filters)
    elif shape[2] != filters:
        tally.batch_norm(tally.convolution(shape, filters, (1, 1)))


def _auxiliary(shape: Map, classes: int) -> LayerCost:
    """Relu, 5x5 average pool of stride 3, 1x1 convolution, full-size convolution, classifier."""
    tally = Tally()
    tally.kept(shape)
    window = min(5, shape[0]), min(5, shape[1])
    pooled = (shape[0] - window[0]) // 3 + 1, (shape[1] - window[1]) // 3 + 1, shape[2]
    narrow, wide = AUXILIARY_FILTERS
    projected = tally.batch_norm(tally.convolution(tally.kept(pooled), narrow, (1, 1)))
    tally.kept(projected)
    weights = prod(projected) * wide
    tally.parameters += weights
    tally.macs += weights
    tally.kept(tally.batch_norm((1, 1, wide)))
    return _dense(tally, wide, classes)


def classifier_cost(shape: Map, spec: CellSpec) -> LayerCost:
    """Return the cost of averaging a map over its positions and classifying it."""
    tally = Tally()
    tally.kept(shape)
    tally.activations += shape[2] * (2 if spec.dropout > 0.0 else 1)
    return _dense(tally, shape[2], spec.classes)


def _dense(tally: Tally, inputs: int, classes: int) -> LayerCost:
    tally.parameters += inputs * classes + classes
    tally.macs += inputs * classes
    tally.activations += classes
    return tally.row((classes,))
