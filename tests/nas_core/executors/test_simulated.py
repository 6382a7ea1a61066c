"""Workers on a virtual clock: order and time by hand, and whole searches on them."""

from dataclasses import dataclass
from typing import Any

import pytest
from executor_contract import ExecutorContract, Factory
from fault_trainers import SPEC

import nas_core.api
from nas_core.errors import UsageError
from nas_core.executors.base import Executor
from nas_core.executors.simulated import SimulatedExecutor
from nas_core.store import RunStore
from nas_core.trainer.base import Job, Result, Status


@pytest.fixture
def executor_factory() -> Factory:
    return lambda trainer: SimulatedExecutor(trainer, 2)


class TestSimulated(ExecutorContract):
    pass


@dataclass(frozen=True)
class Timed:
    """Trial n takes the n-th number of seconds."""

    seconds: tuple[float, ...]
    name: str = "timed"

    def score(self, spec: Any, job: Job) -> Result:
        return Result(Status.OK, 0.5, seconds=self.seconds[job.trial])

    def config(self) -> dict[str, Any]:
        return {}


def test_three_workers_by_hand():
    """Starts 0 1 2 at 0; 3 at 2; 4 and 5 at 4, when 2 and 3 end together."""
    executor = SimulatedExecutor(Timed((5.0, 2.0, 4.0, 2.0, 1.0, 3.0)), 3)
    assert isinstance(executor, Executor)
    waiting, seen = list(range(6)), []
    for trial in (waiting.pop(0) for _ in range(3)):
        executor.submit(SPEC, Job(trial, 0))
    while found := executor.poll(0.0):
        (item,) = found
        seen.append((item.trial, executor.clock))
        if waiting:
            executor.submit(SPEC, Job(waiting.pop(0), 0))
    assert seen == [(1, 2.0), (2, 4.0), (3, 4.0), (0, 5.0), (4, 5.0), (5, 7.0)]


def test_a_cancelled_trial_takes_no_time():
    executor = SimulatedExecutor(Timed((1.0, 9.0, 3.0)), 3)
    for trial in range(3):
        executor.submit(SPEC, Job(trial, 0))
    executor.cancel(0)
    assert [item.trial for item in executor.poll(0.0)] == [2]
    assert executor.clock == 3.0


def test_no_workers_are_refused():
    with pytest.raises(UsageError, match="--workers of 1 or more"):
        SimulatedExecutor(Timed(()), 0)


def search(folder, workers, trials=30, **options):
    options = {"agent": "metaqnn", "control": None, **options}
    return nas_core.api.search(
        "metaqnn", trainer="mock", trials=trials, seed=3, workers=workers, run=folder, **options
    )


def rows_of(folder):
    with RunStore.open(folder) as store:
        return [(row.actions, row.score, row.place, row.credited_from) for row in store.trials()]


def test_in_order_any_number_of_workers_gives_the_same_trials(tmp_path):
    summaries = [search(tmp_path / f"w{n}", n).summary for n in (1, 2, 4, 64)]
    assert rows_of(tmp_path / "w1") == rows_of(tmp_path / "w2") == rows_of(tmp_path / "w4")
    assert rows_of(tmp_path / "w1") == rows_of(tmp_path / "w64")
    assert "simulated_seconds" not in summaries[0]  # inline: one after the other
    two, four, many = (summary["simulated_seconds"] for summary in summaries[1:])
    assert two > four == many  # MetaQNN has at most four proposals in flight


def test_time_and_work_by_hand(tmp_path):
    """Two workers, every child takes 1.5 s: four pairs."""
    summary = nas_core.api.search(
        "nasbench_macro", trainer="mock", agent="random", executor="simulated", workers=2,
        trials=8, seed=0, asynchronous=True, run=tmp_path / "r",
    )  # fmt: skip
    assert summary.summary["unique"] == 8
    assert (summary.summary["simulated_seconds"], summary.summary["busy"]) == (6.0, 1.0)
    assert summary.control is not None
    assert summary.control["simulated_seconds"] == 6.0  # with a clock of its own


@pytest.mark.slow
def test_in_order_of_arrival_64_workers_are_busy(tmp_path):
    found = search(tmp_path / "a", 64, trials=1500, agent="random", asynchronous=True)
    assert found.summary["busy"] >= 0.95


@pytest.mark.slow
def test_in_order_of_arrival_runs_repeat(tmp_path):
    short = [
        search(tmp_path / name, 8, trials=60, agent="reinforce", asynchronous=True).summary
        for name in ("b", "c")
    ]
    assert rows_of(tmp_path / "b") == rows_of(tmp_path / "c")
    assert short[0]["simulated_seconds"] == short[1]["simulated_seconds"]
    places = [place for _, _, place, _ in rows_of(tmp_path / "b")]
    assert places != sorted(places)  # not the order of proposing


@pytest.mark.parametrize("after", [1, 7, 18])
def test_an_interrupted_run_goes_on_with_the_same_trials(tmp_path, after):
    def stop(plan, row):
        if row.number == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "broken", 3, on_trial=stop)
    resumed = nas_core.api.resume(tmp_path / "broken").summary
    whole = search(tmp_path / "whole", 3).summary
    assert rows_of(tmp_path / "broken") == rows_of(tmp_path / "whole")
    # What was running when the search broke off began again.
    assert resumed["simulated_seconds"] >= whole["simulated_seconds"]
