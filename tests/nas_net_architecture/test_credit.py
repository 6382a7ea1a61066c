"""Every learner finds known optima, and the mistakes of published code would be noticed.

Each check takes an agent factory. The planted mistakes are alternative pure functions; with any of
them at least one check must fail.
"""

import copy

import numpy as np
import pytest
from small_spaces import GRID_OPTIMUM, GridSpace, grid_score

from nas_core.agent import Scored
from nas_core.trainer.base import Result, Status
from nas_net_architecture import agent as agent_module
from nas_net_architecture import reinforce
from nas_net_architecture.config import LearnerConfig

AGENTS = {
    "reinforce": agent_module.REINFORCE,
    "reinforce-lstm2": agent_module.REINFORCE_LSTM2,
    "reinforce-independent": agent_module.REINFORCE_INDEPENDENT,
    "ppo": agent_module.PPO,
    "ppo-independent": agent_module.PPO_INDEPENDENT,
    "actor-critic": agent_module.ACTOR_CRITIC,
}


def bandit(actions):
    return 0.9 if actions == (3,) else 0.3


def credit_chain(actions):
    """The second decision alone decides on success, but only the first one makes it possible.

    Averaged over the second decision, the first one's right action looks worse than another.
    """
    first, second = actions
    if first == 2:
        return 0.9 if second == 1 else 0.2
    return (0.3, 0.5)[first]


def scored(proposal, reward):
    return Scored(proposal, reward, Result(Status.OK, score=reward))


def run(agent, score, trials):
    proposals = []
    while len(proposals) < trials:
        group = agent.suggest(agent.batch)
        agent.observe([scored(item, score(item.actions)) for item in group])
        proposals += group
    return proposals


def check_learns(build, space, score, best, trials=400):
    for seed in range(2):
        last = run(build(space, seed, trials, "quick"), score, trials)[-50:]
        share = np.mean([item.actions == best for item in last])
        assert share >= 0.6, f"{share:.0%} of the last proposals are the optimum"


def check_bandit(build):
    check_learns(build, GridSpace(5, 1), bandit, (3,))


def check_credit_chain(build):
    check_learns(build, GridSpace(3, 2), credit_chain, (2, 1))


def check_enumerated_space(build):
    check_learns(build, GridSpace(5, 3), grid_score, GRID_OPTIMUM, trials=800)


def probability(agent, actions):
    """Return log p of `actions`, asked of a copy: the agent keeps its memory of the last group."""
    space = agent._space
    log_probs = reinforce.log_softmax(
        copy.deepcopy(agent._policy).forward(np.array(actions)[:, None]).logits,
        np.stack([space.legal(tuple(actions[:t])) for t in range(len(actions))])[:, None],
    )
    return reinforce.log_prob_of(log_probs, np.array(actions)[:, None]).sum()


def check_one_reward_counts(build):
    """The very first architecture becomes likelier, as no baseline is known yet."""
    config = LearnerConfig(batch=1, learning_rate=0.01)
    agent = agent_module.Reinforce(GridSpace(5, 3), 0, config)
    (proposal,) = agent.suggest(1)
    before = probability(agent, proposal.actions)
    agent.observe([scored(proposal, 0.6)])
    assert probability(agent, proposal.actions) > before + 0.01


def check_samples(build):
    """A fresh controller proposes everything, about equally often."""
    agent = agent_module.Reinforce(GridSpace(5, 1), 0, LearnerConfig())
    counts = np.bincount([item.actions[0] for item in agent.suggest(1000)], minlength=5)
    assert counts.min() > 130, counts


CHECKS = [
    check_samples,
    check_bandit,
    check_credit_chain,
    check_enumerated_space,
    check_one_reward_counts,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[6:])
@pytest.mark.parametrize(
    "name", ["reinforce", "reinforce-independent", pytest.param("ppo", marks=pytest.mark.slow)]
)
def test_learners(name, check):
    check(AGENTS[name].build)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS[1:4], ids=lambda check: check.__name__[6:])
@pytest.mark.parametrize("name", ["reinforce-lstm2", "ppo-independent", "actor-critic"])
def test_other_learners(name, check):
    check(AGENTS[name].build)


def argmax_instead_of_sampling(log_probs, uniforms):
    return log_probs.argmax(axis=1)


def gradient_of_other_actions(log_probs, actions, d_log_prob, d_entropy):
    count, batch, n_actions = log_probs.shape
    uniforms = np.random.default_rng(0).random(count * batch)
    drawn = REAL_CHOOSE(log_probs.reshape(-1, n_actions), uniforms).reshape(count, batch)
    return REAL_D_LOGITS(log_probs, drawn, d_log_prob, d_entropy)


def baseline_first_undeclared(rewards, baseline, decay, baseline_first):
    return REAL_ADVANTAGES(rewards, baseline, decay, True)


REAL_CHOOSE, REAL_D_LOGITS, REAL_ADVANTAGES = (
    reinforce.choose, reinforce.d_logits, reinforce.advantages,
)  # fmt: skip
MISTAKES = {
    "argmax": ("choose", argmax_instead_of_sampling, check_samples),
    "re-sampled": ("d_logits", gradient_of_other_actions, check_bandit),
    "baseline first": ("advantages", baseline_first_undeclared, check_one_reward_counts),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistakes_are_noticed(mistake, monkeypatch):
    name, wrong, check = MISTAKES[mistake]
    check(agent_module.REINFORCE.build)
    monkeypatch.setattr(reinforce, name, wrong)
    with pytest.raises(AssertionError):
        check(agent_module.REINFORCE.build)


def test_baseline_first_is_legitimate_when_declared():
    config = LearnerConfig(
        policy="independent", batch=1, learning_rate=0.1, baseline_decay=0.9, baseline_first=True
    )

    def build(space, seed, trials, preset):
        return agent_module.Reinforce(space, seed, config)

    check_enumerated_space(build)
