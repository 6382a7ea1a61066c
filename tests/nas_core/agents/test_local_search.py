"""Local search: uphill, every neighbour once, a new start at the top."""

import json

from small_spaces import GridSpace, GridTrainer, grid_score

from nas_core.agent import Proposal, Scored
from nas_core.agents.local_search import LocalSearch
from nas_core.compare.memory import search_in_memory
from nas_core.loop import Settings
from nas_core.space import spec_of
from nas_core.trainer.base import Result, Status

SPACE = GridSpace(3, 2)


def told(proposal, reward):
    return [Scored(proposal, reward, Result(Status.OK, score=reward))]


def distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_all_neighbours_of_a_top_are_tried_once_then_a_new_start():
    agent = LocalSearch(SPACE, 0)
    (start,) = agent.suggest(1)
    agent.observe(told(start, 0.9))
    tried = []
    for _ in range(4):
        (neighbour,) = agent.suggest(1)
        tried.append(neighbour.actions)
        agent.observe(told(neighbour, 0.5))
    assert len(set(tried)) == 4
    assert all(distance(actions, start.actions) == 1 for actions in tried)
    assert agent.state()["untried"] == []
    (fresh,) = agent.suggest(1)
    agent.observe(told(fresh, 0.1))  # lower than the last top, and yet where it goes on from
    assert agent.state()["centre"] == list(fresh.actions)
    assert agent.state()["height"] == 0.1


def test_the_first_better_neighbour_is_the_new_centre():
    agent = LocalSearch(SPACE, 0)
    (start,) = agent.suggest(1)
    agent.observe(told(start, 0.5))
    (one,) = agent.suggest(1)
    agent.observe(told(one, 0.6))
    (two,) = agent.suggest(1)
    assert distance(two.actions, one.actions) == 1
    agent.observe(told(two, 0.6))  # as good is not better
    assert agent.state()["centre"] == list(one.actions)


def test_a_late_neighbour_of_an_old_centre_still_counts():
    agent = LocalSearch(SPACE, 0, lag=3)
    (start,) = agent.suggest(1)
    agent.observe(told(start, 0.5))
    one, two = agent.suggest(2)
    agent.observe(told(one, 0.6))
    agent.observe(told(two, 0.7))
    assert agent.state()["centre"] == list(two.actions)


def test_the_optimum_of_a_smooth_landscape_is_found():
    for seed in range(5):
        agent = LocalSearch(GridSpace(5, 4), seed)
        ledger = search_in_memory(agent, GridTrainer(), Settings(80, seed=0))
        best = max(trial.result.score for trial in ledger.trials)
        assert best == grid_score((4, 0, 4, 0))


def test_state_in_the_middle_of_a_neighbourhood_goes_on_exactly():
    agent = LocalSearch(SPACE, 3, lag=2)
    seen = []
    for _ in range(3):
        (proposal,) = agent.suggest(1)
        seen += told(proposal, 0.5)
        agent.observe(seen[-1:])
    resumed = LocalSearch(SPACE, 3, lag=2)
    resumed.load_state(json.loads(json.dumps(agent.state(), allow_nan=False)), seen)
    for _ in range(12):
        (one,), (other,) = agent.suggest(1), resumed.suggest(1)
        assert one == other
        for each in (agent, resumed):
            each.observe(told(one, 0.01 * sum(one.actions)))
    new = LocalSearch(SPACE, 0)
    new.load_state(json.loads(json.dumps(LocalSearch(SPACE, 0).state(), allow_nan=False)), [])
    assert new.suggest(1) == LocalSearch(SPACE, 0).suggest(1)


def test_a_proposal_names_its_own_architecture():
    (proposal,) = LocalSearch(SPACE, 1).suggest(1)
    assert proposal == Proposal(0, spec_of(SPACE, proposal.actions), proposal.actions)
