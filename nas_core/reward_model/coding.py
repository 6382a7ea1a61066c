"""Decisions as numbered one-hot features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.space import SearchSpace

Places = np.ndarray  # whole numbers [N, T]: which of D features each decision is; D for none


@dataclass(frozen=True)
class Coding:
    """Decisions as one-hot features: one per (number of the decision, action).

    Attributes:
        n_steps: T, most decisions of an architecture.
        n_actions: A.
    """

    n_steps: int
    n_actions: int

    @classmethod
    def of(cls, space: SearchSpace[Any]) -> "Coding":
        """Return a space's coding."""
        return cls(space.n_steps, space.n_actions)

    @property
    def size(self) -> int:
        """D, the number of features."""
        return self.n_steps * self.n_actions

    def places(self, sequences: Sequence[Sequence[int]]) -> Places:
        """Return the features that sequences of decisions have [N, T].

        A decision that an architecture does not reach is feature D, which weighs nothing.
        """
        found = np.full((len(sequences), self.n_steps), self.size)
        for row, actions in zip(found, sequences, strict=True):
            row[: len(actions)] = np.arange(len(actions)) * self.n_actions + np.asarray(actions)
        return found

    def places_of(self, actions: np.ndarray, made: np.ndarray) -> Places:
        """Return the same for a batch of decisions.

        Args:
            actions: [t, N], t up to T.
            made: Bools [t, N]: False beyond an architecture's end.
        """
        found = np.full((actions.shape[1], self.n_steps), self.size)
        steps = np.arange(len(actions))[:, None] * self.n_actions
        found[:, : len(actions)] = np.where(made, steps + actions, self.size).T
        return found

    def one_hot(self, places: Places) -> np.ndarray:
        """Return 0 or 1 for each feature [N, D]."""
        found = np.zeros((len(places), self.size + 1))
        np.put_along_axis(found, places, 1.0, axis=1)
        return found[:, :-1]
