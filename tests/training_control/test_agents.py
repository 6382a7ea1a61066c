"""Agents: the NumPy policy equals theirs, brains continue exactly, nobody is disturbed."""

import random
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from dataclasses import replace  # noqa: E402

from nas_core.errors import UsageError  # noqa: E402
from training_control import brain as brains  # noqa: E402
from training_control.agents import DQN, PPO, AgentConfig, Learner  # noqa: E402
from training_control.policy import softmax  # noqa: E402
from training_control.quadratic import QuadraticEnv  # noqa: E402

TINY_PPO = replace(PPO, n_steps=128, n_epochs=2, hidden=(16,))
TINY_DQN = replace(
    DQN, hidden=(16,), learning_starts=50, target_every=100, buffer_size=700, lookahead=3
)
TINY = {"ppo": TINY_PPO, "dqn": TINY_DQN}


def learner(kind: str, seed: int = 0, config: AgentConfig | None = None) -> Learner:
    makers = [lambda: QuadraticEnv(1), lambda: QuadraticEnv(2)]
    return Learner(kind, makers, config or TINY.get(kind, TINY_PPO), seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_two_halves_equal_one_whole(kind: str, tmp_path: Path) -> None:
    whole = learner(kind)
    whole.learn(1024)
    first = learner(kind)
    first.learn(512)
    brains.save(tmp_path, first.brain())
    second = learner(kind, seed=9)  # another start, all of it replaced by the brain
    second.restore(brains.load(tmp_path, second.schema))
    second.learn(512)
    one, other = whole.brain(), second.brain()
    assert one.state == other.state
    assert one.learner.keys() == other.learner.keys()
    for name, values in one.learner.items():
        assert np.max(np.abs(values.astype(float) - other.learner[name].astype(float))) == 0.0, name


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_the_frozen_policy_equals_the_trained_one(kind: str) -> None:
    agent = learner(kind)
    agent.learn(256)
    policy = agent.policy()
    seen = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    with torch.no_grad():
        if kind == "ppo":
            theirs = agent.model.policy.get_distribution(torch.tensor(seen)).distribution.probs
            ours = softmax(policy.outputs(seen))
        else:
            theirs, ours = agent.model.q_net(torch.tensor(seen)), policy.outputs(seen)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    actions = [int(policy.act(row)) for row in seen]
    assert actions == agent.model.predict(seen, deterministic=True)[0].tolist()


def test_several_choices_and_continuous_actions_are_frozen_too() -> None:
    for space in (gym.spaces.MultiDiscrete([3, 5]), gym.spaces.Box(-1, 1, (2,), np.float32)):
        task = QuadraticEnv()
        task.action_space, task.schema = space, None
        agent = Learner("ppo", [lambda task=task: task], TINY_PPO)
        policy, seen = agent.policy(), np.ones((1, 5), np.float32)
        ours = policy.act(seen[0])
        np.testing.assert_allclose(
            ours, agent.model.predict(seen, deterministic=True)[0][0], atol=1e-5
        )


def test_learning_leaves_global_generators_alone() -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    learner("dqn").learn(64)
    assert (random.random(), np.random.random(), torch.rand(1).item()) == expected


@pytest.mark.slow
def test_epsilon_falls_by_decisions_taken() -> None:
    agent = learner(
        "dqn", config=replace(TINY_DQN, epsilon=0.1, epsilon_end=0.0, epsilon_steps=200)
    )
    agent.learn(100)
    assert agent.model.exploration_rate == pytest.approx(0.05, abs=0.005)
    agent.learn(200)
    assert agent.model.exploration_rate == 0.0


def test_refuses_other_agents_and_settings() -> None:
    with pytest.raises(UsageError, match="expected an agent among ppo, dqn, received 'sarsa'"):
        learner("sarsa")
    with pytest.raises(UsageError, match="same agent"):
        learner("dqn").restore(learner("ppo").brain())
    with pytest.raises(UsageError, match="same settings"):
        learner("ppo").restore(learner("ppo", config=replace(TINY_PPO, hidden=(8,))).brain())
