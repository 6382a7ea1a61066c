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


def test_the_published_settings_reach_the_agent_and_its_brain():
    pytest.importorskip("stable_baselines3")
    dqn = meta_training.untrained("dqn", 0, "paper")
    assert (dqn.model.learning_rate, dqn.model.gamma) == (1e-4, 0.99)
    assert dqn.model.exploration_schedule(1.0) == 0.1
    dqn.model.num_timesteps = 10**9
    assert dqn.model.exploration_schedule(1.0) == pytest.approx(0.01)
    told = brains.frozen(dqn.brain()).state
    assert (told["config"]["learning_rate"], told["config"]["epsilon"]) == (1e-4, 0.1)
    assert told["scale"]["gamma"] == 0.99
    ppo = meta_training.untrained("ppo", 0, "paper")
    assert (ppo.model.learning_rate, ppo.model.gamma) == (1e-4, 0.99)
    assert meta_training.untrained("ppo", 0).model.learning_rate == 5e-4
    for kind in ("ppo", "dqn"):  # above what differs on real trainings, too
        real = meta_training.config_of(kind, "paper", real=True)
        assert (real.learning_rate, real.gamma, real.epsilon) == (1e-4, 0.99, 0.1)


@pytest.mark.slow
def test_a_brain_goes_on_with_the_settings_it_was_begun_with(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    monkeypatch.setattr(meta_training, "CHECKED", 16)
    monkeypatch.setitem(meta_training.SIDE_BY_SIDE, "ppo", 64)
    ignore = lambda now: None
    made = make_brain(Plan(simulated=2048, preset="paper"), tmp_path, ignore)
    assert made.state["config"]["gamma"] == 0.99
    with pytest.raises(UsageError, match="give the --preset of before"):
        make_brain(Plan(simulated=4096), tmp_path, ignore)


def test_costs_are_known_or_not(tmp_path):
    assert seconds_of(tmp_path) is None
    (tmp_path / COST).write_text('{"seconds": 12.5}')
    assert seconds_of(tmp_path) == 12.5
    (tmp_path / COST).write_text('{"minutes": 12.5}')
    with pytest.raises(RunError, match="expected seconds in"):
        seconds_of(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "sac"},
        {"simulated": 0},
        {"episodes": -1},
        {"seed": -1},
        {"problems": 0},
        {"preset": "theirs"},
    ],
)
def test_plans_that_cannot_be_are_refused(change):
    with pytest.raises(UsageError, match="expected"):
        Plan(**change)
