"""The learner finds known optima, reproducibly, and goes on where it was."""

import json
from dataclasses import replace

import pytest
from small_spaces import GridSpace, GridTrainer, grid_score

from metaqnn.agent import QUICK, MetaQNN, build
from metaqnn.config import LearnerConfig
from nas_core.agent import Scored
from nas_core.errors import UsageError
from nas_core.trainer.base import Job

SPACE = GridSpace(5, 3)


def scored(proposal):
    result = GridTrainer().score(proposal.spec, Job(proposal.trial, 0))
    return Scored(proposal, result.score, result)


def run(agent, trials):
    proposals = []
    for _ in range(trials):
        (proposal,) = agent.suggest(1)
        agent.observe([scored(proposal)])
        proposals.append(proposal)
    return proposals


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_enumerated_optimum(seed):
    proposals = run(build(SPACE, seed, 400, "quick"), 400)
    best = max(proposals, key=lambda p: grid_score(p.actions))
    assert best.actions == (4, 0, 4)
    assert sum(p.actions == (4, 0, 4) for p in proposals[-30:]) >= 15


def test_q_values_converge_to_the_best_reachable_accuracy():
    agent = MetaQNN(SPACE, 0, replace(QUICK, schedule=((1.0, 600),)))
    run(agent, 600)
    table = dict(agent.state()["q"])
    root = dict(table[()])
    for first, value in root.items():
        assert value == pytest.approx(grid_score((first, 0, 4)), abs=0.02)


def test_same_seed_same_proposals_other_seed_others():
    one, two, other = (run(build(SPACE, seed, 40, "quick"), 40) for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_suggest_learns_nothing_and_epsilon_is_recorded():
    agent = build(SPACE, 0, 100, "quick")
    before = agent.state()["q"]
    assert [p.epsilon for p in agent.suggest(3)] == [1.0, 1.0, 1.0]
    assert agent.state()["q"] == before


def test_state_goes_on_exactly():
    agent = build(SPACE, 3, 60, "quick")
    history = [scored(p) for p in run(agent, 30)]
    state = json.loads(json.dumps(agent.state()))
    resumed = build(SPACE, 3, 60, "quick")
    resumed.load_state(state, history)
    assert run(resumed, 30) == run(agent, 30)
    assert resumed.state() == agent.state()


def test_paper_schedule_counts_unique_models():
    agent = MetaQNN(GridSpace(1, 1), 0, LearnerConfig(schedule=((1.0, 2), (0.5, 1))))
    run(agent, 5)  # one architecture only: still in the first phase
    assert agent.epsilon(5) == 1.0


def test_bad_learners_are_refused():
    for bad in ({"alpha": 0.0}, {"gamma": 1.5}, {"replay": -1}, {"lag": 0}):
        with pytest.raises(UsageError):
            LearnerConfig(**bad)
