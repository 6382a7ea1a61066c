"""Equation 3, the reversed sequence and the table, by hand."""

import numpy as np
import pytest

from metaqnn.q_learning import UNSEEN, QTable, Row, q_update, update_sequence


def test_equation_3_by_hand():
    assert q_update(0.5, 0.0, 0.8, alpha=0.1, gamma=1.0) == pytest.approx(0.53)
    assert q_update(0.5, 0.9, 0.0, alpha=0.01, gamma=1.0) == pytest.approx(0.504)
    assert q_update(0.5, 0.2, 0.5, alpha=0.5, gamma=0.5) == pytest.approx(0.475)


def sequence(rows, actions, reward, alpha, gamma):
    """Update rows given from the first decision to the last; return their values."""
    rows = [Row(values) for values in rows]
    steps = list(zip(rows, actions, strict=True))
    update_sequence(reversed(steps), reward, alpha, gamma)
    return [row.values for row in rows]


def test_reversed_order_carries_the_reward_to_the_first_decision_in_one_pass():
    rows = sequence([[0.5, 0.5], [0.5, UNSEEN]], [1, 0], reward=1.0, alpha=0.5, gamma=1.0)
    # last decision first: 0.5 + 0.5 (1 - 0.5) = 0.75; then 0.5 + 0.5 (0.75 - 0.5) = 0.625
    assert rows == [[0.5, 0.625], [0.75, UNSEEN]]


def test_only_the_last_decision_sees_the_reward():
    rows = sequence([[0.0], [0.0], [0.0]], [0, 0, 0], reward=1.0, alpha=1.0, gamma=0.5)
    assert rows == [[0.25], [0.5], [1.0]]


def test_the_next_states_maximum_is_over_actions_seen_legal():
    rows = sequence([[0.5], [0.5, UNSEEN, 0.9]], [0, 0], reward=0.5, alpha=1.0, gamma=1.0)
    assert rows[0] == [0.9]


def test_a_sequence_is_equation_3_applied_backwards():
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows = rng.integers(0, 4, (3, 4)) / 4  # coarse values, so that maxima tie and fall
        actions, reward = rng.integers(0, 4, 3).tolist(), float(rng.random())
        expected, max_q, step_reward = rows.copy(), 0.0, reward
        for place in (2, 1, 0):
            q = expected[place, actions[place]]
            expected[place, actions[place]] = q_update(q, step_reward, max_q, 0.3, 0.9)
            max_q, step_reward = expected[place].max(), 0.0
        found = sequence(rows.tolist(), actions, reward, alpha=0.3, gamma=0.9)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_rows_maximum_follows_every_change():
    rng = np.random.default_rng(0)
    row = Row([0.5, 0.5, UNSEEN])
    for _ in range(500):
        row.set(int(rng.integers(3)), float(rng.integers(10)) / 10)
        assert row.best == max(row.values)


def test_table():
    table = QTable(3, initial=0.5)
    assert table.values("s").tolist() == [0.5, 0.5, 0.5]
    assert len(table) == 0  # looking creates nothing
    row = table.row("s", np.array([True, False, True]))
    assert row.values == [0.5, UNSEEN, 0.5]
    row.set(0, 0.7)
    assert table.row("s", np.array([False, True, True])) is row
    assert row.values == [0.7, 0.5, 0.5]
    copy = QTable(3, initial=0.5)
    for key, values in table.items():
        copy.load(key, values)
    assert list(copy.items()) == list(table.items())
