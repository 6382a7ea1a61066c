"""Spaces of tables: published names, rows, masks."""

import itertools

import numpy as np
import pytest
from tiny_tables import CODES, DECISIONS, SPACE

from nas_core.errors import SpecError
from nas_core.space import SearchSpace, follow, spec_of
from nas_core.spec import ChainSpec, TableSpec
from nas_core.tables.published import NASBENCH201, NASBENCH_MACRO
from nas_core.tables.space import Decision, Notation, TableSpace

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"


def test_published_spaces_have_their_published_names_and_sizes():
    cells, chains = NASBENCH201.space(), NASBENCH_MACRO.space()
    assert (cells.size, cells.n_steps, cells.n_actions) == (15_625, 6, 5)
    assert (chains.size, chains.n_steps, chains.n_actions) == (6_561, 8, 3)
    # edges in the order (0,1) (0,2) (1,2) (0,3) (1,3) (2,3); codes as in the published table
    assert spec_of(cells, (3, 0, 1, 4, 2, 0)).to_text() == CELL
    assert spec_of(chains, (2, 2, 2, 1, 2, 2, 0, 2)).to_text() == "22212202"
    assert [cells.decision_name(n) for n in (0, 2, 5)] == ["edge 0>1", "edge 1>2", "edge 2>3"]


def test_different_choices_at_each_decision_are_masked():
    assert isinstance(SPACE, SearchSpace)
    words = [SPACE.describe(action) for action in range(SPACE.n_actions)]
    assert words == ["conv3", "conv5", "pool", "skip"]
    assert SPACE.legal(()).tolist() == [True, True, True, False]
    assert SPACE.legal((2,)).tolist() == [True, False, False, True]
    assert not SPACE.legal((2, 0)).any()
    np.testing.assert_array_equal(SPACE.fixed_masks, [SPACE.legal(()), SPACE.legal((2,))])
    with pytest.raises(SpecError):
        SPACE.step((0,), 1)


def test_every_row_is_numbered_once_and_found_again():
    specs = []
    for actions in itertools.product(range(4), repeat=2):
        try:
            specs.append(spec_of(SPACE, actions))
        except SpecError:
            continue
        assert SPACE.encode(specs[-1]) == actions
    assert [SPACE.row(spec) for spec in specs] == list(range(SPACE.size))
    assert [spec.to_text() for spec in specs] == SPACE.texts()
    assert [SPACE.text(row) for row in range(6)] == SPACE.texts()
    assert SPACE.codes().tolist() == CODES
    assert len({spec.digest for spec in specs}) == 6


@pytest.mark.parametrize(
    "spec",
    [
        TableSpec("other", ("conv3", "skip"), "conv3 skip"),
        TableSpec("table", ("conv3", "pool"), "conv3 pool"),
        TableSpec("table", ("conv3",), "conv3"),
        ChainSpec.from_text("[SM(2)]"),
    ],
)
def test_a_foreign_architecture_is_not_in_the_table(spec):
    with pytest.raises(SpecError, match="not in the table"):
        SPACE.row(spec)
    with pytest.raises(SpecError, match="not in the table"):
        SPACE.encode(spec)


def test_states_tell_decision_and_counts_apart():
    assert SPACE.key(()) == (0, (0, 0, 0, 0))
    assert SPACE.key(follow(SPACE, (2,))) == (1, (0, 0, 1, 0))
    assert SPACE.key(follow(SPACE, (0, 0))) == (2, (2, 0, 0, 0))


@pytest.mark.parametrize(
    ("decisions", "template"),
    [
        ((), ""),
        ((Decision("a", ()),), "{}"),
        ((Decision("a", ("x", "x")),), "{}"),
        (DECISIONS, "{}"),
    ],
)
def test_impossible_tables_are_refused(decisions, template):
    with pytest.raises(SpecError, match="expected"):
        TableSpace("table", decisions, Notation(template))
