"""Brains are made step by step: what is learned is kept, what it cost is added up."""

import pytest

from nas_core.errors import RunError, UsageError
from training_control import brain as brains
from training_control import meta_training
from training_control.making import COST, LEARNING, Plan, make_brain, seconds_of


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_a_brain_goes_on_from_where_it_was(tmp_path, monkeypatch, agent):
    pytest.importorskip("stable_baselines3")
    monkeypatch.setattr(meta_training, "PARTS", {agent: 2048})
    monkeypatch.setattr(meta_training, "CHECKED", 16)
    monkeypatch.setitem(meta_training.SIDE_BY_SIDE, "ppo", 64)
    rounds = []
    first = make_brain(Plan(agent, simulated=2048, episodes=0), tmp_path, rounds.append)
    spent = seconds_of(tmp_path)
    make_brain(Plan(agent, simulated=4096, episodes=0), tmp_path, rounds.append)
    assert [now.done for now in rounds] == [2048, 4096]
    assert seconds_of(tmp_path) > spent > 0
    loaded = brains.load(tmp_path)
    assert (loaded.kind, loaded.learner, loaded.schema) == (agent, {}, first.schema)
    learning = brains.load(tmp_path / LEARNING / "simulated")
    assert learning.state["counters"]["num_timesteps"] == 4096


def test_costs_are_known_or_not(tmp_path):
    assert seconds_of(tmp_path) is None
    (tmp_path / COST).write_text('{"seconds": 12.5}')
    assert seconds_of(tmp_path) == 12.5
    (tmp_path / COST).write_text('{"minutes": 12.5}')
    with pytest.raises(RunError, match="expected seconds in"):
        seconds_of(tmp_path)


@pytest.mark.parametrize(
    "change", [{"agent": "sac"}, {"simulated": 0}, {"episodes": -1}, {"seed": -1}, {"problems": 0}]
)
def test_plans_that_cannot_be_are_refused(change):
    with pytest.raises(UsageError, match="expected"):
        Plan(**change)
