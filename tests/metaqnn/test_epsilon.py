"""The schedules, phase by phase, and epsilon-greedy choice."""

import numpy as np
import pytest

from metaqnn.config import PAPER_SCHEDULE, QUICK_SHARES
from metaqnn.epsilon import epsilon_at, epsilon_greedy, scaled_schedule


@pytest.mark.parametrize(
    ("count", "epsilon"),
    [(0, 1.0), (1499, 1.0), (1500, 0.9), (1799, 0.7), (1800, 0.6), (2549, 0.2), (2550, 0.1), (9999, 0.1)],
)  # fmt: skip
def test_paper_schedule(count, epsilon):
    assert epsilon_at(PAPER_SCHEDULE, count) == epsilon


def test_paper_schedule_has_2700_models():
    assert sum(models for _, models in PAPER_SCHEDULE) == 2700


def test_quick_schedule_is_scaled():
    schedule = scaled_schedule(QUICK_SHARES, 300)
    assert schedule == ((1.0, 120), (0.7, 30), (0.5, 30), (0.3, 45), (0.1, 75))
    assert sum(models for _, models in scaled_schedule(QUICK_SHARES, 32)) == 32


def test_greedy_takes_the_best_legal_and_breaks_ties_at_random():
    values = np.array([0.9, 0.5, 0.5, 0.1])
    legal = np.array([False, True, True, True])
    rng = np.random.default_rng(0)
    chosen = [epsilon_greedy(values, legal, 0.0, rng) for _ in range(400)]
    assert set(chosen) == {1, 2}
    assert 140 < chosen.count(1) < 260


def test_exploring_is_uniform_over_legal_actions():
    values = np.array([0.9, 0.5, 0.5, 0.1])
    legal = np.array([False, True, True, True])
    rng = np.random.default_rng(0)
    counts = np.bincount(
        [epsilon_greedy(values, legal, 1.0, rng) for _ in range(3000)], minlength=4
    )
    assert counts[0] == 0
    assert counts[1:].min() > 850


def test_epsilon_is_the_probability_of_exploring():
    values = np.array([0.0, 1.0])
    rng = np.random.default_rng(0)
    chosen = [epsilon_greedy(values, np.array([True, True]), 0.4, rng) for _ in range(4000)]
    assert chosen.count(0) / 4000 == pytest.approx(0.2, abs=0.03)
