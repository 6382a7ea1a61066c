"""Parameters and MACs of many cell networks at once: sums over tables of what each part costs.

All networks of an outline have the same cells in the same places, so whatever an operation, or the
matching of an input, can cost at a place is asked of `cell_parts` once and looked up from then on.
"""

from dataclasses import dataclass

import numpy as np

from nas_core.cost.cell import classifier_cost, matched, stem_cost
from nas_core.cost.cell_parts import Tally
from nas_core.cost.model import LayerCost
from nas_core.errors import SpecError
from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS
from nas_core.spec.cell_ops import OPERATIONS
from nas_core.spec.cell_plan import Map, PlacedCell, plan_cells

NORMAL, REDUCTION = 0, 1
# What an operation reads: an input of the cell, or a block of once or twice the filters.
READS = 4


@dataclass(frozen=True)
class Blocks:
    """The cells of N networks, B blocks each; the second axis is normal, reduction.

    Attributes:
        inputs: Hidden states that are read, whole numbers [N, 2, B, 2].
        operations: Numbers of the operations on them [N, 2, B, 2].
        doubled: Whether a block concatenates, bools [N, 2, B].
    """

    inputs: np.ndarray
    operations: np.ndarray
    doubled: np.ndarray


@dataclass(frozen=True)
class _Place:
    """What the parts of one cell cost where it stands; figures are (parameters, MACs).

    Attributes:
        kind: NORMAL or REDUCTION.
        current: Number of the tensor h_i.
        previous: Number of the tensor h_{i-1}.
        operations: Figures by operation and what it reads [O * READS, 2].
        matching: Figures of matching `CURRENT` and `PREVIOUS` by the width of what they are,
            [2, widths, 2].
    """

    kind: int
    current: int
    previous: int
    operations: np.ndarray
    matching: np.ndarray


class CellSizes:
    """Parameters and MACs of networks that differ in their cells only."""

    def __init__(
        self, outline: CellSpec, image_shape: tuple[int, int, int], operations: tuple[str, ...]
    ) -> None:
        """Ask for the cost of every part in every place.

        Args:
            outline: One of the networks: stacks, filters, classes; cells as blocks say, without
                an auxiliary head.
            image_shape: Height, width, channels of one image.
            operations: What `Blocks.operations` numbers.

        Raises:
            SpecError: The image is too small, or there is an auxiliary head.
        """
        if outline.auxiliary_head:
            raise SpecError("expected cells without an auxiliary head: count them one by one")
        plan = plan_cells(outline, image_shape)
        widths = 2 * len(outline.normal.blocks) + 1
        # A tensor's channels by its width; the stem, tensor 0, has the same whatever it is.
        self._channels = [[plan.shapes[0][2]] * widths]
        self._channels += [[w * placed.filters for w in range(widths)] for placed in plan.cells]
        self._kinds = [NORMAL, *(_kind(placed) for placed in plan.cells)]
        self._places = [
            self._place(placed, plan.shapes[placed.current], plan.shapes[placed.previous],
                        operations)
            for placed in plan.cells
        ]  # fmt: skip
        last = plan.shapes[-1][:2]
        self._end = np.array(
            [_figures(classifier_cost((*last, c), outline)) for c in self._channels[-1]]
        )
        self._stem = np.array(_figures(stem_cost(image_shape, plan.shapes[0])))

    def _place(
        self, placed: PlacedCell, current: Map, previous: Map, operations: tuple[str, ...]
    ) -> _Place:
        alone = placed.current == placed.previous
        figures = _operations(placed, current, current[2] if alone else placed.filters, operations)
        matching = np.array([
            [_current(current, channels, placed.filters)
             for channels in self._channels[placed.current]],
            [(0, 0) if alone else _previous(previous, channels, current, placed.filters)
             for channels in self._channels[placed.previous]],
        ])  # fmt: skip
        return _Place(_kind(placed), placed.current, placed.previous, figures, matching)

    def __call__(self, blocks: Blocks) -> np.ndarray:
        """Return parameters and multiply-accumulates, int64 [N, 2], as `cell_cost` counts them."""
        live, outputs = _live(blocks.inputs)
        channels = 1 + blocks.doubled  # [N, 2, B]
        width = (outputs * channels).sum(axis=2)  # [N, 2]
        reads = np.concatenate([np.broadcast_to((0, 1), (*width.shape, 2)), 1 + channels], axis=2)
        read = np.take_along_axis(reads[..., None], blocks.inputs, axis=2)
        edges = (blocks.operations * READS + read).reshape(*width.shape, -1)
        counted = live[:, :, 2:].repeat(2, axis=2)  # of each block's two edges
        total = self._stem + self._end[width[:, self._kinds[-1]]]
        built = self._built(live)
        for place, used in zip(self._places, built, strict=True):
            cell = (place.operations[edges[:, place.kind]] * counted[:, place.kind, :, None]).sum(1)
            for state, tensor in ((CURRENT, place.current), (PREVIOUS, place.previous)):
                matched = place.matching[state][width[:, self._kinds[tensor]]]
                cell += matched * live[:, place.kind, state, None]
            total += cell * used[:, None]
        return total

    def _built(self, live: np.ndarray) -> list[np.ndarray]:
        """Return whether the classifier depends on each cell, bools [N]."""
        needed = [np.zeros(len(live), bool) for _ in range(len(self._places) + 1)]
        needed[-1][:] = True
        for number in range(len(self._places), 0, -1):
            place = self._places[number - 1]
            for state, tensor in ((CURRENT, place.current), (PREVIOUS, place.previous)):
                needed[tensor] = needed[tensor] | (needed[number] & live[:, place.kind, state])
        return needed[1:]


