"""The tabular agent: a step by hand, a small case solved, its brain, what it refuses."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from nas_core.errors import UsageError
from training_control import brain as brains
from training_control.quadratic import QuadraticEnv
from training_control.tabular import TabularConfig, TabularLearner


class Walk(gym.Env[np.ndarray, np.int64]):
    """Five places; right pays 1 at the end, left pays 0.1 at once."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(0, 4, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self.place = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if action == 0:
            return np.zeros(1, np.float32), 0.1, True, False, {}
        self.place += 1
        ended = self.place == 4
        return np.full(1, self.place, np.float32), float(ended), ended, False, {}


CONFIG = TabularConfig(edges=((0.5, 1.5, 2.5, 3.5),), epsilon=0.3, epsilon_end=0.3)


def test_one_update_by_hand() -> None:
    learner = TabularLearner(Walk(), CONFIG)
    learner.update(2, 1, target=1.0)
    learner.update(2, 1, target=0.5)
    assert learner.values[2, 1] == pytest.approx(0.1 + 0.1 * (0.5 - 0.1))


def test_waits_for_the_larger_reward_and_continues_from_its_brain(tmp_path: Path) -> None:
    learner = TabularLearner(Walk(), CONFIG)
    learner.learn(2000)
    policy = learner.policy()
    assert [int(policy.act(np.full(1, place, np.float32))) for place in range(4)] == [1, 1, 1, 1]
    brains.save(tmp_path, learner.brain())
    other = TabularLearner(Walk(), CONFIG, seed=4)
    other.restore(brains.load(tmp_path, other.schema))
    np.testing.assert_array_equal(other.values, learner.values)
    assert other.steps == 2000


def test_epsilon_decays() -> None:
    learner = TabularLearner(Walk(), TabularConfig(edges=((0.5,),), epsilon_steps=100))
    assert learner.epsilon == pytest.approx(0.1)
    learner.learn(50)
    assert learner.epsilon == pytest.approx(0.055)


def test_refuses_other_spaces_and_bins() -> None:
    with pytest.raises(UsageError, match="expected one discrete choice and 1 features"):
        TabularLearner(QuadraticEnv(), CONFIG)
    other = TabularLearner(Walk(), TabularConfig(edges=((0.5, 1.5),)))
    with pytest.raises(UsageError, match="these bins"):
        other.restore(TabularLearner(Walk(), CONFIG).brain())
