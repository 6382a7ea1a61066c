"""What a controller says of its own policy, beside numbers worked by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from small_spaces import GridSpace

from nas_core.agent import Explains, Scored
from nas_core.agents.random_search import ENTRY as RANDOM
from nas_core.registry import agent_entry
from nas_core.trainer.base import Result, Status
from nas_net_architecture.cell_space import PAPER_CELLS, QUICK_CELLS, CellSpace
from nas_net_architecture.chain_config import PAPER_CHAIN, QUICK_CHAIN
from nas_net_architecture.chain_space import ChainSpace
from nas_net_architecture.explain import preferences

SHAPE = (32, 32, 3)
CELLS = CellSpace(QUICK_CELLS, SHAPE, 10)
CHAIN = ChainSpace(QUICK_CHAIN, SHAPE, 10)
AGENTS = ("reinforce", "reinforce-lstm2", "reinforce-independent", "ppo", "actor-critic")


class HandMade:
    """Two decisions of three options: first 1/2, 1/8, 3/8; then almost sure of what came before."""

    def start(self, batch):
        return np.log([[1 / 2, 1 / 8, 3 / 8]])

    def logits(self, memory, t, previous):
        if t == 0:
            return memory
        return np.log(np.where(np.arange(3) == previous, 0.98, 0.01))[None]


class Masked(GridSpace):
    """The grid without its first option."""

    def legal(self, state):
        return super().legal(state) & (np.arange(self.n_actions) > 0)


def test_a_policy_made_by_hand():
    first, second = preferences(HandMade(), GridSpace(3, 2), 0)
    assert [name for name, _ in first.options] == ["0", "2", "1"]
    assert [p for _, p in first.options] == pytest.approx([1 / 2, 3 / 8, 1 / 8])
    # -(1/2 ln 1/2 + 3/8 ln 3/8 + 1/8 ln 1/8)
    assert first.entropy == pytest.approx(0.97431, abs=1e-5)
    # After the likeliest option, which was 0.
    assert second.options[0] == ("0", pytest.approx(0.98))
    assert second.entropy == pytest.approx(-(0.98 * math.log(0.98) + 0.02 * math.log(0.01)))
    assert [first.decision, second.decision] == ["decision 0", "decision 1"]


def test_what_is_illegal_is_no_option():
    first, second = preferences(HandMade(), Masked(3, 2), 0)
    assert dict(first.options) == {"2": pytest.approx(3 / 4), "1": pytest.approx(1 / 4)}
    assert second.options[0] == ("2", pytest.approx(0.98 / 0.99))


@pytest.mark.parametrize("space", [CELLS, CHAIN], ids=["cells", "chain"])
@pytest.mark.parametrize("name", AGENTS)
def test_a_fresh_controller_is_open_about_everything(name, space):
    agent = agent_entry(name).build(space, 0, 100, "quick")
    assert isinstance(agent, Explains)
    found = agent.preferences()
    assert len(found) == space.n_steps
    assert len({item.decision for item in found}) == space.n_steps
    for item in found:
        probabilities = [p for _, p in item.options]
        assert sum(probabilities) == pytest.approx(1)
        assert probabilities == sorted(probabilities, reverse=True)
        assert item.entropy == pytest.approx(math.log(len(probabilities)), rel=0.05, abs=1e-9)


def test_asking_changes_nothing():
    asked, other = (agent_entry("reinforce").build(CELLS, 3, 100, "quick") for _ in range(2))
    for _ in range(2):
        asked.preferences()
        groups = [agent.suggest(8) for agent in (asked, other)]
        assert groups[0] == groups[1]
        asked.preferences()  # while children are being trained
        for agent, group in zip((asked, other), groups, strict=True):
            agent.observe([Scored(item, 0.5, Result(Status.OK, score=0.5)) for item in group])
    assert json.dumps(asked.state()) == json.dumps(other.state())


def test_what_is_rewarded_becomes_likelier():
    agent = agent_entry("reinforce-independent").build(GridSpace(4, 2), 0, 100, "quick")
    for _ in range(30):
        group = agent.suggest(agent.batch)
        rewards = [float(item.actions == (3, 1)) for item in group]
        agent.observe(
            [Scored(p, r, Result(Status.OK, score=r)) for p, r in zip(group, rewards, strict=True)]
        )
    first, second = agent.preferences()
    assert first.options[0][0] == "3"
    assert second.options[0][0] == "1"
    assert first.options[0][1] > 0.8


def test_a_curriculum_shows_what_the_next_trial_may_decide():
    space = ChainSpace(replace(PAPER_CHAIN, depths=(2, 3), samples_per_depth=8), SHAPE, 10)
    agent = agent_entry("reinforce").build(space, 0, 100, "quick")
    assert agent.preferences()[0].options == (("depth 2", 1.0),)
    agent.suggest(8)
    assert agent.preferences()[0].options == (("depth 3", 1.0),)


def test_random_search_has_nothing_to_explain():
    assert not isinstance(RANDOM.build(CELLS, 0, 10, "quick"), Explains)


def test_decisions_have_the_names_of_the_pictures():
    names = [CELLS.decision_name(number) for number in (0, 4, 7, 20, 39)]
    assert names == ["normal h2: input 1", "normal h2: combine", "normal h3: operation 1",
                     "reduction h2: input 1", "reduction h5: combine"]  # fmt: skip
    paper = CellSpace(PAPER_CELLS, SHAPE, 10)
    assert paper.decision_name(99) == "reduction h6: combine"
    chain = [CHAIN.decision_name(number) for number in range(14)]
    assert chain[:7] == [
        "layer 0: height", "layer 0: width", "layer 0: filters", "layer 0: pool",
        "layer 0: batch norm", "layer 0: dropout", "layer 1: height",
    ]  # fmt: skip
    assert chain[12] == "layer 1: reads 0"
    assert ChainSpace(replace(PAPER_CHAIN, depths=(2, 4)), SHAPE, 10).decision_name(0) == "depth"
