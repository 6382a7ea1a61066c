"""The NASNet search space: two cells of B blocks, five decisions a block (Zoph et al. 2018, §3).

Decisions of a block in order: input 1, input 2, operation 1, operation 2, how to combine; first
all blocks of the normal cell, then those of the reduction cell. Actions are numbered once for all
decisions: hidden states 0 to B, then operations, then ``add`` and ``concat``.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nas_core.cost import Limits, cost
from nas_core.cost.cell_arrays import Blocks, CellSizes
from nas_core.errors import SpecError, UsageError
from nas_core.space import FixedWalk, Masks, require_legal
from nas_core.spec import OPERATION_PRESETS, OPERATIONS, Block, Cell, CellSpec, Spec
from nas_core.spec.cell_blocks import COMBINES, MOST_BLOCKS

State = tuple[int, ...]  # the decisions taken
KINDS = ("input 1", "input 2", "operation 1", "operation 2", "combine")
PER_BLOCK = len(KINDS)
NO_LIMITS = Limits()


@dataclass(frozen=True)
class CellSpaceConfig:
    """What cells are made of and what networks are built from them.

    Attributes:
        blocks: B of each cell, 1 to 12.
        operations: Names among `nas_core.spec.OPERATIONS`, at least one.
        repeats: Normal cells in each stack; a number N means three stacks of N.
        filters: Of the first stack.
        stem_multiplier: The stem has this many times as many.
        limits: Costs that masks keep every network within.
    """

    blocks: int = 5
    operations: tuple[str, ...] = OPERATION_PRESETS["paper"]
    repeats: tuple[int, ...] | int = 2
    filters: int = 32
    stem_multiplier: int = 3
    limits: Limits = NO_LIMITS

    def __post_init__(self) -> None:
        whole = isinstance(self.blocks, int) and not isinstance(self.blocks, bool)
        if not whole or not 1 <= self.blocks <= MOST_BLOCKS:
            raise UsageError(
                f"expected 1 to {MOST_BLOCKS} blocks a cell, received {self.blocks!r}: change B"
            )
        known, given = set(OPERATIONS), self.operations
        if not given or not set(given) <= known or len(set(given)) < len(given):
            raise UsageError(
                f"expected different operations among {', '.join(OPERATIONS)}, "
                f"received {given!r}: correct the list"
            )


PAPER_CELLS = CellSpaceConfig()
# Forty decisions, and children of seconds: one normal and one reduction cell.
QUICK_CELLS = CellSpaceConfig(
    blocks=4, operations=OPERATION_PRESETS["small"], repeats=(1, 0), filters=16, stem_multiplier=1
)


class CellSpace:
    """Pairs of cells as sequences of 10 B decisions."""

    def __init__(
        self,
        config: CellSpaceConfig,
        image_shape: tuple[int, int, int],
        classes: int,
        name: str = "nasnet",
    ) -> None:
        """Number the actions and check that the limits leave at least one network.

        Raises:
            SpecError: Filters, repeats or classes out of range, or not even the smallest network
                is within the limits.
        """
        self.name = name
        self.image_shape = image_shape
        self.classes = classes
        self._config = config
        self._states = config.blocks + 1
        self._first_combine = self._states + len(config.operations)
        self.n_actions = self._first_combine + len(COMBINES)
        self.n_steps = 2 * PER_BLOCK * config.blocks
        self._by_position = self._position_masks()
        self._nothing = np.zeros(self.n_actions, bool)
        self._masks = Masks(self._within_limits)
        smallest = self.spec(self._completed(()))
        if not self._fits(smallest):
            raise SpecError(
                f"expected limits that some network meets, received {config.limits} for images "
                f"{image_shape}: raise them or use smaller images"
            )

    def _position_masks(self) -> np.ndarray:
        """Return what exists at each decision [n_steps, n_actions], limits aside."""
        masks = np.zeros((self.n_steps, self.n_actions), bool)
        for position in range(self.n_steps):
            block, kind = self._place(position)
            if kind < 2:
                masks[position, : block + 2] = True
            elif kind < 4:
                masks[position, self._states : self._first_combine] = True
            else:
                masks[position, self._first_combine :] = True
        masks.flags.writeable = False
        return masks

    def _place(self, position: int) -> tuple[int, int]:
        """Return a decision's block in its cell and its place in the block."""
        block, kind = divmod(position, PER_BLOCK)
        return block % self._config.blocks, kind

    @property
    def fixed_masks(self) -> np.ndarray | None:
        """The masks of all decisions [n_steps, n_actions]; None where limits narrow them."""
        return self._by_position if self._config.limits == NO_LIMITS else None

    def walk(self, batch: int) -> FixedWalk | None:
        """Begin `batch` networks side by side; None where limits narrow the masks."""
        fixed = self.fixed_masks
        return None if fixed is None else FixedWalk(fixed, batch)

    def initial(self) -> State:
        """Return the state with nothing decided."""
        return ()

    def is_terminal(self, state: State) -> bool:
        """Return whether both cells are complete."""
        return len(state) == self.n_steps

    def key(self, state: State) -> tuple[int, int]:
        """Return the number of the decision and the action before it (-1 for none)."""
        return len(state), state[-1] if state else -1

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions], not to be changed."""
        if self.is_terminal(state):
            return self._nothing
        if self._config.limits == NO_LIMITS:
            return self._by_position[len(state)]
        return self._masks[state]

    def _within_limits(self, state: State) -> np.ndarray:
        """Keep the actions after which the plainest way to finish stays within the limits.

        That way goes on from each of its own states, so that no mask is ever empty.
        """
        allowed = self._by_position[len(state)]
        mask = allowed.copy()
        known = self._completed(state)[len(state)]  # within the limits, as the state was met
        for action in np.flatnonzero(allowed).tolist():
            fine = action == known
            mask[action] = fine or self._fits(self.spec(self._completed((*state, action))))
        return mask

    def _completed(self, state: State) -> State:
        """Finish plainly: blocks read the first two unread ones, by the cheapest operation."""
        while not self.is_terminal(state):
            block, kind = self._place(len(state))
            if kind < 2:
                state = (*state, self._plain_input(state, block, kind))
            elif kind < 4:
                state = (*state, self._states + self._cheapest)
            else:
                state = (*state, self._first_combine)
        return state

    def _plain_input(self, state: State, block: int, kind: int) -> int:
        """Return the block that nobody reads yet, else the current input: outputs stay few."""
        start = len(state) - kind - block * PER_BLOCK
        own = state[start:]
        read = {own[k] for k in range(len(own)) if k % PER_BLOCK < 2}
        return next((b for b in range(2, block + 2) if b not in read), 0)

    @cached_property
    def _cheapest(self) -> int:
        """The number of the operation whose network costs least."""

        def macs(number: int) -> tuple[int, int]:
            block = Block(0, 0, *[self._config.operations[number]] * 2)
            found = cost(self._network(Cell((block,)), Cell((block,))), self.image_shape)
            return found.macs, found.parameters

        return min(range(len(self._config.operations)), key=macs)

    def _fits(self, spec: Spec) -> bool:
        found = cost(spec, self.image_shape)
        return self._config.limits.allow_cost(found)

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is not legal here.
        """
        require_legal(self, state, action)
        return (*state, action)

    def _network(self, normal: Cell, reduction: Cell) -> CellSpec:
        config = self._config
        return CellSpec(
            normal,
            reduction,
            repeats=config.repeats,
            filters=config.filters,
            classes=self.classes,
            stem_multiplier=config.stem_multiplier,
        )

    def spec(self, state: State) -> CellSpec:
        """Return the network of a finished sequence of decisions."""
        half = self.n_steps // 2
        return self._network(self._cell(state[:half]), self._cell(state[half:]))

    def sizes(self, actions: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return parameters and MACs of finished sequences (see `nas_core.space.Sized`)."""
        rows = actions.T.reshape(-1, 2, self._config.blocks, PER_BLOCK)
        inputs, operations = rows[..., :2], rows[..., 2:4] - self._states
        return self._sizes(Blocks(inputs, operations, rows[..., 4] != self._first_combine))

    @cached_property
    def _sizes(self) -> CellSizes:
        outline = self.spec(self._completed(()))
        return CellSizes(outline, self.image_shape, self._config.operations)

    def _cell(self, actions: State) -> Cell:
        names, states, first = self._config.operations, self._states, self._first_combine
        return Cell(
            tuple(
                Block(one, two, names[op_1 - states], names[op_2 - states], COMBINES[how - first])
                for one, two, op_1, op_2, how in zip(
                    *(actions[kind::PER_BLOCK] for kind in range(PER_BLOCK)), strict=True
                )
            )
        )

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`, its blocks in their order.

        Raises:
            SpecError: The network is not in this space.
        """
        if not isinstance(spec, CellSpec):
            raise SpecError(f"expected cells, received {type(spec).__name__}")
        actions = (*self._cell_actions(spec.normal), *self._cell_actions(spec.reduction))
        state = self.initial()
        for action in actions:
            state = self.step(state, action)
        if not self.is_terminal(state) or self.spec(state).digest != spec.digest:
            raise SpecError(
                f"expected {self._config.blocks} blocks a cell, unread blocks as the output and "
                f"the space's filters and repeats, received {spec.to_text()[:120]}"
            )
        return actions

    def _cell_actions(self, cell: Cell) -> list[int]:
        names, actions = self._config.operations, []
        for block in cell.blocks:
            for name in (block.op_1, block.op_2):
                if name not in names:
                    raise SpecError(
                        f"expected operations of the space {self.name}, received {name}"
                    )
            actions += [block.input_1, block.input_2]
            actions += [self._states + names.index(name) for name in (block.op_1, block.op_2)]
            actions.append(self._first_combine + COMBINES.index(block.combine))
        return actions

    def describe(self, action: int) -> str:
        """Return an action in a few characters: ``h0``, ``sep3``, ``add``."""
        if action < self._states:
            return f"h{action}"
        if action < self._first_combine:
            return self._config.operations[action - self._states]
        return COMBINES[action - self._first_combine]

    def decision_name(self, number: int) -> str:
        """Return what decision `number` is about, such as ``normal h2: input 1``.

        A block is named by the hidden state that it makes, as other blocks' inputs name it.
        """
        block, kind = self._place(number)
        cell = "normal" if number < self.n_steps // 2 else "reduction"
        return f"{cell} h{block + 2}: {KINDS[kind]}"

    def config(self) -> dict[str, Any]:
        """Return what identifies the space."""
        return {
            "space": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            **asdict(self._config),
        }
