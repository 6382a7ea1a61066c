"""Where the cells of a network stand: inputs, sizes, filters. Shared by cost model and builder."""

from dataclasses import dataclass, replace

from nas_core.errors import SpecError
from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS, Cell

Map = tuple[int, int, int]  # height, width, channels
AUXILIARY_FILTERS = (128, 768)  # of the auxiliary head's two convolutions


@dataclass(frozen=True)
class PlacedCell:
    """One cell in its place. Tensor 0 is the stem's convolution, tensor i + 1 is cell i's output.

    Attributes:
        name: Such as ``stack1_reduction`` or ``stack2_normal0``; the same place has the same name
            when a network is rebuilt with more cells, so that weights can be matched by name.
        cell: Its blocks.
        stride: 2 for a reduction cell, else 1.
        filters: Filters of each operation.
        current: Number of the tensor h_i.
        previous: Number of the tensor h_{i-1}; the same as `current` for the first cell.
        keep: Probability of keeping a path (1 for no drop-path).
        live: Whether the classifier depends on this cell.
    """

    name: str
    cell: Cell
    stride: int
    filters: int
    current: int
    previous: int
    keep: float = 1.0
    live: bool = True

    @property
    def sources(self) -> set[int]:
        """The tensors that the cell's output depends on."""
        reads = {CURRENT: self.current, PREVIOUS: self.previous}
        return {tensor for state, tensor in reads.items() if state in self.cell.live}


@dataclass(frozen=True)
class Plan:
    """A network's cells in order and the shapes between them.

    Attributes:
        cells: In the order of computation.
        shapes: Of tensor 0 (the stem's convolution) and of every cell's output.
        auxiliary: Number of the tensor that the auxiliary head reads, or None.
    """

    cells: tuple[PlacedCell, ...]
    shapes: tuple[Map, ...]
    auxiliary: int | None


def plan_cells(spec: CellSpec, image_shape: tuple[int, int, int]) -> Plan:
    """Thread (current, previous) through stem and stacks.

    Args:
        spec: A cell specification.
        image_shape: Height, width, channels.

    Raises:
        SpecError: The image is smaller than the stem's window.
    """
    cells, auxiliary = _thread(spec)
    shapes = [_stem_shape(spec, image_shape)]
    for placed in cells:
        height, width, _ = shapes[placed.current]
        # SAME padding: the output has ceil(size / stride) positions.
        sides = -(-height // placed.stride), -(-width // placed.stride)
        shapes.append((*sides, placed.cell.width * placed.filters))
    return Plan(_mark_live(spec, cells, auxiliary), tuple(shapes), auxiliary)


def _stem_shape(spec: CellSpec, image_shape: tuple[int, int, int]) -> Map:
    height, width, _ = image_shape
    if min(image_shape) < 1:
        raise SpecError(
            f"expected height, width and channels of at least 1, received {image_shape}"
        )
    if spec.stem == "cifar":
        return height, width, spec.filters * spec.stem_multiplier
    if min(height, width) < 3:
        raise SpecError(f"expected images of at least 3x3 for this stem, received {image_shape}")
    return (height - 3) // 2 + 1, (width - 3) // 2 + 1, 32 * spec.stem_multiplier


def _thread(spec: CellSpec) -> tuple[list[PlacedCell], int | None]:
    """Place all cells; also return the tensor at two thirds of the depth if a head sits there."""
    cells: list[PlacedCell] = []
    current, previous = 0, 0

    def place(name: str, cell: Cell, stride: int, filters: int, keep_previous: bool) -> None:
        nonlocal current, previous
        cells.append(PlacedCell(name, cell, stride, filters, current, previous))
        current, previous = len(cells), previous if keep_previous else current

    if spec.stem == "imagenet":
        for number, divisor in enumerate((4, 2)):
            filters = spec.filters // divisor
            place(f"stem_reduction{number}", spec.reduction, 2, filters, False)
    auxiliary = None
    for stack, repeats in enumerate(spec.stacks):
        filters = spec.filters << stack
        if stack > 0:
            place(f"stack{stack}_reduction", spec.reduction, 2, filters, spec.skip_reduction)
        for number in range(repeats):
            place(f"stack{stack}_normal{number}", spec.normal, 1, filters, False)
        if spec.auxiliary_head and stack == 2 * len(spec.stacks) // 3 - 1:
            auxiliary = current
    return cells, auxiliary


def _mark_live(
    spec: CellSpec, cells: list[PlacedCell], auxiliary: int | None
) -> tuple[PlacedCell, ...]:
    """Mark what the heads depend on, and give each cell its drop-path rate.

    ScheduledDropPath over depth: keep = 1 - (cell + 1) / cells * (1 - keep).
    """
    needed = {len(cells)} | ({auxiliary} if auxiliary is not None else set())
    marked = []
    for number in range(len(cells), 0, -1):
        placed = cells[number - 1]
        live = number in needed
        needed |= placed.sources if live else set()
        keep = 1.0 - number / len(cells) * (1.0 - spec.drop_path_keep)
        marked.append(replace(placed, keep=keep, live=live))
    return tuple(reversed(marked))
