"""The reward model that agents ask: told of every child, refitted after each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np

from nas_core.errors import UsageError
from nas_core.ranks import normal_scores
from nas_core.reward_model.basis import EVEN, Basis, Prior
from nas_core.reward_model.encoding import Actions, Encoder, Inputs
from nas_core.reward_model.posterior import Posterior
from nas_core.reward_model.quadratic import Quadratic

NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)  # variances that the evidence chooses from
EVERY = 8  # observations between two choices of the noise


@dataclass(frozen=True)
class ModelConfig:
    """How rewards are modelled.

    Attributes:
        prior: Variances of the weights.
        noise: Variance of a child's target given its architecture; None to choose it by evidence.
        ranks: Whether the targets are the rewards' normal scores; else they are standardised.
    """

    prior: Prior = EVEN
    noise: float | None = None
    ranks: bool = True

    def __post_init__(self) -> None:
        if self.noise is not None and not self.noise > 0.0:
            raise UsageError(f"expected a noise variance above 0 or None, received {self.noise}")


RANKED = ModelConfig()


class RewardModel:
    """Rewards of decision sequences, as a distribution over functions of the decisions.

    What it knows depends on the observations and their order alone.
    """

    def __init__(self, encoder: Encoder, config: ModelConfig) -> None:
        """Start with nothing known.

        Args:
            encoder: The space's features.
            config: Prior, noise and targets.
        """
        self._encoder = encoder
        self._basis = Basis(encoder.coding, config.prior, encoder.n_sizes)
        self._config = config
        self._rewards: list[float] = []
        self._rows: list[int] = []  # of each reward: which architecture
        self._known: dict[Actions, int] = {}
        self._inputs: list[Inputs] = []  # of the known architectures, one each
        self._noise = NOISES[len(NOISES) // 2] if config.noise is None else config.noise
        self._posterior: Posterior | None = None

    @property
    def noise(self) -> float:
        """Variance of a child's target given its architecture."""
        return self._noise

    @property
    def knows_nothing(self) -> bool:
        """Whether all rewards so far are the same, so that nothing is to be learned from them."""
        return len(set(self._rewards)) < 2

    def __contains__(self, actions: Actions) -> bool:
        return actions in self._known

    def add(self, actions: Actions, reward: float) -> None:
        """Take one reward; the same architecture may come again with another one."""
        if actions not in self._known:
            self._known[actions] = len(self._known)
            self._inputs.append(self._encoder.inputs([actions]))
        self._rows.append(self._known[actions])
        self._rewards.append(reward)
        self._posterior = None
        if self._config.noise is None and len(self._rewards) % EVERY == 0:
            self._choose_noise()

    def sequences(self, first: int) -> list[Actions]:
        """Return the architecture of each reward, from reward number `first` on."""
        known = list(self._known)
        return [known[row] for row in self._rows[first:]]

    def posterior(self) -> Posterior:
        """Return what the rewards say; call it when there is one at least."""
        if self._posterior is None:
            self._posterior = self._fitted(self.targets(), self._noise)
        return self._posterior

    def expected(self, sequences: Sequence[Actions]) -> np.ndarray:
        """Return the posterior means [N] of architectures, on the scale of the targets."""
        mean: Quadratic = self.posterior().mean()
        return mean.values(self._encoder.inputs(sequences))

    def targets(self) -> np.ndarray:
        """Return what is modelled of each reward so far [R]: normal scores, or standardised."""
        if self._config.ranks:
            return normal_scores(self._rewards)
        rewards = np.array(self._rewards)
        spread = float(rewards.std())
        return (rewards - rewards.mean()) / (spread if spread > 0.0 else 1.0)

    def _fitted(self, targets: np.ndarray, noise: float) -> Posterior:
        """Return the posterior given the mean target of each architecture."""
        counts = np.bincount(self._rows)
        means = np.bincount(self._rows, targets) / counts
        inputs = Inputs(
            np.concatenate([one.places for one in self._inputs]),
            np.concatenate([one.sizes for one in self._inputs]),
        )
        return Posterior(self._basis, inputs, means, noise / counts)

    def _choose_noise(self) -> None:
        """Choose the noise by the evidence of all rewards, repeats included.

        The evidence of R rewards of N architectures is that of the N means times that of the
        deviations from them, which only the noise explains.
        """
        if self.knows_nothing:
            return
        targets, counts = self.targets(), np.bincount(self._rows)
        means = np.bincount(self._rows, targets) / counts
        within = float(((targets - means[self._rows]) ** 2).sum())
        free = len(targets) - len(counts)

        def evidence(noise: float) -> float:
            repeats = -0.5 * (within / noise + free * log(2.0 * pi * noise))
            return self._fitted(targets, noise).evidence() + repeats

        self._noise = max(NOISES, key=evidence)
