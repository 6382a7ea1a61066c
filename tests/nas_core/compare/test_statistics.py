"""Intervals and probabilities against numbers worked by hand."""

import numpy as np
import pytest

from nas_core.compare.statistics import (
    RESAMPLES,
    interquartile_mean,
    interval,
    probability_above,
    resamples,
)


def test_interquartile_mean_drops_the_outer_quarters():
    assert interquartile_mean([8, 1, 3, 2, 100, 5, 4, 6]) == (3 + 4 + 5 + 6) / 4
    assert interquartile_mean([1, 2, 3, 4, 100]) == 3.0  # one of five on each side
    assert interquartile_mean([1, 2, 6]) == 3.0  # a quarter of three is none
    assert interquartile_mean([7]) == 7.0


def test_ties_count_half():
    ours, theirs = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 5.0, 4.0])
    assert probability_above(ours, theirs) == (0.5 + 1.0 + 0.0 + 0.5) / 4
    assert probability_above(ours, theirs) + probability_above(theirs, ours) == 1.0


def test_every_resample_draws_as_many_seeds_as_there_are():
    weights = resamples(7)
    assert weights.shape == (RESAMPLES, 7)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights * 7, np.rint(weights * 7))
    np.testing.assert_array_equal(weights, resamples(7))


def test_two_seeds_by_hand():
    # Resamples of (0, 1) have means 0, 1/2 and 1 with probabilities 1/4, 1/2 and 1/4.
    weights = resamples(2)
    means = weights @ np.array([0.0, 1.0])
    assert [(means == value).mean() for value in (0.0, 0.5, 1.0)] == pytest.approx(
        [0.25, 0.5, 0.25], abs=0.04
    )
    assert interval(np.array([0.0, 1.0]), weights) == (0.0, 1.0)


def test_the_interval_is_that_of_the_normal_distribution_for_many_seeds():
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    low, high = interval(values, resamples(400))
    wanted = 1.96 * values.std(ddof=1) / 20
    assert (values.mean() - low, high - values.mean()) == pytest.approx((wanted, wanted), rel=0.1)


def test_one_seed_and_whole_curves():
    assert interval(np.array([3.0]), resamples(1)) == (3.0, 3.0)
    curves = np.arange(12.0).reshape(4, 3)
    low, high = interval(curves, resamples(4))
    assert low.shape == high.shape == (3,)
    assert low[1] == interval(curves[:, 1], resamples(4))[0]
    assert (low < curves.mean(axis=0)).all()
    assert (high > curves.mean(axis=0)).all()
