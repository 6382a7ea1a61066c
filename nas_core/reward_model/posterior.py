"""Bayesian linear regression in closed form, in the dual: N observations, however many features.

Rasmussen & Williams 2006, sections 2.1 and 2.7; samples by Matheron's rule (Wilson et al. 2020,
equation 8): a draw from the prior, corrected by how far it is from the observations.
"""

from math import log, pi

import numpy as np

from nas_core.reward_model.basis import Basis
from nas_core.reward_model.encoding import Inputs
from nas_core.reward_model.quadratic import Quadratic


class Posterior:
    """What observations say about f, where y = f(x) + noise."""

    def __init__(
        self, basis: Basis, inputs: Inputs, targets: np.ndarray, noise: np.ndarray
    ) -> None:
        """Factor the covariance of the observations.

        Args:
            basis: Features and prior.
            inputs: N different architectures.
            targets: y [N].
            noise: Variances of the noise [N], above 0.
        """
        self._basis, self._inputs, self._targets, self._noise = basis, inputs, targets, noise
        self._factor = np.linalg.cholesky(basis.kernel(inputs) + np.diag(noise))

    def _solved(self, right: np.ndarray) -> np.ndarray:
        """Return (K + noise)^-1 right [N]."""
        return np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, right))

    def mean(self) -> Quadratic:
        """Return the posterior mean of f: k(., X) (K + noise)^-1 y (2.25)."""
        return self._basis.combined(self._inputs, self._solved(self._targets))

    def sample(self, rng: np.random.Generator) -> Quadratic:
        """Return f drawn from the posterior: f0 + k(., X) (K + noise)^-1 (y - f0(X) - e)."""
        prior = self._basis.draw(rng)
        error = np.sqrt(self._noise) * rng.standard_normal(len(self._noise))
        missing = self._targets - prior.values(self._inputs) - error
        shift = self._basis.combined(self._inputs, self._solved(missing))
        return prior.plus(shift)

    def evidence(self) -> float:
        """Return log p(y | X), the logarithm of the marginal likelihood (2.30)."""
        half = np.linalg.solve(self._factor, self._targets)
        determinant = float(np.log(np.diagonal(self._factor)).sum())
        return -0.5 * float(half @ half) - determinant - 0.5 * len(half) * log(2.0 * pi)
