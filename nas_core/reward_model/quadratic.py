"""Functions of architectures: a weight per decision, per pair of them, per feature of the size."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas_core.reward_model.encoding import Inputs


@dataclass(frozen=True)
class Quadratic:
    """f(x) = constant + sum of `weights[p, q]` over all features p, q that x has + sizes . z(x).

    Attributes:
        constant: f of no decision.
        weights: Symmetric [D, D]: single decisions on the diagonal, half a pair's weight off it.
        sizes: Weights [F] of the features z of the size.
    """

    constant: float
    weights: np.ndarray
    sizes: np.ndarray

    @cached_property
    def _padded(self) -> np.ndarray:
        """The weights with a row and a column of zeros, for decisions that are not reached."""
        padded = np.zeros((len(self.weights) + 1,) * 2)
        padded[:-1, :-1] = self.weights
        return padded

    def values(self, inputs: Inputs) -> np.ndarray:
        """Return f [N] of architectures."""
        places = inputs.places
        pairs = places[:, :, None] * len(self._padded) + places[:, None, :]  # [N, T, T]
        decided = self._padded.ravel().take(pairs).sum(axis=(1, 2))
        return self.constant + decided + inputs.sizes @ self.sizes

    def plus(self, other: "Quadratic") -> "Quadratic":
        """Return the sum of two functions."""
        return Quadratic(
            self.constant + other.constant, self.weights + other.weights, self.sizes + other.sizes
        )
