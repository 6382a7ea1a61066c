"""The tabular agent: a step by hand, a small case solved, its brain, what it refuses."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from nas_core.errors import UsageError
from training_control import brain as brains
from training_control.controls import Hyperparameters
from training_control.optimizer_agent import TrainingSpaces
from training_control.policy import cell_of
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


RATE = ("learning_rate",)
QUARTERS, RATES = (-0.5, 0.0, 0.5), (-2.0, -1.5, -1.0, -0.5)


def test_ragged_bins_of_chosen_features_by_hand() -> None:
    edges = np.array([[0.0, np.inf], [np.inf, np.inf], [1.0, 2.0]], np.float32)
    seen = np.array([[-1, 9, 0], [0, 9, 0], [-1, 9, 1], [5, -9, 2]], np.float32)
    assert cell_of(seen, edges).tolist() == [0, 1, 2, 5]
    config = TabularConfig(((0.0,), (1.0, 2.0)), features=("rate", 3))
    learner = TabularLearner(QuadraticEnv(), config)
    assert learner.values.shape == (2 * 3, 5)
    assert learner.policy().layers[0][1].tolist()[1] == [0.0, np.inf]


def test_it_beats_every_constant_rate_on_the_noisy_quadratic() -> None:
    config = TabularConfig(
        edges=(QUARTERS, RATES),
        features=("progress", "rate"),
        learning_rate=0.2,
        epsilon=1.0,
        epsilon_end=0.05,
        epsilon_steps=30_000,
    )
    learner = TabularLearner(QuadraticEnv(), config)
    learner.learn(40_000)
    policy, env, losses = learner.policy(), QuadraticEnv(77), []
    for _ in range(60):
        seen, ended = env.reset()[0], False
        while not ended:
            seen, _, ended, _, info = env.step(policy.act(seen))
        losses.append(info["loss"])
    assert np.mean(losses) < 0.25  # the best constant rate ends at 0.341


@pytest.mark.slow
def test_it_controls_real_trainings_and_its_brain_does_so_too(tmp_path: Path) -> None:
    from training_control.env import TrainingControlEnv
    from training_control.steering import Seen, Steering, open_brain

    env = TrainingControlEnv("generated-tables", decisions=4)
    config = TabularConfig(
        edges=((-0.5, 0.0, 0.5), (0.0, 0.05)),
        features=("learning_rate", "validation_slope_short"),
    )
    learner = TabularLearner(env, config)
    learner.learn(8)
    assert learner.values.shape == (4 * 3, 5)
    assert np.count_nonzero(learner.values) > 0
    brains.save(tmp_path, learner.brain())
    steering = Steering(open_brain(tmp_path), Hyperparameters(), RATE, RATE)
    assert steering.decide(Seen(1.0, 1.0, 0.5, None, 0.25)) is not None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features": ("progress", "rates")}, "expected features among progress, rate, .*'rates'"),
        ({"features": (0, 5)}, "or 0 to 4, received 5"),
        ({"features": (0, -1)}, "or 0 to 4, received -1"),
        ({"features": (0, True)}, "received True"),
        ({"features": ("rate", 1)}, "expected each feature once"),
        ({"features": ("rate",)}, "expected bin edges of each of 1 features, received 2 rows"),
        ({"features": None}, "expected bin edges of 5 features, received 2 rows"),
        ({"edges": ((0.0,), ())}, "expected ascending bin edges"),
        ({"edges": ((0.0,), (1.0, 1.0))}, "expected ascending bin edges"),
        ({"edges": ((0.0,), (0.0, float("inf")))}, "expected ascending bin edges"),
        ({"edges": (tuple(range(2000)), tuple(range(2000)))}, "expected at most 1048576 cells"),
        ({"epsilon_steps": 0}, "expected epsilon_steps within its range, received 0"),
        ({"learning_rate": 0.0}, "expected learning_rate within its range"),
        ({"gamma": float("nan")}, "expected gamma within its range"),
    ],
)
def test_bad_settings_are_one_line(changed: dict[str, Any], message: str) -> None:
    good = {"edges": ((0.0,), (0.0, 1.0)), "features": ("progress", "rate")}
    TabularLearner(QuadraticEnv(), TabularConfig(**good))
    with pytest.raises(UsageError, match=message):
        TabularLearner(QuadraticEnv(), TabularConfig(**{**good, **changed}))


def test_refuses_other_spaces_and_bins() -> None:
    several = TrainingSpaces(("learning_rate", "dropout"))
    with pytest.raises(UsageError, match=r"expected one discrete choice, .*flat=True"):
        TabularLearner(several, TabularConfig(((0.0,),), features=("progress",)))
    other = TabularLearner(Walk(), TabularConfig(edges=((0.5, 1.5),)))
    with pytest.raises(UsageError, match="these bins"):
        other.restore(TabularLearner(Walk(), CONFIG).brain())
