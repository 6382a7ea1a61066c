"""The agent's contract: every registered agent on every registered space, scored by the mock."""

import json
import math

import pytest

from nas_core.agent import Agent
from nas_core.assembly import Own, agent_of, assemble
from nas_core.compare.memory import search_in_memory
from nas_core.loop import Settings
from nas_core.plan import Plan
from nas_core.registry import names
from nas_core.space import spec_of

AGENTS, SPACES = names("nas.agents"), names("nas.spaces")
# Variants of a controller differ in the policy alone: every space is theirs in `make test`.
VARIANTS = {"ppo", "ppo-independent", "reinforce-independent", "reinforce-lstm2"}
PAIRS = [
    pytest.param(
        name, space, marks=[pytest.mark.slow] if name in VARIANTS and space != "metaqnn" else []
    )
    for name in AGENTS
    for space in SPACES
]
ROUNDS = 2
PARTS = {}


def plan_of(space, agent, seed=0):
    return Plan(
        space, agent, "mock", executor="inline", trials=60, schedule_trials=60, seed=seed
    )  # fmt: skip


def parts(space):
    """Return a space and the mock for it, built once."""
    if space not in PARTS:
        PARTS[space] = assemble(plan_of(space, "random"), Own())
    return PARTS[space]


def fresh(space, agent, seed=0):
    return agent_of(plan_of(space, agent, seed), parts(space).space)


def history(agent, trainer, trials):
    ledger = search_in_memory(agent, trainer, Settings(trials, seed=0))
    return [trial.proposal for trial in ledger.trials], ledger.scored(ledger.observed, 0.0)


@pytest.mark.parametrize(("name", "space"), PAIRS)
def test_every_agent_works_on_every_space(name, space):
    arena, agent = parts(space), fresh(space, name)
    assert isinstance(agent, Agent)
    assert agent.name == name
    trials = ROUNDS * agent.batch
    proposals, told = history(agent, arena.trainer, trials)
    assert [item.trial for item in proposals] == list(range(trials))
    for item in proposals:
        assert spec_of(arena.space, item.actions).digest == item.spec.digest
    assert all(math.isfinite(item.reward) for item in told)
    # suggest draws from (seed, trial): the same knowledge, the same proposals, in any portions
    state = json.loads(json.dumps(agent.state(), allow_nan=False))
    resumed = fresh(space, name)
    resumed.load_state(state, told)
    more = agent.suggest(agent.batch)
    assert resumed.suggest(agent.batch) == more
    assert resumed.state() == agent.state()


@pytest.mark.parametrize("name", AGENTS)
def test_a_seed_is_a_sequence(name):
    trainer = parts("nasbench_macro").trainer
    one, again, other = (
        history(fresh("nasbench_macro", name, seed), trainer, 24)[0] for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
