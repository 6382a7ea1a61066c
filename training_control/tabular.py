"""Epsilon-greedy Q-learning with a table: the agent for tiny cases, in NumPy."""

from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from nas_core.seeding import generator
from training_control.brain import Brain
from training_control.policy import FrozenPolicy, cell_of
from training_control.schema import schema_of

LARGEST_TABLE = 1 << 20


@dataclass(frozen=True)
class TabularConfig:
    """Settings of the table.

    Attributes:
        edges: Ascending bin edges of each observed feature; a feature without edges needs as many
            that lie beyond its range, since all rows have the same length.
        learning_rate: Of the table's entries, in (0, 1].
        gamma: Discount in [0, 1].
        epsilon: Chance of a random decision at first.
        epsilon_end: Chance in the end.
        epsilon_steps: Decisions over which it falls linearly.
    """

    edges: tuple[tuple[float, ...], ...]
    learning_rate: float = 0.1
    gamma: float = 1.0
    epsilon: float = 0.1
    epsilon_end: float = 0.01
    epsilon_steps: int = 10_000


class TabularLearner:
    """Q(s, a) <- Q(s, a) + learning_rate * (r + gamma * max_b Q(s', b) - Q(s, a))."""

    kind = "tabular"

    def __init__(self, env: gym.Env[Any, Any], config: TabularConfig, seed: int = 0) -> None:
        """Make a table of zeros.

        Args:
            env: With a Discrete action space and a Box of one feature per row of edges.
            config: Bins and settings.
            seed: Decides exploration, at least 0.

        Raises:
            UsageError: Other spaces, or more than a million cells.
        """
        features = len(config.edges)
        if not isinstance(env.action_space, gym.spaces.Discrete) or (
            env.observation_space.shape != (features,)
        ):
            raise UsageError(
                f"expected one discrete choice and {features} features, received "
                f"{env.action_space} and {env.observation_space}: flatten, or use ppo or dqn"
            )
        self.config, self.schema, self._env = config, schema_of(env), env
        self._edges = np.array(config.edges, np.float32)
        cells = (self._edges.shape[1] + 1) ** features
        if cells > LARGEST_TABLE:
            raise UsageError(
                f"expected at most {LARGEST_TABLE} cells, received {cells}: fewer bins"
            )
        self.values = np.zeros((cells, int(env.action_space.n)), np.float32)
        self.steps = 0
        self._rng = generator(seed, "tabular")
        self._observation: np.ndarray | None = None

    @property
    def epsilon(self) -> float:
        """Present chance of a random decision."""
        share = min(self.steps / self.config.epsilon_steps, 1.0)
        return self.config.epsilon + share * (self.config.epsilon_end - self.config.epsilon)

    def learn(self, steps: int) -> None:
        """Take `steps` more decisions in the environment and learn from each."""
        for _ in range(steps):
            if self._observation is None:
                self._observation, _ = self._env.reset()
            cell = int(cell_of(self._observation, self._edges))
            action = self._choose(cell)
            after, reward, terminated, truncated, _ = self._env.step(np.int64(action))
            ended = terminated or truncated  # the budget's end is a true end: see agents.FixedEnd
            following = 0.0 if ended else float(self.values[cell_of(after, self._edges)].max())
            self.update(cell, action, float(reward) + self.config.gamma * following)
            self._observation = None if ended else after

    def update(self, cell: int, action: int, target: float) -> None:
        """Move one entry towards its target."""
        self.values[cell, action] += self.config.learning_rate * (
            target - float(self.values[cell, action])
        )
        self.steps += 1

    def _choose(self, cell: int) -> int:
        if self._rng.random() < self.epsilon:
            return int(self._rng.integers(self.values.shape[1]))
        row = self.values[cell]
        return int(self._rng.choice(np.flatnonzero(row == row.max())))

    def policy(self) -> FrozenPolicy:
        """Return the greedy policy."""
        sizes = (self.values.shape[1],)
        return FrozenPolicy("table", sizes, ((self.values.copy(), self._edges),))

    def brain(self, score: float | None = None) -> Brain:
        """Return everything that learning goes on from, at the next episode."""
        policy = self.policy()
        state = {
            "config": asdict(self.config),
            "steps": self.steps,
            "rng": self._rng.bit_generator.state,
        }
        arrays = policy.arrays()
        return Brain(
            self.kind, self.schema, policy.config(), arrays, {"values": arrays["w0"]}, state,
            score=score,
        )  # fmt: skip

    def restore(self, brain: Brain) -> None:
        """Go on from a brain with the same bins.

        Raises:
            UsageError: It is another kind of brain, or has other bins.
        """
        same = brain.kind == self.kind and np.array_equal(brain.policy["b0"], self._edges)
        if not same or "values" not in brain.learner:
            raise UsageError(
                f"expected a tabular brain with these bins, received one of {brain.kind}: "
                "use the same settings, or start anew"
            )
        self.values, self.steps = brain.learner["values"].copy(), brain.state["steps"]
        self._rng.bit_generator.state = brain.state["rng"]
        self._observation = None
