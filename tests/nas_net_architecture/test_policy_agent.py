"""The agent's contract: on every space, reproducible, resumable, at home in the loop."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scripted import ShuffledExecutor
from small_spaces import GridSpace, GridTrainer

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.agent import Agent, Scored
from nas_core.errors import NasError, RunError, UsageError
from nas_core.loop import SearchLoop, Settings
from nas_core.registry import agent_entry, names, space_entry
from nas_core.space import spec_of
from nas_core.store import RunStore
from nas_core.trainer.base import Result, Status
from nas_net_architecture.agent import Reinforce
from nas_net_architecture.cell_space import QUICK_CELLS, CellSpace
from nas_net_architecture.chain_config import PAPER_CHAIN, QUICK_CHAIN
from nas_net_architecture.chain_space import ChainSpace
from nas_net_architecture.config import QUICK_LSTM, LearnerConfig
from nas_net_architecture.text_config import QUICK_TEXT
from nas_net_architecture.text_space import TextSpace

SHAPE = (32, 32, 3)
SPACES = {
    "grid": GridSpace(5, 3),
    "metaqnn": MetaQNNSpace(QUICK_SPACE, SHAPE, 10),
    "cell": CellSpace(QUICK_CELLS, SHAPE, 10),
    "chain": ChainSpace(QUICK_CHAIN, SHAPE, 10),
    "chain depths": ChainSpace(
        replace(PAPER_CHAIN, depths=(2, 3), samples_per_depth=8), SHAPE, 10
    ),
    "text": TextSpace(QUICK_TEXT, (48, 1, 1), 2, 8000),
}  # fmt: skip
AGENTS = [
    "actor-critic", "ppo", "ppo-independent", "reinforce", "reinforce-independent",
    "reinforce-lstm2",
]  # fmt: skip


def build(name, space, seed=0, preset="quick"):
    return agent_entry(name).build(space, seed, 100, preset)


def reward_of(proposal):
    return 0.3 + 0.05 * (sum(proposal.actions) % 7)


def scored(proposal):
    reward = reward_of(proposal)
    return Scored(proposal, reward, Result(Status.OK, score=reward))


def run(agent, groups):
    proposals = []
    for _ in range(groups):
        group = agent.suggest(agent.batch)
        agent.observe([scored(item) for item in group])
        proposals += group
    return proposals


def weights(agent):
    return {name: value.copy() for name, value in agent._policy.weights.items()}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_works_on_every_space(name, space):
    agent = build(name, SPACES[space])
    assert isinstance(agent, Agent)
    assert agent.name == name
    before = weights(agent)
    group = agent.suggest(agent.batch)
    assert [item.trial for item in group] == list(range(agent.batch))
    for item in group:
        assert spec_of(SPACES[space], item.actions).digest == item.spec.digest
    for key, value in weights(agent).items():
        np.testing.assert_array_equal(value, before[key])  # suggesting learns nothing
    metrics = agent.observe([scored(item) for item in group])
    assert {"loss", "baseline", "advantage", "entropy", "ratio", "kl"} <= set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())
    assert any((value != before[key]).any() for key, value in weights(agent).items())
    assert all(np.isfinite(value).all() for value in weights(agent).values())


@pytest.mark.parametrize("name", AGENTS)
def test_state_goes_on_exactly(name):
    space = SPACES["metaqnn"]
    agent = build(name, space, seed=3)
    history = [scored(item) for item in run(agent, 3)]
    waiting = agent.suggest(agent.batch)
    state = json.loads(json.dumps(agent.state(), allow_nan=False))
    resumed = build(name, space, seed=3)
    resumed.load_state(state, history)
    for one in (agent, resumed):
        one.observe([scored(item) for item in waiting])
    assert run(resumed, 2) == run(agent, 2)
    assert resumed.state() == agent.state()


def test_same_seed_same_proposals_other_seed_others():
    one, two, other = (run(build("reinforce", SPACES["cell"], seed), 3) for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_proposals_do_not_depend_on_how_many_are_asked_for():
    whole = build("reinforce", SPACES["cell"]).suggest(8)
    agent = build("reinforce", SPACES["cell"])
    assert agent.suggest(3) + agent.suggest(5) == whole
    assert agent.suggest(0) == []


def test_early_trials_have_the_smaller_depth():
    space = SPACES["chain depths"]
    proposals = run(build("reinforce-lstm2", space), 3)
    depths = [space.describe(item.actions[0]) for item in proposals]
    assert depths == ["depth 2"] * 8 + ["depth 3"] * 16


def search(folder, agent, trials, slots):
    executor = ShuffledExecutor(GridTrainer(fails=1), slots)
    with RunStore.create(folder, {}) as store:
        SearchLoop(agent, executor, store, Settings(trials, seed=0)).run()
        return [(row.actions, row.reward, row.status) for row in store.trials()]


@pytest.mark.parametrize(
    ("policy", "slots", "lag"),
    [("lstm", 2, 1), ("independent", 2, 2), ("independent", 5, 1), ("independent", 5, 2)],
)
def test_any_number_of_workers_gives_the_same_run(tmp_path, policy, slots, lag):
    config = replace(QUICK_LSTM, policy=policy, lag=lag)
    agents = [Reinforce(GridSpace(5, 3), 5, config) for _ in range(2)]
    trials = 24 if policy == "lstm" else 60
    one = search(tmp_path / "one", agents[0], trials, 1)
    assert search(tmp_path / "many", agents[1], trials, slots) == one
    assert {status for _, _, status in one} == {Status.OK, Status.DIVERGED}


def test_stale_samples_are_weighted_by_their_ratio():
    config = LearnerConfig(policy="independent", batch=20, learning_rate=0.3, lag=2)
    agent = Reinforce(GridSpace(5, 3), 0, config)
    first, second = agent.suggest(20), agent.suggest(20)
    assert agent.observe([scored(item) for item in first])["ratio"] == pytest.approx(1, abs=1e-5)
    assert agent.observe([scored(item) for item in second])["ratio"] != pytest.approx(1, abs=1e-2)


def test_a_foreign_state_is_refused_in_a_line():
    state = build("reinforce", SPACES["cell"]).state()
    for agent in (build("reinforce", GridSpace()), build("reinforce-lstm2", SPACES["cell"])):
        with pytest.raises(RunError, match="belongs to another space or policy"):
            agent.load_state(state, [])
    with pytest.raises(RunError, match="expected the state of a controller"):
        build("reinforce", GridSpace()).load_state({"q": []}, [])


def test_foreign_proposals_are_refused_in_a_line():
    stranger = build("reinforce", GridSpace(5, 3)).suggest(1)
    with pytest.raises(NasError, match="this agent proposed"):
        build("ppo", GridSpace(5, 3)).observe([scored(item) for item in stranger])


def test_bad_learners_are_refused():
    for bad in (
        {"algorithm": "dqn"}, {"policy": "gru"}, {"reward": "loss"}, {"batch": 0}, {"lag": 0},
        {"learning_rate": 0.0}, {"baseline_decay": 1.0}, {"entropy_weight": -1.0},
        {"temperature": 0.0}, {"ppo_clip": 0.0},
    ):  # fmt: skip
        with pytest.raises(UsageError, match="expected the learner's"):
            LearnerConfig(**bad)


def test_registered_by_name_with_both_presets():
    assert set(AGENTS) <= set(names("nas.agents"))
    for name, default in (("nasnet", "reinforce"), ("chain", "reinforce-lstm2")):
        entry = space_entry(name)
        assert entry.default_agent == default
        for preset in ("quick", "paper"):
            space = entry.build(preset, SHAPE, 10)
            assert entry.trials[preset] > 0
            assert entry.recipe(preset).epochs > 0
            assert build(default, space, preset=preset).batch > 1


def test_the_papers_numbers():
    nasnet = build("ppo", SPACES["cell"], preset="paper")
    assert (nasnet.batch, nasnet._config.learning_rate) == (20, 3.5e-4)
    assert (nasnet._config.entropy_weight, nasnet._config.baseline_decay) == (1e-5, 0.95)
    assert space_entry("nasnet").trials["paper"] == 20_000
    assert build("reinforce-lstm2", SPACES["chain"], preset="paper").batch == 8
