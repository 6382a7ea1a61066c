"""The noisy quadratic of Wu et al. (2018, arXiv 1803.02021): control with a known answer.

Fifty independent coordinates theta_i with curvature h_i, log-spaced from 0.001 to 1, whose
gradients carry noise of variance h_i (the paper's choice: the noise's covariance is the Hessian).
With M_i = E[theta_i^2], one step of rate a gives, exactly,

    M_i <- (1 - a h_i)^2 M_i + a^2 h_i,        loss = 1/2 sum_i h_i M_i.

After 1,000 steps from M_i = 10 the best constant rate ends at 0.341 and the best cosine at 0.088,
while choosing each step's best rate ends at 0.567: short-horizon bias. An agent that is paid for
what helps now learns the wrong thing here, which makes it a test of credit over a whole training.
"""

import math
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.seeding import generator

DIMENSION = 50
STEPS = 1000
DECISIONS = 40
FACTORS = (0.5, 0.9, 1.0, 1.1, 2.0)
LOWEST, HIGHEST = 1e-3, 1.0
START = 10.0
CURVATURES = np.logspace(-3, 0, DIMENSION)
RATES = np.logspace(-3, 0, 61)  # the grid of the reference schedules
FEATURES = ("progress", "rate", "loss", "slope", "previous_slope")
BOUND = 10.0


def advance(moments: np.ndarray, rate: float | np.ndarray, steps: int = 1) -> np.ndarray:
    """Return the second moments after `steps` steps at one rate, in closed form.

    Args:
        moments: E[theta_i^2], float64 [..., DIMENSION].
        rate: Learning rate in [0, 2), where every coordinate stays finite; or several, [..., 1].
        steps: At least 0.
    """
    shrink = (1 - rate * CURVATURES) ** 2
    kept = shrink**steps
    noise = rate**2 * CURVATURES
    return moments * kept + noise * (1 - kept) / np.maximum(1 - shrink, 1e-300)


def loss_of(moments: np.ndarray) -> float:
    """Return the expected loss above its minimum, at least 0."""
    return float(0.5 * np.dot(CURVATURES, moments))


def expected_start() -> np.ndarray:
    """Return the second moments that starts drawn from N(0, 10) have, float64 [DIMENSION]."""
    return np.full(DIMENSION, START)


def best_constant() -> tuple[float, float]:
    """Return (final loss, rate) of the best constant schedule on the grid."""
    return _best(advance(expected_start(), RATES[:, None], STEPS))


def best_cosine() -> tuple[float, float]:
    """Return (final loss, first rate) of the best cosine to 0 on the grid."""
    moments = np.tile(expected_start(), (len(RATES), 1))
    for factor in (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)) / 2:
        moments = advance(moments, factor * RATES[:, None])
    return _best(moments)


def _best(moments: np.ndarray) -> tuple[float, float]:
    losses = 0.5 * moments @ CURVATURES
    best = int(np.argmin(losses))
    return float(losses[best]), float(RATES[best])


def greedy(horizon: int = 1) -> tuple[float, list[float]]:
    """Choose the rate that is best `horizon` steps ahead, again and again.

    Returns:
        The final loss and the rate of each step.
    """
    moments, rates = expected_start(), list[float]()
    while len(rates) < STEPS:
        steps = min(horizon, STEPS - len(rates))
        ends = advance(moments, RATES[:, None], steps)
        best = int(np.argmin(ends @ CURVATURES))
        moments = ends[best]
        rates += [float(RATES[best])] * steps
    return loss_of(moments), rates


class QuadraticEnv(gym.Env[np.ndarray, np.int64]):
    """Forty decisions on the learning rate of one training of the noisy quadratic.

    Starts are drawn: theta_i ~ N(0, 10) and a first rate log-uniform in [0.001, 1]. An action
    multiplies the rate by one of `FACTORS`, clipped to that range; 25 steps follow.

    The observation, float32 [5] in [-10, 10]: progress, log10 of rate and loss, and the loss's
    fall over each of the last two decisions (nats); all of it can be measured in a real training.
    The reward comes at the end only: -log(final loss / 0.341), so 0 is the best constant rate. The
    episode is a task with a fixed end, which progress shows: `terminated`, never `truncated`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's name)

    def __init__(self, seed: int = 0, *, expected: bool = False) -> None:
        """Make the environment.

        Args:
            seed: Decides the starts until `reset(seed=...)` is called, at least 0.
            expected: Whether theta starts at its expected moments instead of a draw.
        """
        self.observation_space = gym.spaces.Box(-BOUND, BOUND, (len(FEATURES),), np.float32)
        self.action_space = gym.spaces.Discrete(len(FACTORS))
        self.schema = {"observation": list(FEATURES), "actions": {"learning_rate": list(FACTORS)}}
        self._rng = generator(seed, "quadratic starts")
        self._expected = expected
        self.moments, self.rate, self.decision = expected_start(), 0.1, 0
        self._losses = [loss_of(self.moments)] * 3

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a start.

        Args:
            seed: Starts anew from this seed; None goes on.
            options: ``{"rate": first learning rate}``, else it is drawn.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._rng = generator(seed, "quadratic starts")
        rate = float(10 ** self._rng.uniform(math.log10(LOWEST), math.log10(HIGHEST)))
        moments = START * self._rng.normal(size=DIMENSION) ** 2
        rate = (options or {}).get("rate", rate)
        self._begin(expected_start() if self._expected else moments, rate)
        return self._observation(), self._info()

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Multiply the rate, then take 25 steps."""
        self.rate = float(np.clip(self.rate * FACTORS[int(action)], LOWEST, HIGHEST))
        self.moments = advance(self.moments, self.rate, STEPS // DECISIONS)
        self._losses = [*self._losses[1:], loss_of(self.moments)]
        self.decision += 1
        done = self.decision == DECISIONS
        reward = -math.log(self._losses[-1] / 0.341) if done else 0.0
        return self._observation(), reward, done, False, self._info()

    def state(self) -> dict[str, Any]:
        """Return JSON values from which `load_state` continues exactly."""
        return {
            "moments": self.moments.tolist(),
            "rate": self.rate,
            "losses": self._losses,
            "decision": self.decision,
            "rng": self._rng.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state`'s values."""
        self.moments = np.array(state["moments"])
        self.rate = state["rate"]
        self._losses = list(state["losses"])
        self.decision = state["decision"]
        self._rng.bit_generator.state = state["rng"]

    def _begin(self, moments: np.ndarray, rate: float) -> None:
        self.moments, self.rate, self.decision = moments, rate, 0
        self._losses = [loss_of(moments)] * 3

    def _observation(self) -> np.ndarray:
        before, previous, now = (math.log(max(loss, 1e-12)) for loss in self._losses)
        values = (
            2 * self.decision / DECISIONS - 1,
            math.log10(self.rate),
            now / math.log(10),
            previous - now,
            before - previous,
        )
        return np.clip(np.array(values, np.float32), -BOUND, BOUND)

    def _info(self) -> dict[str, Any]:
        return {"loss": self._losses[-1], "learning_rate": self.rate}
