"""Isomorphic cells share a canonical form, and only those do: checked against brute force."""

from itertools import permutations

import numpy as np
import pytest

from nas_core.spec import Block, Cell
from nas_core.spec.cell_canonical import canonical_cell

OPERATIONS = ("sep3", "max3")  # few, so that symmetric cells are common


def random_cell(rng, blocks, names=OPERATIONS, adding=0.8):
    """Draw a cell; half of the time some of its blocks are dead."""
    drawn = tuple(
        Block(
            *(int(value) for value in rng.integers(0, state, 2)),
            *(str(name) for name in rng.choice(names, 2)),
            "add" if rng.random() < adding else "concat",
        )
        for state in range(2, blocks + 2)
    )
    if rng.random() < 0.5:
        return Cell(drawn)
    chosen = {state for state in range(blocks + 2) if rng.random() < 0.4} | {blocks + 1}
    return Cell(drawn, concat=tuple(sorted(chosen)))


def reordered(cell, order):
    """Write blocks in another order (positions of the old blocks); None if one reads ahead."""
    number = {0: 0, 1: 1} | {old + 2: new for new, old in enumerate(order, start=2)}
    blocks = []
    for state, old in enumerate(order, start=2):
        block = cell.blocks[old]
        inputs = number[block.input_1], number[block.input_2]
        if max(inputs) >= state:
            return None
        blocks.append(Block(inputs[1], inputs[0], block.op_2, block.op_1, block.combine))
    return Cell(tuple(blocks), tuple(number[state] for state in cell.outputs))


def brute_force(cell):
    """The smallest of all ways to write the live blocks."""
    live = sorted(cell.live - {0, 1})
    found = []
    for order in permutations(live):
        number = {0: 0, 1: 1} | {old: new for new, old in enumerate(order, start=2)}
        rows = [
            (
                sorted((number[s], op) for s, op in cell.blocks[old - 2].edges),
                cell.blocks[old - 2].combine,
            )
            for old in order
        ]
        found.append(repr((rows, sorted(number[state] for state in cell.outputs))))
    return min(found)


@pytest.mark.parametrize("blocks", [1, 2, 3, 5])
def test_every_order_of_the_blocks_has_one_form(blocks):
    rng = np.random.default_rng(blocks)
    for _ in range(25):
        cell = random_cell(rng, blocks)
        forms = {canonical_cell(cell)}
        for order in permutations(range(blocks)):
            other = reordered(cell, order)
            if other is not None:
                forms.add(canonical_cell(other))
        assert len(forms) == 1


def test_equal_forms_exactly_for_isomorphic_cells():
    rng = np.random.default_rng(0)
    cells = [random_cell(rng, 4, names=("sep3",), adding=1.0) for _ in range(800)]
    ours: dict = {}
    theirs: dict = {}
    for number, cell in enumerate(cells):
        ours.setdefault(canonical_cell(cell), []).append(number)
        theirs.setdefault(brute_force(cell), []).append(number)
    assert sorted(ours.values()) == sorted(theirs.values())
    assert 200 < len(ours) < 700  # both equal and different cells were drawn


def test_a_canonical_cell_is_its_own_form_and_has_no_dead_block():
    rng = np.random.default_rng(1)
    for _ in range(100):
        form = canonical_cell(random_cell(rng, 6))
        assert canonical_cell(form) == form
        assert len(form.live - {0, 1}) == len(form.blocks)


def test_a_block_read_twice_is_not_two_equal_blocks():
    pair = Block(0, 1, "sep3", "sep3")
    read_twice = Cell((pair, pair, Block(2, 2, "max3", "max3")), concat=(3, 4))
    read_once_each = Cell((pair, pair, Block(2, 3, "max3", "max3")), concat=(3, 4))
    assert canonical_cell(read_twice) != canonical_cell(read_once_each)


def test_twelve_equal_blocks_cost_no_factorial():
    twins = Cell((Block(0, 1, "sep3", "sep3"),) * 12)
    assert canonical_cell(twins) == Cell(twins.blocks, concat=tuple(range(2, 14)))
