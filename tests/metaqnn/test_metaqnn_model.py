"""`metaqnn-model`: imagined networks help, real ones correct, and nothing is learned of nothing."""

from collections import Counter

import pytest
from small_spaces import GRID_OPTIMUM, GridSpace, GridTrainer

from metaqnn.model_agent import MetaQNNModel, ModelAgentConfig
from nas_core.agent import Recommends
from nas_core.compare.memory import search_in_memory
from nas_core.doctor.subject import scored
from nas_core.errors import UsageError
from nas_core.loop import Settings

SPACE = GridSpace()
FEW = 50  # of 125 networks


def searched(agent, trials=FEW):
    ledger = search_in_memory(agent, GridTrainer(), Settings(trials, seed=0))
    return [trial.proposal.actions for trial in ledger.trials]


def test_the_optimum_of_a_small_space_is_found_in_few_children():
    for seed in range(4):
        agent = MetaQNNModel(SPACE, seed)
        assert isinstance(agent, Recommends)
        proposed = searched(agent)
        assert GRID_OPTIMUM in proposed, seed
        assert agent.recommend() == proposed.index(GRID_OPTIMUM)


def test_imagined_networks_reach_states_that_no_child_has_met():
    real = MetaQNNModel(SPACE, 0, ModelAgentConfig(imagined=0))
    dyna = MetaQNNModel(SPACE, 0)
    for agent in (real, dyna):
        searched(agent, 10)
    assert len(real.state()["q"]) < len(dyna.state()["q"]) <= 31  # 1 + 5 + 25 states in all


@pytest.mark.parametrize("score", [0.5, None], ids=["constant", "all failed"])
def test_without_any_difference_proposals_are_uniform_and_it_says_so(score):
    agent, proposals = MetaQNNModel(SPACE, 0), []
    for _ in range(200):
        (item,) = agent.suggest(1)
        assert agent.observe([scored(item, score)])["uniform"] == 1.0
        assert item.epsilon == 1.0
        proposals.append(item.actions)
    for place in range(3):
        counts = Counter(actions[place] for actions in proposals)
        assert min(counts[action] for action in range(5)) > 20  # 40 expected, deviation 5.7


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"imagined": -1}, {"imagined_epsilon": 1.5}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        ModelAgentConfig(**wrong)
