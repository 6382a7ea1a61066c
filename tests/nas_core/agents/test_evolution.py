"""Regularised evolution: who lives, who dies, who is a parent."""

import pytest
from small_spaces import GridSpace, GridTrainer, grid_score

from nas_core.agent import Proposal, Scored
from nas_core.agents.evolution import Evolution, EvolutionConfig
from nas_core.agents.random_search import RandomSearch
from nas_core.compare.memory import search_in_memory
from nas_core.errors import UsageError
from nas_core.loop import Settings
from nas_core.registry import agent_entry
from nas_core.space import spec_of
from nas_core.trainer.base import Result, Status

SPACE = GridSpace(5, 3)


def scored(trial, actions, reward):
    proposal = Proposal(trial, spec_of(SPACE, actions), actions)
    return Scored(proposal, reward, Result(Status.OK, score=reward))


def distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_the_oldest_dies_and_not_the_worst():
    agent = Evolution(SPACE, 0, EvolutionConfig(population=3, tournament=50))
    agent.suggest(3)
    best, middle, worst = (0, 0, 0), (2, 2, 2), (4, 4, 4)
    agent.observe([scored(0, best, 0.9), scored(1, middle, 0.5), scored(2, worst, 0.1)])
    # a tournament of 50 finds the best of three: its children are one decision away
    assert distance(agent.suggest(1)[0].actions, best) == 1
    agent.observe([scored(3, (1, 1, 1), 0.2)])  # the fourth one: the oldest dies, though the best
    assert distance(agent.suggest(1)[0].actions, middle) == 1
    agent.observe([scored(4, (3, 3, 3), 0.3)])  # now the middle one
    assert distance(agent.suggest(1)[0].actions, (3, 3, 3)) == 1
    assert agent.observe([scored(5, (0, 1, 2), 0.0)]) == {
        "best alive": 0.3, "mean alive": pytest.approx((0.2 + 0.3 + 0.0) / 3),
    }  # fmt: skip


def test_the_first_population_is_random_and_of_its_size():
    agent = Evolution(SPACE, 0, EvolutionConfig(population=4, tournament=50))
    for trial in range(4):
        (proposal,) = agent.suggest(1)
        agent.observe([scored(trial, proposal.actions, 1.0 if trial == 0 else 0.0)])
        if trial == 0:
            first = proposal.actions
    assert distance(agent.suggest(1)[0].actions, first) == 1


def test_a_tournament_of_one_chooses_any_parent():
    agent = Evolution(SPACE, 0, EvolutionConfig(population=2, tournament=1))
    agent.suggest(2)
    agent.observe([scored(0, (0, 0, 0), 0.9), scored(1, (4, 4, 4), 0.1)])
    parents = {
        min((0, 4), key=lambda p: distance(item.actions, (p,) * 3)) for item in agent.suggest(40)
    }
    assert parents == {0, 4}


def test_the_optimum_is_found_sooner_than_at_random():
    def found(agent):
        ledger = search_in_memory(agent, GridTrainer(), Settings(120, seed=0))
        return max(trial.result.score for trial in ledger.trials)

    config = EvolutionConfig(population=10, tournament=3)
    ours = [found(Evolution(GridSpace(5, 4), seed, config)) for seed in range(10)]
    theirs = [found(RandomSearch(GridSpace(5, 4), seed)) for seed in range(10)]
    optimum = grid_score((4, 0, 4, 0))
    assert ours.count(optimum) >= theirs.count(optimum) + 4
    assert min(ours) > 0.8


@pytest.mark.parametrize("field", ["population", "tournament", "lag"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(UsageError, match="expected"):
        EvolutionConfig(**{field: 0})


def test_presets_are_the_published_sizes():
    build = agent_entry("evolution").build
    paper, table = (build(SPACE, 0, 100, preset)._config for preset in ("paper", "table"))
    assert (paper.population, paper.tournament) == (100, 25)  # Real et al. 2019
    assert (table.population, table.tournament) == (10, 3)  # Dong & Yang 2020
    assert build(SPACE, 0, 100, "quick").lag > 1
