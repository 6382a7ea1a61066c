"""The loop: order of learning, credits, bounds, and runs that go on as if never stopped."""

import itertools

import pytest
from scripted import SPACE, ScriptedAgent, ShuffledExecutor, failing
from small_spaces import GridTrainer, grid_score

from metaqnn.agent import build
from nas_core.agents.random_search import RandomSearch
from nas_core.errors import RunError
from nas_core.loop import SearchLoop, Settings, Stop
from nas_core.store import RunStore
from nas_core.trainer.base import Result, Status

ALL = list(itertools.product(range(5), repeat=3))


def search(folder, agent, trials, *, slots=1, trainer=None, **bounds):
    trainer = GridTrainer() if trainer is None else trainer
    executor = ShuffledExecutor(trainer, slots)
    with RunStore.create(folder, {}) as store:
        loop = SearchLoop(agent, executor, store, Settings(trials, seed=0, **bounds))
        stopped = loop.run()
        return stopped, store.trials(), executor


def test_results_are_observed_in_the_order_of_proposing(tmp_path):
    agent = ScriptedAgent(ALL, batch=1, lag=4)
    stopped, rows, _ = search(tmp_path / "r", agent, 20, slots=4)
    assert stopped is Stop.FINISHED
    assert [trial for trial, _, _ in agent.told] == list(range(20))
    assert [row.reward for row in rows] == [grid_score(actions) for actions in ALL[:20]]
    # proposal t is made knowing exactly trials 0 to t-4
    assert agent.knew == [max(0, trial - 3) for trial in range(20)]


def test_whole_batches_are_proposed_and_observed(tmp_path):
    agent = ScriptedAgent(ALL, batch=5)
    search(tmp_path / "r", agent, 12, slots=3)
    assert agent.knew == [0] * 5 + [5] * 5 + [10] * 2


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
def test_any_number_of_workers_gives_the_same_run(tmp_path, slots):
    _, one, _ = search(tmp_path / "one", build(SPACE, 5, 60, "quick"), 60)
    _, many, _ = search(tmp_path / "many", build(SPACE, 5, 60, "quick"), 60, slots=slots)
    assert [(r.actions, r.epsilon, r.reward) for r in one] == [
        (r.actions, r.epsilon, r.reward) for r in many
    ]


def test_repeats_are_credited_not_retrained(tmp_path):
    script = [ALL[0], ALL[1], ALL[0], ALL[0], ALL[2], ALL[1]]
    agent = ScriptedAgent(script, lag=3)
    _, rows, executor = search(tmp_path / "r", agent, 6, slots=2)
    assert sorted(executor.submitted) == [0, 1, 4]
    assert [row.credited_from for row in rows] == [None, None, 0, 0, None, 1]
    assert [row.score for row in rows] == [grid_score(actions) for actions in script]
    assert [row.seconds for row in rows] == [0.5, 0.5, 0.0, 0.0, 0.5, 0.0]
    assert [fresh for _, _, fresh in agent.told] == [True, True, False, False, True, False]


def test_a_failed_trial_has_its_penalty_and_is_not_trained_again(tmp_path):
    agent = ScriptedAgent([ALL[0], ALL[30], ALL[0]])
    trainer = GridTrainer(fails=0)
    _, rows, executor = search(tmp_path / "r", agent, 3, trainer=trainer, failure_reward=0.05)
    assert [row.status for row in rows] == [Status.DIVERGED, Status.OK, Status.DIVERGED]
    assert [row.reward for row in rows] == [0.05, grid_score(ALL[30]), 0.05]
    assert executor.submitted == [0, 1]


def test_target_and_time_stop_the_search(tmp_path):
    agent = ScriptedAgent(ALL)
    stopped, rows, _ = search(tmp_path / "a", agent, 125, target=0.8)
    assert stopped is Stop.TARGET
    assert max(row.score for row in rows if row.score is not None) >= 0.8
    agent = ScriptedAgent(ALL)
    assert search(tmp_path / "b", agent, 125, max_seconds=0.0)[0] is Stop.TIME
    assert agent.told == []


def test_everything_failing_still_ends(tmp_path):
    trainer = failing(Result(Status.ERROR, message="no"))
    stopped, rows, _ = search(tmp_path / "r", ScriptedAgent(ALL), 10, trainer=trainer)
    assert stopped is Stop.FINISHED
    assert {row.status for row in rows} == {Status.ERROR}


def sit(folder, make_agent, trials, polls, new):
    """Run one sitting that dies after so many polls; return whether it finished."""

    class Dying(ShuffledExecutor):
        def poll(self, seconds):
            nonlocal polls
            if polls == 0:
                raise KeyboardInterrupt
            polls -= 1
            return super().poll(seconds)

    opened = RunStore.create(folder, {}) if new else RunStore.open(folder, write=True)
    with opened as store:
        loop = SearchLoop(make_agent(), Dying(GridTrainer(), 3), store, Settings(trials, seed=0))
        try:
            loop.run()
        except KeyboardInterrupt:
            return False
        return True


@pytest.mark.parametrize(
    "make_agent",
    [lambda: build(SPACE, 5, 60, "quick"), lambda: RandomSearch(SPACE, 5)],
    ids=["metaqnn", "random"],
)
def test_an_interrupted_run_goes_on_as_if_never_stopped(tmp_path, make_agent):
    _, whole, _ = search(tmp_path / "whole", make_agent(), 60, slots=3)
    folder, sittings = tmp_path / "parts", 1
    while not sit(folder, make_agent, 60, polls=4, new=sittings == 1):
        sittings += 1
    with RunStore.open(folder) as store:
        parts = store.trials()
    assert sittings > 5
    assert [(r.actions, r.reward, r.credited_from) for r in parts] == [
        (r.actions, r.reward, r.credited_from) for r in whole
    ]


def test_a_stopped_loop_lets_running_children_finish(tmp_path):
    agent = ScriptedAgent(ALL, lag=3)
    executor = ShuffledExecutor(GridTrainer(), 3)
    with RunStore.create(tmp_path / "r", {}) as store:
        loop = SearchLoop(agent, executor, store, Settings(50, seed=0), lambda row: loop.stop())
        assert loop.run() is Stop.INTERRUPTED
        done = [row.number for row in store.trials() if row.status is not None]
    assert done == [0, 1, 2]


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path, monkeypatch):
    import sqlite3

    def full(self):
        raise sqlite3.OperationalError("database or disk is full")

    agent = ScriptedAgent(ALL)
    calls = itertools.count()
    commit = RunStore._commit
    monkeypatch.setattr(RunStore, "_commit", lambda s: full(s) if next(calls) == 3 else commit(s))
    with pytest.raises(RunError, match="free some disk space"):
        search(tmp_path / "r", agent, 10)
    monkeypatch.undo()
    with RunStore.open(tmp_path / "r", write=True) as store:
        assert [row.number for row in store.trials() if row.status is not None] == [0, 1]
        agent = ScriptedAgent(ALL)
        SearchLoop(agent, ShuffledExecutor(GridTrainer(), 1), store, Settings(10, seed=0)).run()
        assert [row.reward for row in store.trials()] == [grid_score(a) for a in ALL[:10]]
