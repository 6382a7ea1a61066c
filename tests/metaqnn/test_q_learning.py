"""Equation 3, the reversed sequence and the table, by hand."""

import numpy as np
import pytest

from metaqnn.q_learning import UNSEEN, QTable, q_update, update_sequence


def test_equation_3_by_hand():
    assert q_update(0.5, 0.0, 0.8, alpha=0.1, gamma=1.0) == pytest.approx(0.53)
    assert q_update(0.5, 0.9, 0.0, alpha=0.01, gamma=1.0) == pytest.approx(0.504)
    assert q_update(0.5, 0.2, 0.5, alpha=0.5, gamma=0.5) == pytest.approx(0.475)


def test_reversed_order_carries_the_reward_to_the_first_decision_in_one_pass():
    rows = [[0.5, 0.5], [0.5, UNSEEN]]
    update_sequence(rows, [1, 0], reward=1.0, alpha=0.5, gamma=1.0)
    # last decision first: 0.5 + 0.5 (1 - 0.5) = 0.75; then 0.5 + 0.5 (0.75 - 0.5) = 0.625
    assert rows == [[0.5, 0.625], [0.75, UNSEEN]]


def test_only_the_last_decision_sees_the_reward():
    rows = [[0.0], [0.0], [0.0]]
    update_sequence(rows, [0, 0, 0], reward=1.0, alpha=1.0, gamma=0.5)
    assert rows == [[0.25], [0.5], [1.0]]


def test_the_next_states_maximum_is_over_actions_seen_legal():
    rows = [[0.5], [0.5, UNSEEN, 0.9]]
    update_sequence(rows, [0, 0], reward=0.5, alpha=1.0, gamma=1.0)
    assert rows[0] == [0.9]


def test_table():
    table = QTable(3, initial=0.5)
    assert table.values("s").tolist() == [0.5, 0.5, 0.5]
    assert len(table) == 0  # looking creates nothing
    row = table.row("s", np.array([True, False, True]))
    assert row == [0.5, UNSEEN, 0.5]
    row[0] = 0.7
    assert table.row("s", np.array([False, True, True])) is row
    assert row == [0.7, 0.5, 0.5]
    copy = QTable(3, initial=0.5)
    for key, values in table.items():
        copy.load(key, values)
    assert list(copy.items()) == list(table.items())
