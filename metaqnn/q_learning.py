"""Tabular Q-learning (paper, section 3, equation 3), as pure updates on rows of a table."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np

UNSEEN = float("-inf")  # an action never legal where this state was met: never the maximum


class Row:
    """Q-values of one state, with their maximum at hand.

    Attributes:
        values: One number per action, `UNSEEN` for actions not met yet.
        best: The largest of them.
    """

    __slots__ = ("best", "values")

    def __init__(self, values: list[float]) -> None:
        """Take the values of all actions."""
        self.values = values
        self.best = max(values)

    def set(self, action: int, value: float) -> None:
        """Change one value; the maximum is searched only where it may have fallen."""
        before = self.values[action]
        self.values[action] = value
        if value >= self.best:
            self.best = value
        elif before == self.best:
            self.best = max(self.values)


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
    steps: Iterable[tuple[Row, int]], reward: float, alpha: float, gamma: float
) -> None:
    """Update a whole network's decisions in temporally reversed order, in place.

    The reversed order lets the accuracy reach the first decision in one pass (paper, section 4.3).
    Equation 3 and `Row.set` are written out here, as two calls per decision would double the time
    of a replay; a test holds the results equal to `q_update`'s.

    Args:
        steps: (state's row, decision) from the last decision to the first.
        reward: The network's accuracy, given to the last decision.
        alpha: Learning rate.
        gamma: Discount.
    """
    kept, target = 1.0 - alpha, reward  # the last decision has no next state
    for row, action in steps:
        q_tm1 = row.values[action]
        q_t = row.values[action] = kept * q_tm1 + alpha * target
        if q_t >= row.best:
            row.best = q_t
        elif q_tm1 == row.best:
            row.best = max(row.values)
        target = gamma * row.best  # earlier decisions have no reward of their own


class QTable:
    """Q-values by state, created at their initial value when an action is first seen legal.

    Attributes:
        initial: That value.
    """

    def __init__(self, n_actions: int, initial: float) -> None:
        """Make an empty table of rows with `n_actions` values."""
        self._n_actions = n_actions
        self.initial = initial
        self._rows: dict[Hashable, Row] = {}

    def values(self, key: Hashable) -> np.ndarray:
        """Return Q [A] of a state without creating it; unseen actions have the initial value."""
        row = self._rows.get(key)
        if row is None:
            return np.full(self._n_actions, self.initial)
        values = np.array(row.values)
        values[np.isneginf(values)] = self.initial
        return values

    def matrix(self, keys: Sequence[Hashable]) -> np.ndarray:
        """Return the stored values of states [N, A], `UNSEEN` where there are none."""
        place = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        nothing = [UNSEEN] * self._n_actions
        rows = [nothing if row is None else row.values for row in map(self._rows.get, place)]
        found: np.ndarray = np.array(rows)[[place[key] for key in keys]]
        return found

    def stored(self, key: Hashable) -> Row:
        """Return the row of a state, an empty one where there is none yet."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row([UNSEEN] * self._n_actions)
        return row

    def allow(self, row: Row, action: int) -> None:
        """Give an action that was not legal before its first value."""
        if row.values[action] == UNSEEN:
            row.set(action, self.initial)

    def row(self, key: Hashable, legal: np.ndarray) -> Row:
        """Return the stored row of a state, with every action of `legal` [A] present."""
        row = self.stored(key)
        for action in np.flatnonzero(legal).tolist():
            self.allow(row, action)
        return row

    def __len__(self) -> int:
        return len(self._rows)

    def items(self) -> Iterator[tuple[Hashable, dict[int, float]]]:
        """Yield (state, {action: Q}) in the order in which states were first met."""
        for key, row in self._rows.items():
            yield key, {action: q for action, q in enumerate(row.values) if q != UNSEEN}

    def load(self, key: Hashable, values: dict[int, float]) -> None:
        """Set a state's row."""
        self._rows[key] = Row([values.get(action, UNSEEN) for action in range(self._n_actions)])
