"""Epsilon-greedy Q-learning with a table: the agent for tiny cases, in NumPy."""

import math
from collections.abc import Sequence
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
        edges: Ascending bin edges of each feature that the table looks at, at least one for each.
        features: Which these are: names of the environment's features (`observations.FEATURES`),
            or places in its observation, from 0; None for all, in order.
        learning_rate: Of the table's entries, in (0, 1].
        gamma: Discount in [0, 1].
        epsilon: Chance of a random decision at first.
        epsilon_end: Chance in the end.
        epsilon_steps: Decisions over which it falls linearly, at least 1.

    Raises:
        UsageError: On construction, for a value that cannot be.
    """

    edges: tuple[tuple[float, ...], ...]
    features: tuple[str | int, ...] | None = None
    learning_rate: float = 0.1
    gamma: float = 1.0
    epsilon: float = 0.1
    epsilon_end: float = 0.01
    epsilon_steps: int = 10_000

    def __post_init__(self) -> None:
        for row in self.edges:
            if len(row) == 0 or not np.isfinite(row).all() or not (np.diff(row) > 0).all():
                raise UsageError(
                    f"expected ascending bin edges of each feature, received {row}: leave out "
                    "features that are not to be looked at"
                )
        if self.features is not None and len(self.features) != len(self.edges):
            raise UsageError(
                f"expected bin edges of each of {len(self.features)} features, received "
                f"{len(self.edges)} rows: give one row for each"
            )
        checks = {
            "learning_rate": 0 < self.learning_rate <= 1,
            "gamma": 0 <= self.gamma <= 1,
            "epsilon": 0 <= self.epsilon <= 1,
            "epsilon_end": 0 <= self.epsilon_end <= 1,
            "epsilon_steps": self.epsilon_steps >= 1,
        }
        for name, good in checks.items():
            if not good:
                raise UsageError(
                    f"expected {name} within its range, received {getattr(self, name)!r}: see "
                    "TabularConfig"
                )


class TabularLearner:
    """Q(s, a) <- Q(s, a) + learning_rate * (r + gamma * max_b Q(s', b) - Q(s, a))."""

    kind = "tabular"

    def __init__(self, env: gym.Env[Any, Any], config: TabularConfig, seed: int = 0) -> None:
        """Make a table of zeros.

        Args:
            env: With a Discrete action space and a Box of features, such as a
                `TrainingControlEnv` of one control.
            config: Bins and settings.
            seed: Decides exploration, at least 0.

        Raises:
            UsageError: Other spaces, a feature that is not there, or more than a million cells.
        """
        if not isinstance(env.action_space, gym.spaces.Discrete):
            raise UsageError(
                f"expected one discrete choice, received {env.action_space}: take one control, "
                "or flat=True, or use ppo or dqn"
            )
        self.config, self.schema, self._env = config, schema_of(env), env
        self._edges = _table_edges(config, env.observation_space, self.schema["observation"])
        cells = math.prod(len(row) + 1 for row in config.edges)
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


def _table_edges(
    config: TabularConfig, space: gym.Space[Any], names: Sequence[str | int]
) -> np.ndarray:
    """Return the edges of every feature of the observation, infinite where there is none.

    Args:
        config: Bins.
        space: Of observations.
        names: Of features; numbers where they have none.
    """
    shape = space.shape
    if shape is None or len(shape) != 1:
        raise UsageError(f"expected observations of one row of features, received {space}: flatten")
    wanted = range(len(config.edges)) if config.features is None else config.features
    if config.features is None and len(config.edges) != shape[0]:
        raise UsageError(
            f"expected bin edges of {shape[0]} features, received {len(config.edges)} rows: say "
            "with features=(...) which they belong to"
        )
    places = [_place(feature, names, shape[0]) for feature in wanted]
    if len(set(places)) < len(places):
        raise UsageError(f"expected each feature once, received {config.features}")
    edges = np.full((shape[0], max((len(row) for row in config.edges), default=0)), np.inf)
    for place, row in zip(places, config.edges, strict=True):
        edges[place, : len(row)] = row
    return edges.astype(np.float32)


def _place(feature: str | int, names: Sequence[str | int], count: int) -> int:
    """Return a feature's place in the observation."""
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    whole = isinstance(feature, int) and not isinstance(feature, bool)
    if isinstance(feature, int) and whole and 0 <= feature < count:
        return feature
    known = ", ".join(name for name in names if isinstance(name, str))
    raise UsageError(
        f"expected features among {known or 'the places'} or 0 to {count - 1}, received "
        f"{feature!r}: see the environment's schema"
    )
