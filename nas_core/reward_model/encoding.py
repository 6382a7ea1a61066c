"""Architectures as the reward model sees them: decisions, and what the network would cost.

The sizes are random Fourier features (Rahimi & Recht 2007) of log10 parameters and log10
multiply-adds: their inner product is about exp(-d^2 / 2), d the distance in decades, so networks of
like size are expected to be alike, whatever decisions made them so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10, pi, sqrt
from typing import Any

import numpy as np

from nas_core.cost import cost
from nas_core.errors import SpecError
from nas_core.reward_model.coding import Coding, Places
from nas_core.seeding import generator
from nas_core.space import SearchSpace, Sized, sample, spec_of

Actions = tuple[int, ...]
WAVES = 64  # the inner product is exp(-d^2 / 2) within about 1 / sqrt(WAVES)
KEPT = 100_000  # architectures whose sizes are remembered at a time


@dataclass(frozen=True)
class Inputs:
    """N architectures.

    Attributes:
        places: Which features their decisions are [N, T] (see `coding.Coding`).
        sizes: Features of their sizes [N, F]; F is 0 where costs are not known.
    """

    places: Places
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.places)


class Encoder:
    """Turns decisions into inputs.

    Attributes:
        coding: Of the decisions.
        n_sizes: F, the number of features of a size; 0 where costs are not known.
    """

    def __init__(self, coding: Coding, sizes: "Sizes | None" = None) -> None:
        """Take the parts.

        Args:
            coding: Of the decisions.
            sizes: Features of what networks cost; None where costs are not known.
        """
        self.coding = coding
        self.n_sizes = 0 if sizes is None else WAVES
        self._sizes = sizes

    @classmethod
    def of(cls, space: SearchSpace[Any]) -> "Encoder":
        """Return a space's encoder; rows of published tables have no sizes."""
        coding = Coding.of(space)
        try:
            cost(spec_of(space, sample(space, generator(0, "encoder"))), space.image_shape)
        except SpecError:
            return cls(coding)
        return cls(coding, Sizes(space))

    def inputs(self, sequences: Sequence[Actions], sizes: np.ndarray | None = None) -> Inputs:
        """Return architectures given by their decisions.

        Args:
            sequences: Complete ones, N.
            sizes: Parameters and multiply-accumulates, int64 [N, 2]; None to count them.
        """
        places = self.coding.places(sequences)
        if self._sizes is None:
            return Inputs(places, self._none(places))
        return Inputs(places, self._sizes(sequences, sizes))

    def batch(
        self, actions: np.ndarray, made: np.ndarray, sizes: np.ndarray | None = None
    ) -> Inputs:
        """Return the same of a batch of decisions.

        Args:
            actions: [t, N], t up to T.
            made: Bools [t, N]: False beyond an architecture's end.
            sizes: Parameters and multiply-accumulates, int64 [N, 2]; None to count them.
        """
        places = self.coding.places_of(actions, made)
        if self._sizes is None:
            return Inputs(places, self._none(places))
        return Inputs(places, self._sizes.batch(actions, made, sizes))

    def _none(self, places: Places) -> np.ndarray:
        return np.zeros((len(places), 0))


class Sizes:
    """The features of architectures' sizes.

    A space that counts many networks at once is asked each time; of others, each network is
    counted once.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        """Draw the waves: the same ones in every run."""
        rng = generator(0, "waves")
        self._space = space
        self._counts = space.sizes if isinstance(space, Sized) else None
        self._slopes = rng.standard_normal((2, WAVES))  # per decade
        self._shifts = 2.0 * pi * rng.random(WAVES)
        self._known: dict[Actions, tuple[int, int]] = {}

    def __call__(self, sequences: Sequence[Actions], sizes: np.ndarray | None = None) -> np.ndarray:
        """Return features [N, WAVES], each row of inner product 1 with itself, roughly."""
        if sizes is not None:
            return self._waves(sizes.tolist())
        if self._counts is not None:
            return self.batch(*padded(sequences))
        return self._waves([self._figures(actions) for actions in sequences])

    def batch(
        self, actions: np.ndarray, made: np.ndarray, sizes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the same of a batch of decisions (see `Encoder.batch`)."""
        if sizes is not None:
            return self._waves(sizes.tolist())
        if self._counts is not None:
            return self._waves(self._counts(actions, made).tolist())
        pairs = zip(actions.T, made.T, strict=True)
        return self([tuple(row[reached].tolist()) for row, reached in pairs])

    def _figures(self, actions: Actions) -> tuple[int, int]:
        found = self._known.get(actions)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            figures = cost(spec_of(self._space, actions), self._space.image_shape)
            found = self._known[actions] = figures.parameters, figures.macs
        return found

    def _waves(self, figures: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the features [N, WAVES] of parameters and MACs.

        Rows are multiplied one by one within the call: a row's features must not depend, to the
        last digit, on how many others are asked for.
        """
        decades = np.array([[log10(max(1, n)) for n in pair] for pair in figures]).reshape(-1, 1, 2)
        waves: np.ndarray = np.cos((decades @ self._slopes)[:, 0] + self._shifts)
        waves *= sqrt(2.0 / WAVES)
        return waves


def padded(sequences: Sequence[Actions]) -> tuple[np.ndarray, np.ndarray]:
    """Return decisions [T, N], 0 beyond an end, and whether each was made, bools [T, N]."""
    lengths = np.array([len(actions) for actions in sequences], np.int64)
    made = np.arange(lengths.max(initial=0))[:, None] < lengths
    actions = np.zeros(made.shape, np.int64)
    actions.T[made.T] = [action for row in sequences for action in row]
    return actions, made
