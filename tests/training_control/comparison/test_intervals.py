"""Interquartile means and their intervals, against numbers worked by hand."""

import numpy as np
import pytest

from nas_core.compare.statistics import interquartile_mean
from nas_core.errors import UsageError
from training_control.comparison.intervals import (
    difference,
    draws,
    interquartile_means,
    mean_of_tasks,
    mean_with_interval,
)


def test_the_middle_half_of_each_row_is_averaged():
    samples = np.array([[0.0, 2.0, 4.0, 100.0], [1.0, 1.0, 1.0, 1.0]])
    assert interquartile_means(samples) == pytest.approx([3.0, 1.0])


def test_rows_agree_with_the_mean_of_one():
    samples = np.random.default_rng(0).random((5, 11))
    expected = [interquartile_mean(row) for row in samples]
    assert interquartile_means(samples) == pytest.approx(expected)


def test_seeds_are_drawn_within_their_task():
    drawn = draws([np.zeros(3), np.zeros(5)])
    assert [d.shape[1] for d in drawn] == [3, 5]
    assert [int(d.max()) for d in drawn] == [2, 4]
    assert not np.array_equal(drawn[0][:, :3], drawn[1][:, :3])


def test_a_constant_shift_is_known_exactly():
    rng = np.random.default_rng(1)
    theirs = [rng.random(10), 5 + rng.random(10)]
    found = difference([scores + 0.25 for scores in theirs], theirs)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert (found.of_tasks, found.of_tasks_low, found.of_tasks_high) == pytest.approx((0.25,) * 3)
    assert (found.probability, found.pairs, found.seeds) == (1.0, 20, 10)


def test_by_task_no_task_is_cut_off():
    # Of 12 scores the middle six are those of the second and half of the others: a gain on the
    # lowest task is cut off; by task it counts a third.
    theirs = [np.full(4, level) for level in (0.1, 0.5, 0.9)]
    ours = [theirs[0] + 0.3, theirs[1], theirs[2]]
    found = difference(ours, theirs)
    assert found.value == pytest.approx((0.4 + 4 * 0.5 + 0.9) / 6 - (0.1 + 4 * 0.5 + 0.9) / 6)
    assert found.of_tasks == pytest.approx(0.1)
    assert mean_of_tasks(theirs) == pytest.approx(0.5)


def test_pairs_of_the_same_seed_are_compared():
    luck = np.random.default_rng(2).normal(size=10)
    paired = difference([luck + 0.1], [luck])
    shuffled = difference([luck + 0.1], [luck[::-1]])
    assert paired.high - paired.low < 0.01 < shuffled.high - shuffled.low


def test_the_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        low, high = mean_with_interval([rng.normal(size=20) for _ in range(3)])[1:]
        hits += low <= 0.0 <= high
    assert 88 <= hits <= 99


def test_what_does_not_pair_up_is_refused():
    with pytest.raises(UsageError, match="the same tasks and seeds"):
        difference([np.zeros(3)], [np.zeros(2)])
    with pytest.raises(UsageError, match="at least one score"):
        mean_with_interval([])
    with pytest.raises(UsageError, match="at least one score"):
        difference([np.zeros(0)], [np.zeros(0)])
