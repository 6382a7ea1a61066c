"""Epsilon-greedy walks side by side: choices by hand, and rows in the order of the walks."""

import numpy as np

from metaqnn.imagination import choices, imagined
from metaqnn.q_learning import QTable
from nas_core.space import FixedWalk


def test_choices_by_hand():
    values = np.array([[0.9, 0.5, 0.7, 0.7]] * 4)
    masks = np.array([[False, True, True, True]] * 4)  # the best is not legal
    chances = np.array([[0.3, 0.49], [0.3, 0.5], [0.29, 0.0], [0.29, 0.99]])
    # Above epsilon one of the two best at random, else one of the three.
    assert choices(values, masks, 0.3, chances).tolist() == [2, 3, 1, 3]


def test_walks_begin_from_the_same_table_and_rows_are_made_walk_by_walk():
    masks = np.array([[True, True, False], [False, True, True]])
    table = QTable(3, 0.5)
    table.load((0, -1), {0: 0.2, 1: 0.4})
    chances = np.array([[[0.9, 0.0], [0.9, 0.6]], [[0.0, 0.0], [0.9, 0.0]]])
    walks = imagined(FixedWalk(masks, 2), table, 0.1, chances)
    assert walks.actions == [(1, 2), (0, 1)]  # greedy and a tie; random and a tie
    assert walks.keys == [[(0, -1), (1, 1)], [(0, -1), (1, 0)]]
    assert walks.sizes is None
    assert len(table) == 1  # nothing is learned while walking
    (late, early), _ = walks.rows(table)
    assert early[0] is table.stored((0, -1))
    assert late == (table.stored((1, 1)), 2)
    assert list(table.items()) == [
        ((0, -1), {0: 0.2, 1: 0.4}),
        ((1, 1), {1: 0.5, 2: 0.5}),
        ((1, 0), {1: 0.5, 2: 0.5}),
    ]
