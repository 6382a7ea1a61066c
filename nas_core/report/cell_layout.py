"""Where the parts of a drawn cell stand: places in pixels, from left to right."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from nas_core.report.cell_graph import OUTPUT, CellGraph, Item
from nas_core.spec import Cell

INPUT_WIDTH, OP_WIDTH, COMBINE_WIDTH, OUTPUT_WIDTH = 78.0, 64.0, 49.0, 52.0
BLOCK_WIDTH = OP_WIDTH + 14.0 + COMBINE_WIDTH
GAP = 36.0  # between ranks, where lines bend
OP_HEIGHT = 22.0
SLOT = 14.0  # from a block's middle to that of either operation
PORT = 9.0  # between the lines that meet in the output
ROUNDS = 30  # of straightening
WEIGHTS = (1, 3, 9)  # of a straight line between nodes, with one waypoint, between waypoints

Line = tuple[float, float, float, float]  # x and y of both ends


@dataclass(frozen=True)
class Placed:
    """A node in its place.

    Attributes:
        item: Which.
        left: Of its box.
        middle: Of its height.
        slots: For each of its inputs, in the order of the specification, how far below the middle
            its line ends.
    """

    item: Item
    left: float
    middle: float
    slots: tuple[float, ...] = field(default=())

    @property
    def right(self) -> float:
        """Where its lines begin."""
        return self.left + _width(self.item)


@dataclass(frozen=True)
class Layout:
    """A cell that can be drawn.

    Attributes:
        nodes: Inputs, blocks and the output; no waypoints.
        lines: By the hidden state that they lead on.
        top: Smallest y.
        width: Largest x; the smallest is 0.
        bottom: Largest y.
    """

    nodes: tuple[Placed, ...]
    lines: dict[int, list[Line]]
    top: float
    width: float
    bottom: float


def lay_out(cell: Cell) -> Layout:
    """Return the places of all that is drawn of a cell."""
    graph = CellGraph(cell)
    slots = {item: _slots(graph, item) for item in graph.items}
    middles = _straightened(graph, slots)
    placed = {item: Placed(item, _left(item), middles[item], slots[item]) for item in graph.items}
    lines: dict[int, list[Line]] = defaultdict(list)
    for link in graph.links:
        lines[link.start.state].append(_line(placed[link.start], placed[link.end], link.slot))
    for node in placed.values():
        if node.item.waypoint:
            lines[node.item.state].append((node.left, node.middle, node.right, node.middle))
    nodes = tuple(node for node in placed.values() if not node.item.waypoint)
    return Layout(
        nodes,
        dict(lines),
        min(middles[item] - _height(graph, item) / 2 for item in graph.items),
        max(node.right for node in nodes),
        max(middles[item] + _height(graph, item) / 2 for item in graph.items),
    )


def _line(start: Placed, end: Placed, slot: int) -> Line:
    below = end.slots[slot] if end.slots else 0.0
    return start.right, start.middle, end.left, end.middle + below


def _width(item: Item) -> float:
    if item.state == OUTPUT:
        return OUTPUT_WIDTH
    return INPUT_WIDTH if item.rank == 0 else BLOCK_WIDTH


def _left(item: Item) -> float:
    if item.rank == 0:
        return 0.0
    return INPUT_WIDTH + GAP + (item.rank - 1) * (BLOCK_WIDTH + GAP)


def _height(graph: CellGraph, item: Item) -> float:
    if item.waypoint:
        return 0.0
    if item.state == OUTPUT:
        return OP_HEIGHT + PORT * (len(graph.cell.outputs) - 1)
    return OP_HEIGHT if item.rank == 0 else 2 * SLOT + OP_HEIGHT


def _gap(upper: Item, lower: Item) -> float:
    """Return the least distance between two neighbours of a rank."""
    return 15.0 if upper.waypoint or lower.waypoint else 20.0


def _slots(graph: CellGraph, item: Item) -> tuple[float, ...]:
    """Return where a node's lines end, below its middle: sorted as their starts are."""
    if item.waypoint or item.rank == 0:
        return ()
    place = {other: index for index, other in enumerate(graph.ranks[item.rank - 1])}
    starts = {link.slot: place[link.start] for link in graph.links if link.end == item}
    order = sorted(starts, key=lambda slot: (starts[slot], slot))
    step = PORT if item.state == OUTPUT else 2 * SLOT
    middle = (len(order) - 1) / 2
    return tuple(step * (order.index(slot) - middle) for slot in range(len(order)))


def _straightened(graph: CellGraph, slots: dict[Item, tuple[float, ...]]) -> dict[Item, float]:
    """Return the middle of every item: near what it is linked to, and clear of its neighbours."""
    middles = dict.fromkeys(graph.items, 0.0)
    for turn in range(ROUNDS):
        for rank in graph.ranks if turn % 2 == 0 else reversed(graph.ranks):
            wanted = [_wanted(graph, slots, middles, item) for item in rank]
            room = [
                (_height(graph, one) + _height(graph, two)) / 2 + _gap(one, two)
                for one, two in pairwise(rank)
            ]
            middles |= dict(zip(rank, spread(wanted, room), strict=True))
    return middles


def _wanted(
    graph: CellGraph, slots: dict[Item, tuple[float, ...]], middles: dict[Item, float], item: Item
) -> list[float]:
    """Return the middles at which one of an item's lines would be straight, by its importance."""
    places: list[float] = []
    for link in graph.links:
        if item in (link.start, link.end):
            below = slots[link.end][link.slot] if slots[link.end] else 0.0
            other = middles[link.end] + below if item == link.start else middles[link.start] - below
            places += [other] * WEIGHTS[link.start.waypoint + link.end.waypoint]
    return places


def spread(wanted: Sequence[Sequence[float]], room: Sequence[float]) -> list[float]:
    """Return places that keep order and distances, with the least sum of distances to `wanted`.

    A sum of distances, not of squares: an item then stands exactly where one of its lines is
    straight, or midway between two, and not a few pixels beside both.

    Args:
        wanted: For each item, in order, one place or more; may be in another order.
        room: Least distance between each item and the next.
    """
    shifts = [0.0]
    for distance in room:
        shifts.append(shifts[-1] + distance)
    # Without the distances the places only have to rise: pool those that do not (isotonic).
    pools: list[tuple[list[float], int]] = []  # what a pool's items want, how many they are
    for places, shift in zip(wanted, shifts, strict=True):
        pool, count = [place - shift for place in places], 1
        while pools and median(pools[-1][0]) > median(pool):
            before, many = pools.pop()
            pool, count = before + pool, many + count
        pools.append((pool, count))
    levels = [median(pool) for pool, count in pools for _ in range(count)]
    return [level + shift for level, shift in zip(levels, shifts, strict=True)]
