"""`reinforce-model`: known optima in few children, exact resuming, and honest ignorance."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from small_spaces import GRID_OPTIMUM, GridSpace, GridTrainer, grid_score

from nas_core.agent import Explains, Recommends, Scored
from nas_core.compare.memory import search_in_memory
from nas_core.doctor.subject import scored
from nas_core.errors import UsageError
from nas_core.loop import Settings
from nas_core.trainer.base import Result, Status
from nas_core.tree import Tree
from nas_net_architecture.imagination import draw, trained
from nas_net_architecture.model_agent import ReinforceModel
from nas_net_architecture.model_config import IMAGINED, QUICK, TABLE, ModelAgentConfig

SPACE, TRAINER = GridSpace(), GridTrainer()
FEW = 30  # of 125 networks


def searched(agent, trials=FEW, trainer=TRAINER):
    ledger = search_in_memory(agent, trainer, Settings(trials, seed=0))
    return [trial.proposal.actions for trial in ledger.trials]


@pytest.mark.parametrize(
    "config",
    [
        TABLE,
        QUICK,
        replace(TABLE, uncertain=False),
        replace(TABLE, proposer="argmax"),
        replace(TABLE, learner=replace(IMAGINED, policy="lstm", learning_rate=0.01)),
    ],
    ids=["table", "quick", "mean", "argmax", "lstm"],
)
def test_the_optimum_of_a_small_space_is_found_in_few_children(config):
    for seed in range(2):
        agent = ReinforceModel(SPACE, seed, config)
        proposed = searched(agent)
        assert GRID_OPTIMUM in proposed, seed
        assert agent.recommend() == proposed.index(GRID_OPTIMUM)


def test_repeats_end_once_one_has_shown_that_they_tell_nothing():
    proposed = searched(ReinforceModel(SPACE, 0, QUICK), 60)
    assert len(set(proposed)) >= 60 - QUICK.lag


def test_a_policy_is_trained_towards_what_scores():
    def score(imagined):
        return np.array(
            [grid_score(imagined.decisions(i)) for i in range(imagined.actions.shape[1])]
        )

    rng, tree = np.random.default_rng(0), Tree(SPACE)
    policy = trained(SPACE, IMAGINED, 30, score, rng, tree)
    sequences = draw(policy, SPACE, 50, rng, tree).sequences
    drawn = Counter(sequences.decisions(i) for i in range(50))
    assert drawn.most_common(1)[0][0] == GRID_OPTIMUM


def test_proposals_in_flight_differ_and_each_has_a_sample_of_its_own():
    agent = ReinforceModel(SPACE, 0, TABLE)
    searched(agent, 12)
    group = [item.actions for item in agent.suggest(6)]
    assert len(set(group)) == 6


@pytest.mark.parametrize("score", [0.5, None], ids=["constant", "all failed"])
def test_without_any_difference_proposals_are_uniform_and_it_says_so(score):
    agent = ReinforceModel(SPACE, 0, TABLE)
    proposals = []
    for _ in range(200):
        (item,) = agent.suggest(1)
        metrics = agent.observe([scored(item, score)])
        proposals.append(item.actions)
        assert metrics["uniform"] == 1.0
    for place in range(3):
        counts = Counter(actions[place] for actions in proposals)
        # 40 of each expected, deviation 5.7
        assert min(counts[action] for action in range(5)) > 20


def test_one_difference_ends_it():
    agent = ReinforceModel(SPACE, 0, TABLE)
    one, other = agent.suggest(2)
    assert agent.observe([scored(one, 0.5)])["uniform"] == 1.0
    assert agent.observe([scored(other, 0.6)])["uniform"] == 0.0


def test_failed_children_are_avoided():
    wide = GridSpace(5, 5)
    proposed = searched(ReinforceModel(wide, 0, TABLE), 40, GridTrainer(fails=2))
    assert sum(actions[0] == 2 for actions in proposed[-20:]) <= 2


def test_what_it_prefers_is_what_it_has_learned():
    agent = ReinforceModel(SPACE, 0, TABLE)
    assert isinstance(agent, Explains)
    assert isinstance(agent, Recommends)
    assert len(agent.preferences()) == 3  # before anything is known
    searched(agent, 40)
    assert [item.options[0][0] for item in agent.preferences()] == ["4", "0", "4"]


def test_another_result_of_the_same_network_is_listened_to():
    agent = ReinforceModel(SPACE, 0, TABLE)
    (item,) = agent.suggest(1)
    for score in (0.2, 0.4):
        agent.observe([Scored(item, score, Result(Status.OK, score))])
    assert not agent.observe([scored(item, 0.3)])["uniform"]


@pytest.mark.parametrize("wrong", [{"proposer": "best"}, {"start": 0}, {"updates": -1}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        ModelAgentConfig(**wrong)
