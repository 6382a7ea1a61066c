"""Learning in the order of arrival: nobody waits, nothing is lost, stale samples are weighted."""

import itertools
from dataclasses import replace
from statistics import fmean

import pytest
from scripted import SPACE, ScriptedAgent, ShuffledExecutor
from small_spaces import GridTrainer

from nas_core.loop import SearchLoop, Settings, Stop
from nas_core.seeding import generator
from nas_core.store import RunStore
from nas_net_architecture.agent import Reinforce
from nas_net_architecture.config import QUICK_LSTM

ALL = list(itertools.product(range(5), repeat=3))


class WatchedExecutor(ShuffledExecutor):
    """Notes how many children run whenever it is asked, and dies when a test wants it."""

    def __init__(self, slots, polls=None):
        super().__init__(GridTrainer(), slots)
        self.busy = []
        self._polls = polls

    def poll(self, seconds):
        self.busy.append(len(self._held))
        if self._polls is not None and len(self.busy) > self._polls:
            raise KeyboardInterrupt
        return super().poll(seconds)


class MixedExecutor(WatchedExecutor):
    """Finishes its children in an order drawn by lot."""

    def poll(self, seconds):
        generator(0, "executor", len(self.busy)).shuffle(self._held)
        return super().poll(seconds)


def sit(folder, agent, trials, executor):
    new = not (folder / "run.sqlite").exists()
    opened = RunStore.create(folder, {}) if new else RunStore.open(folder, write=True)
    with opened as store:
        settings = Settings(trials, seed=0, asynchronous=True)
        return SearchLoop(agent, executor, store, settings).run()


def rows_of(folder):
    with RunStore.open(folder) as store:
        return store.trials()


def test_what_arrives_first_is_learned_first(tmp_path):
    agent, executor = ScriptedAgent(ALL), WatchedExecutor(3)
    assert sit(tmp_path / "r", agent, 8, executor) is Stop.FINISHED
    # The newest child finishes first: 2, then its successors, and 1 and 0 at the very end.
    assert [trial for trial, _, _ in agent.told] == [2, 3, 4, 5, 6, 7, 1, 0]
    rows = rows_of(tmp_path / "r")
    assert sorted(rows, key=lambda row: row.place) == [rows[n] for n in (2, 3, 4, 5, 6, 7, 1, 0)]
    assert executor.busy == [3, 3, 3, 3, 3, 3, 2, 1]  # always as many as there are left


def test_groups_are_whole_but_for_the_last(tmp_path):
    agent = ScriptedAgent(ALL, batch=4)
    groups = []
    agent.observe = lambda scored: groups.append(len(scored)) or {}
    sit(tmp_path / "r", agent, 10, WatchedExecutor(3))
    assert groups == [4, 4, 2]


def test_repeats_of_a_running_child_do_not_use_up_the_search(tmp_path):
    """Every proposal is the same: it is trained once, and the loop neither hangs nor floods."""
    agent, executor = ScriptedAgent([ALL[7]] * 30), WatchedExecutor(4)
    assert sit(tmp_path / "r", agent, 30, executor) is Stop.FINISHED
    assert executor.submitted == [0]
    assert agent.knew[:9] == [0] * 8 + [1]  # two for each worker, then one was known


@pytest.mark.parametrize("polls", [1, 3, 8])
def test_an_interrupted_run_loses_and_doubles_nothing(tmp_path, polls):
    folder, agent = tmp_path / "r", ScriptedAgent(ALL)
    for _ in range(40):
        known = list(agent.told)
        agent = ScriptedAgent(ALL)
        try:
            sit(folder, agent, 12, WatchedExecutor(3, polls))
        except KeyboardInterrupt:
            assert agent.told[: len(known)] == known  # in the order of the earlier sittings
            continue
        break
    rows = rows_of(folder)
    assert [row.number for row in rows] == list(range(12))
    assert sorted(row.place for row in rows) == list(range(12))
    assert sorted(trial for trial, _, _ in agent.told) == list(range(12))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["reinforce", pytest.param("ppo", marks=pytest.mark.slow)])
def test_a_controller_learns_from_stale_samples(tmp_path, algorithm):
    config = replace(QUICK_LSTM, algorithm=algorithm, learning_rate=0.01)
    agent = Reinforce(SPACE, 0, config)
    sit(tmp_path / "r", agent, 600, MixedExecutor(8))
    with RunStore.open(tmp_path / "r") as store:
        ratios = [detail["ratio"] for _, _, detail in store.events("metrics")]
        scores = [row.score for row in store.trials()]
    # Samples drawn before the last update have a ratio of their own.
    assert sum(abs(ratio - 1.0) > 1e-6 for ratio in ratios[1:20]) > 15
    assert fmean(scores[-40:]) > max(0.85, fmean(scores[:40]) + 0.1)
