"""Simulated trainings as Stable-Baselines3's environments: both agents learn on them."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from dataclasses import replace

from training_control.agents import DQN, PPO, Learner
from training_control.rewards import ReturnScale
from training_control.schema import schema_of
from training_control.simulated import SimulatedTrainings
from training_control.vector_env import SimulatedVecEnv

TINY = {
    "ppo": replace(PPO, n_steps=8, n_epochs=1, batch_size=32),
    "dqn": replace(DQN, learning_starts=16, train_every=1, gradient_steps=2),
}


def made(kind: str, count: int = 8) -> SimulatedVecEnv:
    controls = ("learning_rate", "dropout")
    return SimulatedVecEnv(SimulatedTrainings(controls, count, flat=kind == "dqn"))


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_agents_learn_on_it_and_their_policy_is_the_frozen_one(kind: str) -> None:
    scale = ReturnScale()
    env = made(kind)
    env.trainings._scale = scale
    learner = Learner(kind, env, TINY[kind], scale=scale)
    before = learner.policy().arrays()
    learner.learn(64)
    assert learner.steps == 64 and scale.state()["count"] == 64
    after = learner.policy()
    assert any((before[name] != values).any() for name, values in after.arrays().items())
    seen = env.reset()
    theirs = learner.model.predict(seen, deterministic=True)[0].reshape(len(seen), -1)
    np.testing.assert_array_equal(after.best(seen), theirs)
    np.testing.assert_array_equal([after.act(row) for row in seen], theirs.squeeze())


def test_ends_are_true_ends_and_a_seed_repeats() -> None:
    env, other = made("ppo"), made("ppo")
    env.seed(3), other.seed(3)
    np.testing.assert_array_equal(env.reset(), other.reset())
    ended = np.zeros(8, int)
    for _ in range(60):
        actions = np.full((8, 2), 2)
        seen, rewards, dones, infos = env.step(actions)
        np.testing.assert_array_equal(seen, other.step(actions)[0])
        assert seen.dtype == np.float32 and env.observation_space.contains(seen[0])
        assert rewards.shape == (8,) and all(info == {} for info in infos)
        ended += dones
    assert (ended > 0).all()
    assert schema_of(env)["form"] == "moves"
