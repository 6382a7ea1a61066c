"""SIGKILL at random moments: `NAS_FAULT_KILLS` says how many (20 by default, 200 on demand)."""

import os
import signal
import time

import interrupted
import pytest
from exact_figures import figure_kills, figure_saves
from executor_contract import collect, warm_fork_server
from fault_trainers import SPEC, Faulty

from nas_core.executors import tree
from nas_core.executors.process import RETRIES, ProcessExecutor
from nas_core.trainer.base import Job, Status

KILLS = int(os.environ.get("NAS_FAULT_KILLS", "20"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_inside_a_save():
    figure = figure_saves(KILLS)
    assert figure.ok, figure


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_of_driver_and_workers():
    figure = figure_kills(KILLS)
    assert figure.ok, figure


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_the_process_group_of_a_retraining(tmp_path):
    """No figure of time here, only of what is left: the very same weights and curves."""
    interrupted.prepare(tmp_path, 60)
    _, parts = interrupted.race(tmp_path, 60, [12.0, 30.0], least="0")
    assert parts.kept >= 1
    assert interrupted.difference(tmp_path) == 0.0
    assert interrupted.tidy(tmp_path)


def killed_while_it_runs(executor, times):
    """Submit a trial that sleeps, and kill its process so many times."""
    executor.submit(SPEC, Job(0, 0))
    gone = set()
    while len(gone) < times:
        assert executor.poll(0.05) == []
        for worker in executor._workers.values():
            pid = worker.process.pid
            if worker.ready and pid not in gone:
                os.kill(pid, signal.SIGKILL)
                gone.add(pid)
    return gone


@pytest.mark.parametrize("times", [RETRIES, RETRIES + 1])
def test_a_child_that_somebody_kills_is_run_again(times):
    with warm_fork_server():
        executor = ProcessExecutor(Faulty("sleep_forever"), 1, seconds_limit=30.0)
        try:
            killed_while_it_runs(executor, times)
            if times > RETRIES:
                result = collect(executor, 1)[0]
                assert result.status is Status.KILLED
                assert "SIGKILL" in result.message
            else:
                end = time.monotonic() + 10
                while not any(w.ready and tree._resident(w.process.pid) for w in
                              executor._workers.values()):  # fmt: skip
                    assert executor.poll(0.05) == []
                    assert time.monotonic() < end
        finally:
            executor.close()
