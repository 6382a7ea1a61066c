"""Epsilon-greedy walks of a Q-table, many side by side."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from metaqnn.q_learning import UNSEEN, QTable, Row
from nas_core.space import Walk

Steps = list[tuple[Row, int]]  # from the last decision to the first


@dataclass(frozen=True)
class Imagined:
    """Walks to the end.

    Attributes:
        actions: Of each walk.
        keys: Of the states that it met.
        new: Of each walk: (number of the decision, action) that the table did not know as legal.
        sizes: Parameters and multiply-accumulates, int64 [B, 2]; None where nobody counted them.
    """

    actions: list[tuple[int, ...]]
    keys: list[list[Hashable]]
    new: list[list[tuple[int, int]]]
    sizes: np.ndarray | None

    def rows(self, table: QTable) -> list[Steps]:
        """Return each walk's rows, made where they are missing, in the order of the walks."""
        found = []
        for actions, keys, new in zip(self.actions, self.keys, self.new, strict=True):
            rows = [table.stored(key) for key in keys]
            for number, action in new:
                table.allow(rows[number], action)
            found.append(list(zip(rows, actions, strict=False))[::-1])
        return found


def imagined(walk: Walk, table: QTable, epsilon: float, chances: np.ndarray) -> Imagined:
    """Walk to the end with the table as it is.

    Args:
        walk: At its beginning, B architectures.
        table: Gives the values.
        epsilon: Probability of a random decision, in [0, 1].
        chances: Random numbers in [0, 1) [B, n_steps, 2].
    """
    batch, most = chances.shape[:2]
    actions: list[list[int]] = [[] for _ in range(batch)]
    keys: list[list[Hashable]] = [[] for _ in range(batch)]
    new: list[list[tuple[int, int]]] = [[] for _ in range(batch)]
    for number in range(most):
        masks, made = walk.masks()
        if not made.any():
            break
        here = walk.keys()
        values = table.matrix(here)
        unknown = np.nonzero(masks & (values == UNSEEN) & made[:, None])
        values[unknown] = table.initial
        chosen = choices(values, masks, epsilon, chances[:, number])
        taken = chosen.tolist()
        for place in np.flatnonzero(made).tolist():
            actions[place].append(taken[place])
            keys[place].append(here[place])
        for place, action in zip(*(part.tolist() for part in unknown), strict=True):
            new[place].append((number, action))
        walk.step(chosen, made)
    return Imagined([tuple(row) for row in actions], keys, new, walk.sizes())


def choices(
    values: np.ndarray, masks: np.ndarray, epsilon: float, chances: np.ndarray
) -> np.ndarray:
    """Return random legal actions with probability `epsilon`, else the best, ties at random [B].

    Args:
        values: Q [B, A].
        masks: Legal actions, bools [B, A], at least one in each row.
        epsilon: In [0, 1].
        chances: Two random numbers in [0, 1) for each row [B, 2].
    """
    legal = np.where(masks, values, UNSEEN)
    best = legal == legal.max(axis=1, keepdims=True)
    among = masks & (best | (chances[:, :1] < epsilon))
    places = among.cumsum(axis=1)
    wanted = (chances[:, 1] * places[:, -1]).astype(np.int64)
    return (places > wanted[:, None]).argmax(axis=1)
