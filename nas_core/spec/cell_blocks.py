"""One cell: blocks of two operations each, and which of their results form the output."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas_core.errors import SpecError
from nas_core.spec.cell_ops import OPERATIONS

COMBINES = ("add", "concat")
MOST_BLOCKS = 12
CURRENT, PREVIOUS = 0, 1  # hidden states 0 and 1 of every cell; blocks count from 2


def whole(name: str, value: Any, smallest: int, largest: int) -> None:
    """Raise SpecError unless `value` is a whole number in the range."""
    if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
        raise SpecError(
            f"expected {name} as a whole number from {smallest} to {largest}, received {value!r}: "
            f"correct the cell architecture"
        )


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise SpecError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise SpecError(f"expected {name} as one of {', '.join(allowed)}, received {value!r}")


@dataclass(frozen=True)
class Block:
    """Two operations on two hidden states, and how their results are joined.

    Attributes:
        input_1: Hidden state that `op_1` reads: 0 the current input h_i, 1 the previous one
            h_{i-1}, 2 and above the blocks in order.
        input_2: Hidden state that `op_2` reads.
        op_1: A name in `OPERATIONS`.
        op_2: A name in `OPERATIONS`.
        combine: ``add`` keeps the number of filters, ``concat`` doubles it.
    """

    input_1: int
    input_2: int
    op_1: str
    op_2: str
    combine: str = "add"

    def __post_init__(self) -> None:
        for value in (self.input_1, self.input_2):
            whole("a block's input", value, 0, MOST_BLOCKS)
        for name in (self.op_1, self.op_2):
            choice("an operation", name, tuple(OPERATIONS))
        choice("combine", self.combine, COMBINES)

    @property
    def edges(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """The two (hidden state, operation) pairs."""
        return (self.input_1, self.op_1), (self.input_2, self.op_2)


@dataclass(frozen=True)
class Cell:
    """Blocks in order, each reading the two cell inputs and earlier blocks.

    Attributes:
        blocks: 1 to `MOST_BLOCKS` blocks.
        concat: Hidden states joined along channels as the cell's output, at least one block among
            them; None for every block that no other block reads (the paper's rule). NASNet-A's
            published masks differ from that rule, so they are written out.

    Raises:
        SpecError: On construction, if the output cannot be reached from the inputs.
    """

    blocks: tuple[Block, ...]
    concat: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        whole("the number of blocks", len(self.blocks), 1, MOST_BLOCKS)
        for state, block in enumerate(self.blocks, start=2):
            if not isinstance(block, Block) or max(block.input_1, block.input_2) >= state:
                raise SpecError(
                    f"expected block {state} to read hidden states 0 to {state - 1}, received "
                    f"{block}: a block reads the two inputs and earlier blocks only"
                )
        if self.concat is not None:
            object.__setattr__(self, "concat", tuple(self.concat))
            self._check_concat(self.concat)

    def _check_concat(self, concat: tuple[int, ...]) -> None:
        last = len(self.blocks) + 1
        for state in concat:
            whole("a state of the cell's output", state, 0, last)
        if len(set(concat)) != len(concat) or max(concat, default=0) < 2:
            raise SpecError(
                f"expected the cell's output as different states from 0 to {last}, a block among "
                f"them, received {concat}: no path leads from the inputs through a block"
            )

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The hidden states that form the output, in ascending order."""
        if self.concat is not None:
            return tuple(sorted(self.concat))
        read = {state for block in self.blocks for state, _ in block.edges}
        return tuple(state for state in range(2, len(self.blocks) + 2) if state not in read)

    @cached_property
    def live(self) -> frozenset[int]:
        """The hidden states that the output depends on."""
        found = set(self.outputs)
        for state in range(len(self.blocks) + 1, 1, -1):
            if state in found:
                found.update(source for source, _ in self.blocks[state - 2].edges)
        return frozenset(found)

    @cached_property
    def width(self) -> int:
        """Output channels divided by the cell's filters."""
        return sum(self.channels(state) for state in self.outputs)

    def channels(self, state: int) -> int:
        """Channels of a hidden state that is joined to the output, divided by the filters."""
        return 2 if state > PREVIOUS and self.blocks[state - 2].combine == "concat" else 1


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """Return a cell as JSON: each block as NASNet's five decisions."""
    blocks = [[b.input_1, b.input_2, b.op_1, b.op_2, b.combine] for b in cell.blocks]
    return {"blocks": blocks, "concat": None if cell.concat is None else list(cell.concat)}


def cell_from_json(value: Any) -> Cell:
    """Read a cell back.

    Raises:
        SpecError: The values are not blocks.
    """
    rows = value.get("blocks") if isinstance(value, dict) else None
    concat = value.get("concat") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not isinstance(concat, (list, tuple, type(None))):
        raise SpecError(
            f"expected a cell as {{'blocks': [...], 'concat': ...}}, received {value!r}"
        )
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 5:
            raise SpecError(
                f"expected a block as [input, input, op, op, combine], received {row!r}"
            )
    return Cell(tuple(Block(*row) for row in rows), None if concat is None else tuple(concat))
