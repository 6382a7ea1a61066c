"""Spaces whose costs add up: many architectures walked at once by what is left of their past.

All that a mask depends on is how much the decisions so far cost, three sums, and an outline of
them: what is needed to say what later decisions add. Many prefixes share an outline, so outlines
are numbered as they are met, and a batch takes a step by looking numbers up.
"""

from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np

from nas_core.cost import Limits

IMPOSSIBLE = 1 << 60  # above every limit, and safe to add to in int64
MOST_OUTLINES = 30_000  # remembered at a time
UNKNOWN = -1
Sums = tuple[int, int, int]  # parameters, multiply-accumulates, bytes of activations


class Summed(Protocol):
    """What a space says of outlines; sums are (parameters, MACs, bytes of activations)."""

    n_actions: int

    @property
    def ways(self) -> int:
        """W: in how many ways a finish may be plainest; one within the limits is enough."""

    def begin(self) -> tuple[Hashable, Sums]:
        """Return the outline of nothing decided, and what the input alone costs."""

    def after(self, outline: Any, action: int) -> tuple[Hashable, Sums]:
        """Return the outline after a possible action, and what the action adds."""

    def needs(self, outline: Any) -> np.ndarray:
        """Return what each action and the plainest finish after it add, int64 [3, A, W].

        `IMPOSSIBLE` among the parameters of what cannot be, whatever the limits.
        """

    def ended(self, outline: Any) -> bool:
        """Return whether nothing is left to decide; the sums are then those of the network."""

    def outline_key(self, outline: Any) -> Hashable:
        """Return `SearchSpace.key` of the states of an outline."""


class Outlines:
    """The outlines met so far, from the first, which is number 0.

    Attributes:
        ended: Whether nothing is left to decide, bools by number.
        first_sums: Of the first.
    """

    def __init__(self, space: Summed, limits: Limits) -> None:
        """Take what is walked.

        Args:
            space: Says what outlines need.
            limits: Costs that masks keep every network within.
        """
        given = limits.parameters, limits.macs, limits.activation_bytes
        most = [IMPOSSIBLE - 1 if limit is None else limit for limit in given]
        self._space = space
        self._limits = np.array(most)[:, None]
        actions, ways = space.n_actions, space.ways
        self._found: dict[Hashable, int] = {}
        self._outlines: list[Any] = []
        self._needs = np.full((64, 3, actions * ways), IMPOSSIBLE)
        self._children = np.full((64, actions), UNKNOWN)
        self._added = np.zeros((64, actions, 3), np.int64)
        self.ended = np.zeros(64, bool)
        outline, self.first_sums = space.begin()
        self._number(outline)

    def __len__(self) -> int:
        return len(self._outlines)

    def _number(self, outline: Hashable) -> int:
        found = self._found.get(outline)
        if found is None:
            found = self._found[outline] = len(self._outlines)
            self._outlines.append(outline)
            if found == len(self.ended):
                self._grow()
            self.ended[found] = self._space.ended(outline)
            if not self.ended[found]:
                self._needs[found] = self._space.needs(outline).reshape(3, -1)
        return found

    def _grow(self) -> None:
        self._needs = np.concatenate([self._needs, np.full_like(self._needs, IMPOSSIBLE)])
        self._children = np.concatenate([self._children, np.full_like(self._children, UNKNOWN)])
        self._added = np.concatenate([self._added, np.zeros_like(self._added)])
        self.ended = np.concatenate([self.ended, np.zeros_like(self.ended)])

    def masks(self, numbers: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Return what may follow, bools [B, A], from outlines [B] and sums [B, 3]."""
        total = self._needs[numbers] + sums[:, :, None]
        within = (total <= self._limits).all(axis=1)
        ways = self._space.ways
        return within if ways == 1 else within.reshape(len(within), -1, ways).any(axis=2)

    def step(self, numbers: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the outlines after legal actions [B], and what these add [B, 3]."""
        after = self._children[numbers, actions]
        for place in np.flatnonzero(after == UNKNOWN).tolist():
            number, action = int(numbers[place]), int(actions[place])
            outline, added = self._space.after(self._outlines[number], action)
            child = self._number(outline)
            self._children[number, action] = after[place] = child
            self._added[number, action] = added
        return after, self._added[numbers, actions]

    def key(self, number: int) -> Hashable:
        """Return the key of an outline's states."""
        return self._space.outline_key(self._outlines[number])


class SummedWalk:
    """A batch of architectures, each an outline and three sums (see `nas_core.space.Walk`)."""

    def __init__(self, outlines: Outlines, batch: int) -> None:
        """Begin with nothing decided in `batch` networks."""
        self._outlines = outlines
        self._numbers = np.zeros(batch, np.int64)
        self._sums = np.tile(np.array(outlines.first_sums), (batch, 1))

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks [B, A] and whether each architecture is unfinished [B]."""
        masks = self._outlines.masks(self._numbers, self._sums)
        ended = self._outlines.ended[self._numbers]
        masks[ended, 0] = True
        return masks, ~ended

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every unfinished architecture."""
        numbers, added = self._outlines.step(self._numbers[made], actions[made])
        self._numbers[made] = numbers
        self._sums[made] += added

    def keys(self) -> list[Hashable]:
        """Return what a tabular agent tells each state apart by [B]."""
        return [self._outlines.key(number) for number in self._numbers.tolist()]

    def sizes(self) -> np.ndarray:
        """Return parameters and MACs of finished networks, int64 [B, 2]."""
        return self._sums[:, :2]


class SummedWalks:
    """Begins walks of a space, which share what is known of its outlines."""

    def __init__(self, space: Summed, limits: Limits) -> None:
        """Take what `Outlines` takes."""
        self._given = space, limits
        self._outlines = Outlines(space, limits)

    def __call__(self, batch: int) -> SummedWalk:
        """Begin `batch` networks; with a fresh memory where too many outlines were met.

        Walks that are under way keep theirs.
        """
        if len(self._outlines) > MOST_OUTLINES:
            self._outlines = Outlines(*self._given)
        return SummedWalk(self._outlines, batch)
