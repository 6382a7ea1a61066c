"""A cell as a layered graph: its nodes by rank, in an order that crosses few lines.

Rank 0 holds the cell's inputs, a block comes one rank after the later of its two inputs, and the
output comes last. A state that is read further on has a waypoint in every rank between, which all
its readers share, so that one line leads past the blocks in the way (Sugiyama et al. 1981).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from nas_core.spec import Cell
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS

OUTPUT = -1  # stands for the cell's output where a number of a state is expected


@dataclass(frozen=True, order=True)
class Item:
    """Something that stands in a rank.

    Attributes:
        state: The hidden state that it makes or hands on; `OUTPUT` for the cell's output.
        rank: Its column.
        waypoint: Whether it only leads the state's line past this rank.
    """

    state: int
    rank: int
    waypoint: bool = False


@dataclass(frozen=True)
class Link:
    """A line between neighbouring ranks.

    Attributes:
        start: Where it comes from.
        end: Where it goes.
        slot: Which of the reader's inputs it is; 0 for a waypoint.
    """

    start: Item
    end: Item
    slot: int = 0


class CellGraph:
    """The live part of a cell.

    Attributes:
        cell: What is drawn.
        items: Every node and waypoint.
        links: Every line; two inputs that read the same state have one each.
    """

    def __init__(self, cell: Cell) -> None:
        """Rank the blocks and lead every line through its waypoints."""
        self.cell = cell
        self._ranks = {state: 0 for state in (PREVIOUS, CURRENT) if state in cell.live}
        for state in sorted(cell.live - {CURRENT, PREVIOUS}):
            sources = [source for source, _ in cell.blocks[state - 2].edges]
            self._ranks[state] = 1 + max(self._ranks[source] for source in sources)
        self._ranks[OUTPUT] = 1 + max(self._ranks.values())
        self.items = [Item(state, rank) for state, rank in self._ranks.items()]
        self.links: list[Link] = []
        for reader in [item for item in self.items if item.rank > 0]:
            for slot, source in enumerate(self.reads(reader.state)):
                self.links.append(Link(self._led_to(source, reader.rank - 1), reader, slot))

    def reads(self, state: int) -> tuple[int, ...]:
        """Return the states that a block, or the output, reads; in the order of its slots."""
        if state == OUTPUT:
            return self.cell.outputs
        return tuple(source for source, _ in self.cell.blocks[state - 2].edges)

    def _led_to(self, source: int, rank: int) -> Item:
        """Return where a state's line stands in `rank`, led there if it is new."""
        if rank == self._ranks[source]:
            return Item(source, rank)
        item = Item(source, rank, waypoint=True)
        if item not in self.items:
            before = self._led_to(source, rank - 1)
            self.items.append(item)
            self.links.append(Link(before, item))
        return item

    @cached_property
    def ranks(self) -> list[list[Item]]:
        """The items of every rank, from top to bottom, so that few lines cross."""
        found: list[tuple[int, list[list[Item]]]] = []
        for reverse in (False, True):
            ranks = self._by_means(reverse)
            self._swap(ranks)
            found.append((self.crossings(ranks), ranks))
        return min(found, key=lambda pair: pair[0])[1]

    def _by_means(self, reverse: bool) -> list[list[Item]]:
        """Order each rank by where its items' lines come from, on an average."""
        last = self._ranks[OUTPUT]
        ranks = [[item for item in self.items if item.rank == rank] for rank in range(last + 1)]
        ranks[0].sort(reverse=reverse)
        for before, rank in pairwise(ranks):
            place = {item: float(index) for index, item in enumerate(before)}
            came = {item: [place[k.start] for k in self.links if k.end == item] for item in rank}
            rank.sort(key=lambda item: (sum(came[item]) / len(came[item]), item))
        return ranks

    def _swap(self, ranks: list[list[Item]]) -> None:
        """Exchange neighbours as long as that saves a crossing."""
        fewest, better = self.crossings(ranks), True
        while better:
            better = False
            for rank in ranks:
                for upper in range(len(rank) - 1):
                    rank[upper : upper + 2] = rank[upper + 1], rank[upper]
                    now = self.crossings(ranks)
                    if now < fewest:
                        fewest, better = now, True
                    else:
                        rank[upper : upper + 2] = rank[upper + 1], rank[upper]

    def crossings(self, ranks: Sequence[Sequence[Item]]) -> int:
        """Return how many pairs of lines cross; a reader's inputs are sorted, so its own do not."""
        place = {item: index for rank in ranks for index, item in enumerate(rank)}
        between = defaultdict(list)
        for link in self.links:
            between[link.start.rank].append((place[link.start], place[link.end]))
        return sum(
            one[0] < two[0] and one[1] > two[1]
            for ends in between.values()
            for one in ends
            for two in ends
        )
