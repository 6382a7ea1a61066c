"""One decision changed, the rest kept where it is legal."""

import numpy as np
import pytest
from small_spaces import GridSpace

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.agents.mutation import changed, changes, mutated
from nas_core.space import sample, spec_of
from nas_core.tables.space import Decision, Notation, TableSpace
from nas_net_architecture.chain_config import QUICK_CHAIN
from nas_net_architecture.chain_space import ChainSpace

GRID = GridSpace(3, 2)
CHAINS = MetaQNNSpace(QUICK_SPACE, (32, 32, 3), 10)
SPACES = {"metaqnn": CHAINS, "chain": ChainSpace(QUICK_CHAIN, (32, 32, 3), 10), "grid": GRID}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_neighbours_of_a_grid_are_those_at_distance_one():
    found = changes(GRID, (0, 2))
    assert found == [(0, 1), (0, 2), (1, 0), (1, 1)]
    assert [changed(GRID, (0, 2), change, rng()) for change in found] == [
        (1, 2), (2, 2), (0, 0), (0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_mutations_are_legal_and_complete_on_every_kind_of_space(name):
    space = SPACES[name]
    for seed in range(60):
        before = sample(space, rng(seed))
        after = mutated(space, before, rng(seed))
        spec_of(space, after)  # legal and complete, or it raises
        assert after != before
        first = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
        assert (first, after[first]) in changes(space, before)


def test_what_stays_legal_is_kept():
    convolution = next(a for a in range(CHAINS.n_actions) if CHAINS.describe(a) == "C(16,1,1)")
    other = next(a for a in range(CHAINS.n_actions) if CHAINS.describe(a) == "C(32,1,1)")
    end = next(a for a in range(CHAINS.n_actions) if CHAINS.describe(a) == "SM")
    before = (convolution, convolution, convolution, end)
    assert changed(CHAINS, before, (1, other), rng()) == (convolution, other, convolution, end)
    assert changed(CHAINS, before, (1, end), rng()) == (convolution, end)  # nothing follows an end


def test_the_decision_is_drawn_uniformly_whatever_its_number_of_choices():
    many, few = Decision("many", tuple("abcdefghi")), Decision("few", ("a", "b"))
    space = TableSpace("uneven", (many, few), Notation("{}{}"))
    drawn = rng()
    first = [mutated(space, (0, 0), drawn)[0] != 0 for _ in range(2000)]
    assert np.mean(first) == pytest.approx(0.5, abs=0.04)


def test_a_space_without_a_choice_has_no_neighbour():
    space = TableSpace("one", (Decision("only", ("a",)),), Notation("{}"))
    assert mutated(space, (0,), rng()) == (0,)
