"""Which settings agents use on tables, whatever the preset."""

import pytest

from metaqnn.config import TABLE_SHARES
from nas_core.agent import Scored
from nas_core.assembly import agent_of
from nas_core.plan import Plan
from nas_core.registry import space_entry
from nas_core.trainer.base import Result, Status
from nas_net_architecture.config import NAS_BENCH_201, QUICK_LSTM, TABLE


def agent(name, space="nasbench201", preset="quick", trials=100):
    plan = Plan(space, name, "mock", preset=preset, trials=trials, schedule_trials=trials)
    return agent_of(plan, space_entry("nasbench201").build(preset, (32, 32, 3), 10))


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_reinforce_is_the_published_independent_policy(preset):
    found = agent("reinforce", preset=preset)
    assert found.name == "reinforce"
    assert found._config == TABLE
    for field in ("policy", "batch", "baseline_first", "clip_norm", "algorithm", "scaled"):
        assert getattr(TABLE, field) == getattr(NAS_BENCH_201, field)
    assert agent("reinforce", space="nasnet")._config == QUICK_LSTM


def test_the_first_reward_initialises_the_baseline():
    found = agent("reinforce")
    rewards = [0.7, 0.9]
    metrics = []
    for reward in rewards:
        (proposal,) = found.suggest(1)
        metrics += [found.observe([Scored(proposal, reward, Result(Status.OK, score=reward))])]
    assert metrics[0]["baseline"] == pytest.approx(0.7)
    assert metrics[0]["advantage"] == pytest.approx(0.0)
    # bias-corrected moving average: (0.8 * 0.7 + 0.9) / 1.8
    assert metrics[1]["baseline"] == pytest.approx(1.46 / 1.8)
    assert metrics[1]["advantage"] == pytest.approx(0.9 - 1.46 / 1.8)


def test_metaqnn_has_its_schedule_for_tables():
    schedule = agent("metaqnn", trials=200)._config.schedule
    assert schedule == tuple((epsilon, round(200 * share)) for epsilon, share in TABLE_SHARES)
