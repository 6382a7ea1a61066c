"""Architectures as the reward model sees them: decisions, and what the network would cost.

The sizes are random Fourier features (Rahimi & Recht 2007) of log10 parameters and log10
multiply-adds: their inner product is about exp(-d^2 / 2), d the distance in decades, so networks of
like size are expected to be alike, whatever decisions made them so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10, pi, sqrt
from typing import Any

import numpy as np

from nas_core.cost import cost
from nas_core.errors import SpecError
from nas_core.reward_model.coding import Coding, Places
from nas_core.seeding import generator
from nas_core.space import SearchSpace, sample, spec_of

Actions = tuple[int, ...]
SizesOf = Callable[[Actions], np.ndarray]
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

    def __init__(self, coding: Coding, sizes_of: SizesOf | None = None, n_sizes: int = 0) -> None:
        """Take the parts.

        Args:
            coding: Of the decisions.
            sizes_of: Decisions -> features [F]; None where costs are not known.
            n_sizes: F.
        """
        self.coding = coding
        self.n_sizes = n_sizes
        self._sizes_of = sizes_of

    @classmethod
    def of(cls, space: SearchSpace[Any]) -> "Encoder":
        """Return a space's encoder; rows of published tables have no sizes."""
        coding = Coding.of(space)
        try:
            cost(spec_of(space, sample(space, generator(0, "encoder"))), space.image_shape)
        except SpecError:
            return cls(coding)
        return cls(coding, Sizes(space), WAVES)

    def inputs(self, sequences: Sequence[Actions]) -> Inputs:
        """Return architectures given by their decisions."""
        return Inputs(self.coding.places(sequences), self._sizes(sequences))

    def batch(self, actions: np.ndarray, made: np.ndarray) -> Inputs:
        """Return the same of a batch of decisions.

        Args:
            actions: [t, N], t up to T.
            made: Bools [t, N]: False beyond an architecture's end.
        """
        sequences: list[Actions] = []
        if self._sizes_of is not None:
            pairs = zip(actions.T, made.T, strict=True)
            sequences = [tuple(row[reached].tolist()) for row, reached in pairs]
        places = self.coding.places_of(actions, made)
        return Inputs(places, self._sizes(sequences) if sequences else np.zeros((len(places), 0)))

    def _sizes(self, sequences: Sequence[Actions]) -> np.ndarray:
        if self._sizes_of is None:
            return np.zeros((len(sequences), 0))
        return np.array([self._sizes_of(actions) for actions in sequences])


class Sizes:
    """The features of architectures' sizes, each computed once."""

    def __init__(self, space: SearchSpace[Any]) -> None:
        """Draw the waves: the same ones in every run."""
        rng = generator(0, "waves")
        self._space = space
        self._slopes = rng.standard_normal((2, WAVES))  # per decade
        self._shifts = 2.0 * pi * rng.random(WAVES)
        self._known: dict[Actions, np.ndarray] = {}

    def __call__(self, actions: Actions) -> np.ndarray:
        """Return features [WAVES] of inner product 1 with themselves, roughly."""
        found = self._known.get(actions)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = self._known[actions] = self._features(actions)
        return found

    def _features(self, actions: Actions) -> np.ndarray:
        figures = cost(spec_of(self._space, actions), self._space.image_shape)
        decades = np.array([log10(max(1, n)) for n in (figures.parameters, figures.macs)])
        waves: np.ndarray = sqrt(2.0 / WAVES) * np.cos(decades @ self._slopes + self._shifts)
        return waves