def _live(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which states a cell's output depends on, and which blocks nobody reads.

    Args:
        inputs: [N, 2, B, 2].

    Returns:
        Bools [N, 2, B + 2] and [N, 2, B].
    """
    count = inputs.shape[2] + 2
    reads = (inputs[..., None] == np.arange(count)).any(axis=3)  # [N, 2, B, states]
    outputs = ~reads.any(axis=2)[:, :, 2:]
    live = np.concatenate([np.zeros((*outputs.shape[:2], 2), bool), outputs], axis=2)
    for state in range(count - 1, 1, -1):
        live |= live[:, :, state, None] & reads[:, :, state - 2]
    return live, outputs


def _kind(placed: PlacedCell) -> int:
    return NORMAL if placed.stride == 1 else REDUCTION


def _figures(found: Tally | LayerCost) -> tuple[int, int]:
    return found.parameters, found.macs


def _operations(
    placed: PlacedCell, current: Map, previous: int, operations: tuple[str, ...]
) -> np.ndarray:
    """Return the figures of operations by what they read [O * READS, 2].

    Args:
        placed: The cell's place.
        current: Shape of h_i.
        previous: Channels of the second input, matched.
        operations: Their names.
    """
    sides = -(-current[0] // placed.stride), -(-current[1] // placed.stride)
    sources = (
        ((*current[:2], placed.filters), placed.stride),
        ((*current[:2], previous), placed.stride),
        ((*sides, placed.filters), 1),
        ((*sides, 2 * placed.filters), 1),
    )
    rows = []
    for name in operations:
        for shape, stride in sources:
            tally = Tally()
            tally.operation(OPERATIONS[name], shape, placed.filters, stride)
            rows.append(_figures(tally))
    return np.array(rows)


def _current(shape: Map, channels: int, filters: int) -> tuple[int, int]:
    tally = Tally()
    tally.relu_conv_bn((*shape[:2], channels), filters, (1, 1))
    return _figures(tally)


def _previous(shape: Map, channels: int, current: Map, filters: int) -> tuple[int, int]:
    tally = Tally()
    matched(tally, (*shape[:2], channels), current, filters)
    return _figures(tally)
