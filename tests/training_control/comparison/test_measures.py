"""Convergence, stability and sensitivity, against numbers worked by hand."""

import math

import pytest

from training_control.comparison.measures import (
    censored_median,
    instability,
    intervals_to_plateau,
    intervals_to_target,
    score,
    sensitivity,
)


def test_scores_lie_between_0_and_1():
    assert score("accuracy", {"accuracy": 0.7}) == 0.7
    assert score("f1", {"f1": 0.4, "accuracy": 0.9}) == 0.4
    assert score("mse", {"mse": 0.2, "r2": 0.8}) == 0.8
    assert score("mse", {"mse": 9.0, "r2": -8.0}) == 0.0
    assert score("accuracy", {"accuracy": math.nan}) == 0.0


def test_the_first_loss_at_the_target_counts():
    assert intervals_to_target([2.0, 1.0, 0.5, 0.6, 0.4], 0.5) == 2
    assert intervals_to_target([2.0, None, 1.0], 0.5) is None
    assert intervals_to_target([0.4], 0.5) == 0


def test_a_plateau_begins_at_95_percent_of_the_way():
    assert intervals_to_plateau([2.0, 1.5, 1.04, 1.0, 1.0]) == 2  # 1.05 is to be reached
    assert intervals_to_plateau([2.0, 1.5, 1.06, 1.0]) == 3
    assert intervals_to_plateau([1.0, 1.2, 1.1]) is None
    assert intervals_to_plateau([None, 1.0]) is None
    assert intervals_to_plateau([]) is None


def test_what_is_not_reached_counts_as_late():
    assert censored_median([1.0, 2.0, None]) == 2.0
    assert censored_median([1.0, None, None]) is None
    assert censored_median([1.0, 3.0]) == 2.0
    assert censored_median([1.0, None]) is None  # half of them never
    assert censored_median([]) is None


def test_instability_is_in_factors_of_ten():
    assert instability([[1e-3, 1e-3], [1e-3, 1e-1]]) == pytest.approx(0.5)  # 0 and 1 apart
    assert instability([[1e-3, 1e-2, 5.0], [1e-3, 1e-2]]) == 0.0
    assert instability([]) == 0.0


def test_sensitivity_is_the_middle_over_the_best():
    same = {1e-3: [0.8, 0.8], 1e-2: [0.8, 0.8]}
    assert sensitivity(same) == pytest.approx(1.0)
    collapsed = {1e-5: [0.0], 1e-4: [0.4], 1e-3: [0.8], 1e-2: [0.8]}
    assert sensitivity(collapsed) == pytest.approx(0.6 / 0.8)
    assert sensitivity({1.0: [0.0]}) is None
