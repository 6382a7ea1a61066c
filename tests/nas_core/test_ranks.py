"""Rank correlation by hand."""

import pytest

from nas_core.ranks import average_ranks, normal_scores, spearman


def test_ties_share_their_ranks():
    assert average_ranks([10, 20, 10, 30]).tolist() == [1.5, 3.0, 1.5, 4.0]


def test_spearman_by_hand():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    # ranks 1,2,3,4 against 2,1,4,3: 1 - 6 * 4 / (4 * 15) = 0.6
    assert spearman([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(0.6)


def test_nothing_to_say():
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 1, 1], [1, 2, 3]) is None


def test_normal_scores_by_hand():
    # Ranks 1 and 2 of 2: the quantiles of 1/4 and 3/4.
    assert normal_scores([5, 9]).tolist() == pytest.approx([-0.67449, 0.67449], abs=1e-5)
    # Ranks 1.5, 3, 1.5: the quantiles of 1/3, 5/6, 1/3.
    assert normal_scores([2, 7, 2]).tolist() == pytest.approx(
        [-0.43073, 0.96742, -0.43073], abs=1e-5
    )
    assert normal_scores([4, 4, 4]).tolist() == pytest.approx([0, 0, 0])
    assert normal_scores([]).tolist() == []
