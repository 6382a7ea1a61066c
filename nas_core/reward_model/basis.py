"""What is believed before any reward: independent normal weights on decisions, pairs, sizes."""

from dataclasses import dataclass

import numpy as np

from nas_core.errors import UsageError
from nas_core.reward_model.coding import Coding
from nas_core.reward_model.encoding import Inputs
from nas_core.reward_model.quadratic import Quadratic


@dataclass(frozen=True)
class Prior:
    """How much of an average architecture's variance comes from where, in squared normal scores.

    Attributes:
        constant: From the intercept.
        single: From all decisions, each by itself.
        shared: From how often each action is taken, wherever it is.
        pairs: From all pairs of decisions; 0 leaves pairs out.
        sizes: From the network's parameters and multiply-adds, where they are known.
    """

    constant: float = 1.0
    single: float = 1.0
    shared: float = 1.0
    pairs: float = 1.0
    sizes: float = 1.0

    def __post_init__(self) -> None:
        parts = (self.constant, self.single, self.shared, self.pairs, self.sizes)
        if min(parts) < 0.0 or self.single + self.shared + self.pairs <= 0.0:
            raise UsageError(
                f"expected variances of 0 or more, one of them above 0, received {self}"
            )


EVEN = Prior()


class Basis:
    """The features with their prior variances: kernel, prior draws and weights by kernel."""

    def __init__(self, coding: Coding, prior: Prior, n_sizes: int = 0) -> None:
        """Share out the prior's variances.

        Args:
            coding: The features of decisions.
            prior: How much comes from where.
            n_sizes: Number of features of a network's size.
        """
        steps = coding.n_steps
        self.coding = coding
        self._constant = prior.constant
        self._single = prior.single / steps
        self._shared = prior.shared / steps**2
        self._sizes, self._n_sizes = prior.sizes, n_sizes
        self._pair = prior.pairs / max(1, steps * (steps - 1) // 2)

    def kernel(self, inputs: Inputs) -> np.ndarray:
        """Return the prior covariance [N, N] of f at architectures.

        With s decisions in common, s (s - 1) / 2 pairs are: no pair is ever written down.
        """
        hot = self.coding.one_hot(inputs.places)
        same, counts = hot @ hot.T, self._counts(hot)
        pairs = 0.5 * same * (same - 1.0)
        return (
            self._constant
            + self._single * same
            + self._shared * (counts @ counts.T)
            + self._pair * pairs
            + self._sizes * (inputs.sizes @ inputs.sizes.T)
        )

    def _counts(self, hot: np.ndarray) -> np.ndarray:
        """Return how often each action is taken [N, A]."""
        counts: np.ndarray = hot.reshape(len(hot), self.coding.n_steps, -1).sum(axis=1)
        return counts

    def combined(self, inputs: Inputs, alpha: np.ndarray) -> Quadratic:
        """Return sum_n alpha_n k(x_n, .), for architectures x and numbers alpha [N]."""
        hot = self.coding.one_hot(inputs.places)
        taken = hot.T @ (hot * alpha[:, None])  # [D, D]
        shared = self._shared * (alpha @ self._counts(hot))
        single = self._single * np.diagonal(taken) + np.tile(shared, self.coding.n_steps)
        taken *= 0.5 * self._pair
        weights = self._with_diagonal(taken, single)
        sizes = self._sizes * (alpha @ inputs.sizes)
        return Quadratic(self._constant * float(alpha.sum()), weights, sizes)

    def _with_diagonal(self, pairs: np.ndarray, single: np.ndarray) -> np.ndarray:
        """Return weights of pairs, changed in place: decisions by themselves on the diagonal.

        Two actions are never taken at the same decision, so that such pairs weigh nothing.
        """
        coding = self.coding
        steps = np.arange(coding.n_steps)
        pairs.reshape(2 * (coding.n_steps, coding.n_actions))[steps, :, steps, :] = 0.0
        np.fill_diagonal(pairs, single)
        return pairs

    def draw(self, rng: np.random.Generator) -> Quadratic:
        """Return a function drawn from the prior."""
        size, steps = self.coding.size, self.coding.n_steps
        raw = rng.standard_normal((size, size))
        # Half a pair's weight on either side: (r + r') sqrt(v) / sqrt(8) has the variance v / 4.
        weights = raw + raw.T
        weights *= np.sqrt(self._pair / 8.0)
        shared = np.sqrt(self._shared) * rng.standard_normal(self.coding.n_actions)
        single = np.sqrt(self._single) * rng.standard_normal(size) + np.tile(shared, steps)
        weights = self._with_diagonal(weights, single)
        constant = float(np.sqrt(self._constant) * rng.standard_normal())
        # Drawn last: where sizes are not known, the other draws are what they always were.
        sizes = np.sqrt(self._sizes) * rng.standard_normal(self._n_sizes)
        return Quadratic(constant, weights, sizes)
