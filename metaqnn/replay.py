"""Experience replay: every network met so far, to be learned from again and again."""

from dataclasses import dataclass

import numpy as np

from metaqnn.q_learning import Row


@dataclass(frozen=True)
class Experience:
    """One network and its accuracy.

    Attributes:
        steps: (row of the state, decision) from the last decision to the first; the rows are
            the table's own.
        reward: Accuracy, or the penalty of a failed network.
    """

    steps: tuple[tuple[Row, int], ...]
    reward: float


class ReplayMemory:
    """All experiences, drawn uniformly with replacement (paper, Algorithm 1)."""

    def __init__(self) -> None:
        """Start empty."""
        self._experiences: list[Experience] = []

    def append(self, experience: Experience) -> None:
        """Remember one network; a repeat is remembered again and so weighs more."""
        self._experiences.append(experience)

    def draw(self, count: int, rng: np.random.Generator) -> list[Experience]:
        """Return `count` experiences.

        Raises:
            ValueError: The memory is empty.
        """
        positions = rng.integers(len(self._experiences), size=count).tolist()
        return [self._experiences[position] for position in positions]

    def __len__(self) -> int:
        return len(self._experiences)
