"""What is retrained: classes of the data set, cells of another size, a hand-made network."""

from dataclasses import dataclass, replace

import pytest

from nas_core.errors import SpecError, UsageError
from nas_core.kinds import IMAGE
from nas_core.retraining.candidates import Candidate, for_classes, found_candidates, rebuilt
from nas_core.spec import ChainSpec, Spec
from nas_net_architecture.network import nasnet_like_small

CHAIN = ChainSpec.from_text("[C(4,3,1), SM(3)]")


@dataclass
class Row:
    spec: Spec
    score: float


def test_chains_and_cells_get_the_data_sets_classes():
    chain = for_classes(ChainSpec.from_text(IMAGE.hand_made), 7)
    assert chain.to_text().endswith("SM(7)]")
    cells = for_classes(nasnet_like_small(), 7)
    assert cells.classes == 7
    assert cells.normal == nasnet_like_small().normal


def test_cells_are_rebuilt_in_three_stacks():
    small = nasnet_like_small()
    larger = rebuilt(small, 4, None)
    assert (larger.stacks, larger.filters) == ((4, 4, 4), small.filters)
    wider = rebuilt(small, None, 48)
    assert (wider.stacks, wider.filters) == (small.stacks, 48)
    assert rebuilt(small, 4, 48) == replace(small, repeats=4, filters=48)
    assert rebuilt(small, None, None) is small
    assert rebuilt(CHAIN, None, None) is CHAIN


@pytest.mark.parametrize(("cells", "filters"), [(2, None), (None, 8)])
def test_chains_have_no_cells(cells, filters):
    with pytest.raises(UsageError, match=r"expected a run of cells .* received one of chains"):
        rebuilt(CHAIN, cells, filters)


@pytest.mark.parametrize(("cells", "filters"), [(65, None), (None, 1 << 20)])
def test_sizes_out_of_range_are_refused(cells, filters):
    with pytest.raises(SpecError):
        rebuilt(nasnet_like_small(), cells, filters)


def test_architectures_that_become_one_are_trained_once():
    small = nasnet_like_small()
    rows = [Row(small, 0.9), Row(replace(small, filters=64), 0.8), Row(CHAIN, 0.7)]
    assert found_candidates(rows[:2], 5, None, 16) == [
        Candidate(replace(small, filters=16, classes=5), 0.9)
    ]
    assert [found.search_score for found in found_candidates(rows, 5, None, None)] == [
        0.9, 0.8, 0.7,
    ]  # fmt: skip
