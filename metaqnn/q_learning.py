"""Tabular Q-learning (paper, section 3, equation 3), as pure updates on rows of a table."""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

UNSEEN = float("-inf")  # an action never legal where this state was met: never the maximum


def q_update(q_tm1: float, reward_t: float, max_q_t: float, alpha: float, gamma: float) -> float:
    """Return (1 - alpha) Q(s, u) + alpha (r + gamma max_u' Q(s', u')): equation 3.

    Args:
        q_tm1: Q-value of the decision taken.
        reward_t: Reward that followed it: the accuracy after the last decision, else 0.
        max_q_t: Largest Q-value of the next state; 0 after the last decision.
        alpha: Learning rate in (0, 1].
        gamma: Discount in [0, 1].
    """
    return (1.0 - alpha) * q_tm1 + alpha * (reward_t + gamma * max_q_t)


def update_sequence(
    rows: Sequence[list[float]],
    actions: Sequence[int],
    reward: float,
    alpha: float,
    gamma: float,
) -> None:
    """Update a whole network's decisions in temporally reversed order, in place.

    The reversed order lets the accuracy reach the first decision in one pass (paper, section 4.3).

    Args:
        rows: Q-values of the states that were decided in, in order; T lists of A numbers.
        actions: The decisions, T of them.
        reward: The network's accuracy, given to the last decision.
        alpha: Learning rate.
        gamma: Discount.
    """
    max_q, step_reward = 0.0, reward
    for row, action in zip(reversed(rows), reversed(actions), strict=True):
        row[action] = q_update(row[action], step_reward, max_q, alpha, gamma)
        max_q, step_reward = max(row), 0.0


class QTable:
    """Q-values by state, created at their initial value when an action is first seen legal."""

    def __init__(self, n_actions: int, initial: float) -> None:
        """Make an empty table of rows with `n_actions` values."""
        self._n_actions = n_actions
        self._initial = initial
        self._rows: dict[Hashable, list[float]] = {}

    def values(self, key: Hashable) -> np.ndarray:
        """Return Q [A] of a state without creating it; unseen actions have the initial value."""
        row = self._rows.get(key)
        if row is None:
            return np.full(self._n_actions, self._initial)
        values = np.array(row)
        values[np.isneginf(values)] = self._initial
        return values

    def row(self, key: Hashable, legal: np.ndarray) -> list[float]:
        """Return the stored row of a state, with every action of `legal` [A] present."""
        row = self._rows.setdefault(key, [UNSEEN] * self._n_actions)
        for action in np.flatnonzero(legal).tolist():
            if row[action] == UNSEEN:
                row[action] = self._initial
        return row

    def __len__(self) -> int:
        return len(self._rows)

    def items(self) -> Iterator[tuple[Hashable, dict[int, float]]]:
        """Yield (state, {action: Q}) in the order in which states were first met."""
        for key, row in self._rows.items():
            yield key, {action: q for action, q in enumerate(row) if q != UNSEEN}

    def load(self, key: Hashable, values: dict[int, float]) -> None:
        """Set a state's row."""
        self._rows[key] = [values.get(action, UNSEEN) for action in range(self._n_actions)]
