"""The canonical form of cells: isomorphic cells become equal, and dead parts disappear.

What counts as the same: the order of independent blocks, the order of a block's two inputs and of
the states in a concatenation (a permutation of channels, which the randomly initialised layers
behind absorb), and blocks that the output does not depend on. Blocks that compute the same
expression stay apart, since each has weights of its own.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Any

from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS, Block, Cell, cell_to_json

Edges = tuple[tuple[int, str], tuple[int, str]]
Colours = dict[int, int]


def canonical_cell(cell: Cell) -> Cell:
    """Return the representative of all cells isomorphic to `cell`, its output written out."""
    return _smallest(_Graph(cell), _Graph(cell).first_colours())


def canonical_json(spec: CellSpec) -> dict[str, Any]:
    """Return the JSON values that a digest is taken of; cells that are not placed become None."""
    has_reduction = len(spec.stacks) > 1 or spec.stem == "imagenet"
    normal = canonical_cell(spec.normal)
    # Only a normal cell behind a reduction, one that reads its previous input, notices the skip.
    skips = len(spec.stacks) > 1 and any(spec.stacks[1:]) and PREVIOUS in normal.live
    return {
        **spec.to_json(),
        "normal": cell_to_json(normal),
        "reduction": cell_to_json(canonical_cell(spec.reduction)) if has_reduction else None,
        "skip_reduction": spec.skip_reduction and skips,
    }


class _Graph:
    """The live blocks of a cell as a graph with labelled edges.

    Attributes:
        edges: For each live block's state, its two (source, operation) pairs.
        readers: For each state, the (reader, operation) pairs.
        marks: For each block, what is known without looking at neighbours.
    """

    def __init__(self, cell: Cell) -> None:
        self.edges: dict[int, Edges] = {}
        self.readers: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.marks: dict[int, tuple[int, str, bool]] = {}
        self.outputs = cell.outputs
        depth = {CURRENT: 0, PREVIOUS: 0}
        for state in sorted(cell.live - {CURRENT, PREVIOUS}):
            block = cell.blocks[state - 2]
            self.edges[state] = block.edges
            for source, name in block.edges:
                self.readers[source].append((state, name))
            depth[state] = 1 + max(depth[source] for source, _ in block.edges)
            # Depth comes first, so that sorting by colour is a topological order.
            self.marks[state] = (depth[state], block.combine, state in cell.outputs)

    def first_colours(self) -> Colours:
        """Colour the two inputs apart and the blocks by their marks."""
        return {CURRENT: -2, PREVIOUS: -1, **_ranks(self.marks)}

    def refine(self, colours: Colours) -> Colours:
        """Split colours by the colours of sources and readers until nothing changes."""
        while True:
            keys = {
                state: (
                    colours[state],
                    sorted((colours[source], name) for source, name in edges),
                    sorted((colours[reader], name) for reader, name in self.readers[state]),
                )
                for state, edges in self.edges.items()
            }
            finer = {CURRENT: -2, PREVIOUS: -1, **_ranks(keys)}
            if finer == colours:
                return colours
            colours = finer

    def twin_key(self, state: int) -> Hashable:
        """Return a value that blocks share exactly if swapping them changes nothing."""
        return tuple(sorted(self.edges[state])), tuple(sorted(self.readers[state]))

    def written_in(self, colours: Colours) -> Cell:
        """Return the cell with its blocks in the order of their (all different) colours."""
        order = sorted(self.edges, key=colours.__getitem__)
        number = {CURRENT: 0, PREVIOUS: 1} | {old: new for new, old in enumerate(order, start=2)}
        blocks = []
        for state in order:
            (input_1, op_1), (input_2, op_2) = sorted(
                (number[source], name) for source, name in self.edges[state]
            )
            blocks.append(Block(input_1, input_2, op_1, op_2, self.marks[state][1]))
        return Cell(tuple(blocks), tuple(sorted(number[state] for state in self.outputs)))


def _ranks(keys: Mapping[int, Any]) -> Colours:
    """Number the states by the order of their keys, equal keys alike."""
    ranked: list[Any] = []
    for key in sorted(keys.values()):
        if not ranked or ranked[-1] != key:
            ranked.append(key)
    return {state: ranked.index(key) for state, key in keys.items()}


def _smallest(graph: _Graph, colours: Colours) -> Cell:
    """Refine; where a tie remains, try each tied block first and keep the smallest result."""
    colours = graph.refine(colours)
    classes: dict[int, list[int]] = defaultdict(list)
    for state in graph.edges:
        classes[colours[state]].append(state)
    tied = next((members for _, members in sorted(classes.items()) if len(members) > 1), None)
    if tied is None:
        return graph.written_in(colours)
    # Twins lead to the same results, so one of them is enough: equal blocks cost no factorial.
    candidates = {graph.twin_key(state): state for state in tied}.values()
    found = [_smallest(graph, _put_first(colours, state)) for state in candidates]
    return min(found, key=lambda cell: str(cell_to_json(cell)))


def _put_first(colours: Colours, chosen: int) -> Colours:
    return {
        state: 2 * colour + (state != chosen) if colour >= 0 else colour
        for state, colour in colours.items()
    }
