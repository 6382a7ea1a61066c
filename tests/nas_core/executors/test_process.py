import multiprocessing
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
from executor_contract import (
    ExecutorContract,
    Factory,
    collect,
    living_name,
    run,
    wait_for,
    warm_fork_server,
)
from fault_trainers import SPEC, Echo, Faulty, Meets, Probe, TinyKeras, Unimportable

from nas_core.errors import RunError, UsageError
from nas_core.executors import tree
from nas_core.executors.base import Executor
from nas_core.executors.process import ProcessExecutor
from nas_core.trainer.base import Job, Status

Make = Callable[..., ProcessExecutor]


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a maker of executors that are closed after the test."""
    made: list[ProcessExecutor] = []

    def build(*args: object, **kwargs: object) -> ProcessExecutor:
        made.append(ProcessExecutor(*args, **kwargs))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for executor in made:
        executor.close()


@pytest.fixture
def executor_factory(make: Make) -> Factory:
    return lambda trainer: make(trainer, 2, gpu="never")


@pytest.fixture(scope="class")
def fork_server() -> Iterator[None]:
    with warm_fork_server():
        yield


@pytest.mark.usefixtures("fork_server")
class TestForked(ExecutorContract):
    pass


class TestSpawned(ExecutorContract):
    @pytest.fixture
    def executor_factory(self, make: Make) -> Factory:
        return lambda trainer: make(trainer, 1, gpu="always", trials_per_worker=3)


def server_pid() -> int | None:
    return forkserver._forkserver._forkserver_pid


def test_is_an_executor(make: Make) -> None:
    assert isinstance(make(Echo(), 1), Executor)


def test_every_trial_has_a_fresh_process(make: Make) -> None:
    results = run(make(Echo(), 2, gpu="never"), 6)
    assert len({result.details["pid"] for result in results.values()}) == 6


def test_making_and_submitting_never_wait(make: Make) -> None:
    began = time.monotonic()
    executor = make(Unimportable(preload=("slow_import",)), 1, gpu="never")
    executor.submit(SPEC, Job(0, 0))
    assert executor.poll(0.1) == []
    assert time.monotonic() - began < 1.5
    executor.close()
    assert time.monotonic() - began < 2.5


def test_slots_run_at_the_same_time(make: Make, tmp_path: Path) -> None:
    results = run(make(Meets(tmp_path, 3), 3, memory_limit_bytes=1 << 28), 3)
    assert [result.status for result in results.values()] == [Status.OK] * 3


def test_a_child_is_quiet_alone_and_has_its_share(
    make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = make(Probe(), 1, gpu="never", threads=2)
    executor.submit(SPEC, Job(0, 0, threads=2))
    facts = collect(executor, 1)[0].details
    assert facts is not None
    assert facts["session"] is True
    assert facts["interrupt"] is True
    assert facts["input"] == ""
    assert facts["main"] == ""  # the main module was not run again
    assert set(sys.path) <= {*facts["path"], ""}
    assert facts["environment"] == {
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
        "PYTHONPATH": os.environ.get("PYTHONPATH"),
    }
    assert capfd.readouterr() == ("", "")


def test_spawned_processes_are_reused_then_replaced(make: Make) -> None:
    results = run(make(Echo(), 1, gpu="always", trials_per_worker=2), 5)
    pids = [results[trial].details["pid"] for trial in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_a_spent_spawned_process_is_replaced(make: Make) -> None:
    results = run(make(Faulty("exit_three", bad=(1,)), 1, gpu="always"), 3)
    assert [results[i].status for i in range(3)] == [Status.OK, Status.KILLED, Status.OK]


def test_each_spawned_process_has_one_gpu(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5")
    executor = make(Probe(), 2, gpu="always")
    results = run(executor, 2)
    seen = {result.details["environment"]["CUDA_VISIBLE_DEVICES"] for result in results.values()}
    assert seen == {"3", "GPU-5"}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,GPU-5"


@pytest.mark.parametrize("gpu", ["never", "always"])
def test_leftovers_of_a_trial_end_with_it(make: Make, gpu: str) -> None:
    multiprocessing.resource_tracker.ensure_running()
    before = len(living_below())
    result = run(make(Faulty("leave_grandchildren"), 1, gpu=gpu), 1)[0]
    assert result.status is Status.OK
    assert result.details is not None
    assert len(result.details["pids"]) == 3
    wait_for(lambda: not any(living_name(pid) for pid in result.details["pids"]), 5.0)
    if gpu == "always":
        assert len(living_below()) == before + 1  # the worker is kept


def living_below() -> list[str]:
    """Return the names of the processes below this one that are not dead yet."""
    return [name for pid in tree.descendants(os.getpid()) if (name := living_name(pid))]


def test_a_trainer_that_cannot_be_sent_is_refused_in_one_line() -> None:
    class Local(Echo):
        pass

    locked = Echo()
    object.__setattr__(locked, "lock", threading.Lock())
    for trainer in (Local(), locked):
        with pytest.raises(UsageError, match=r"top level of an importable file.*inline") as caught:
            ProcessExecutor(trainer, 1)
        assert "\n" not in str(caught.value)


def test_a_trainer_that_no_child_can_load_ends_the_search(make: Make) -> None:
    module = types.ModuleType("only_in_the_driver")
    exec("from fault_trainers import Echo\nclass Mine(Echo): pass", module.__dict__)
    sys.modules[module.__name__] = module
    try:
        executor = make(module.Mine(), 1, gpu="never")
        executor.submit(SPEC, Job(0, 0))
        with pytest.raises(UsageError, match="only_in_the_driver"):
            collect(executor, 1)
    finally:
        del sys.modules[module.__name__]


def test_a_missing_preload_module_is_named(make: Make) -> None:
    executor = make(Unimportable(), 1, gpu="never")
    executor.submit(SPEC, Job(0, 0))
    with pytest.raises(UsageError, match="no_such_module_anywhere"):
        collect(executor, 1)


def test_imports_that_end_the_fork_server_end_the_search(make: Make) -> None:
    executor = make(Unimportable(preload=("dying_import",)), 1, gpu="never")
    executor.submit(SPEC, Job(0, 0))
    with pytest.raises(RunError, match=r"dying_import.*undefined symbol: made_up"):
        collect(executor, 1)


def test_no_trial_is_taken_after_close(make: Make) -> None:
    executor = make(Echo(), 1)
    executor.close()
    with pytest.raises(RunError, match="close"):
        executor.submit(SPEC, Job(0, 0))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": 0}, "workers"),
        ({"workers": 100_000}, "free memory"),
        ({"workers": 1, "seconds_limit": 0.0}, "time limit"),
        ({"workers": 1, "threads": 0}, "thread"),
        ({"workers": 1, "gpu": "perhaps"}, "gpu"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ProcessExecutor(Echo(), **values)  # type: ignore[arg-type]


def test_closing_ends_everything_and_a_new_executor_starts_afresh(make: Make) -> None:
    multiprocessing.resource_tracker.ensure_running()
    before = living_below()
    first = make(Faulty("sleep_forever"), 1, gpu="never")
    first.submit(SPEC, Job(0, 0))
    assert first.poll(0.5) == []
    assert server_pid() is not None
    first.close()
    assert server_pid() is None
    wait_for(lambda: living_below() == before)
    assert run(make(Echo(), 1, gpu="never"), 1)[0].status is Status.OK


def test_two_executors_share_the_fork_server(make: Make) -> None:
    first, second = make(Echo(), 1, gpu="never"), make(Echo(), 1, gpu="never")
    run(first, 1)
    shared = server_pid()
    first.close()
    assert run(second, 2)[1].status is Status.OK
    assert server_pid() == shared


def test_the_fork_server_outlives_the_thread_that_started_it(make: Make) -> None:
    made: list[ProcessExecutor] = []

    def start() -> None:
        made.append(make(Echo(), 1, gpu="never"))
        run(made[0], 1)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    pid = server_pid()
    assert run(made[0], 2)[1].status is Status.OK
    assert server_pid() == pid


def test_a_killed_fork_server_is_replaced(make: Make) -> None:
    executor = make(Echo(), 1, gpu="never")
    assert run(executor, 1)[0].status is Status.OK
    pid = server_pid()
    assert pid is not None
    tree.kill(pid)
    assert run(executor, 2)[1].status is Status.OK
    assert server_pid() != pid


@pytest.mark.slow
def test_the_driver_does_not_grow_over_a_hundred_children(make: Make) -> None:
    executor = make(Faulty("exit_three", bad=tuple(range(0, 120, 3))), 2, gpu="never")
    run(executor, 20)
    grown = []
    for _ in range(2):  # what leaks, leaks again; an arena of the allocator comes once
        before = measures()
        results = run(executor, 100)
        after = measures()
        assert sum(result.status is Status.KILLED for result in results.values()) == 34
        assert after[:2] == before[:2]
        grown.append(after[2] - before[2])
    assert min(grown) < 2 << 20


def measures() -> tuple[int, int, int]:
    """Return the driver's descriptors, threads and resident bytes."""
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return descriptors, threading.active_count(), tree.memory(os.getpid(), 0)


@pytest.mark.slow
def test_keras_is_imported_once_for_all_trials(make: Make) -> None:
    executor = make(TinyKeras(), 1, gpu="never")
    executor.submit(SPEC, Job(0, 0))
    first = collect(executor, 1)[0]
    pid = server_pid()
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1  # forking is sound
    executor.submit(SPEC, Job(1, 0))
    second = collect(executor, 1)[1]
    assert first.details is not None
    assert second.details is not None
    assert first.details["loaded"] is True
    assert first.details["loss"] == second.details["loss"]
