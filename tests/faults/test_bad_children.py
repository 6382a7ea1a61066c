"""A bad child costs one trial, typed; and no process outlives the driver."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_contract import collect, living_name, run, wait_for, warm_fork_server
from fault_trainers import FAULTS, SPEC, Faulty

from nas_core.executors import tree
from nas_core.executors.process import ProcessExecutor
from nas_core.trainer.base import Job, Status

ROOT = Path(__file__).resolve().parents[2]
MB = 1 << 20
GONE_WITHIN = 5.0
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True, scope="module")
def server() -> Iterator[None]:
    with warm_fork_server():
        yield


@contextlib.contextmanager
def executor(fault: str, **values: Any) -> Iterator[ProcessExecutor]:
    limits = {"memory_limit_bytes": 300 * MB, "seconds_limit": 20.0}
    made = ProcessExecutor(Faulty(fault), 1, **{**limits, **values})
    try:
        yield made
    finally:
        made.close()


BAD = [
    ("sleep_forever", Status.TIMEOUT, "no answer within 1 s"),
    ("block_in_c", Status.TIMEOUT, "no answer within 1 s"),
    ("write_half_a_line", Status.TIMEOUT, "no answer within 1 s"),
    ("allocate_forever", Status.OUT_OF_MEMORY, "limit of 315 MB"),
    ("allocate_in_grandchild", Status.OUT_OF_MEMORY, "limit of 315 MB"),
    ("exit_three", Status.KILLED, "exit code 3 after 'the last thing it said'"),
    ("segfault", Status.KILLED, "signal SIGSEGV"),
    ("abort", Status.KILLED, "signal SIGABRT"),
    ("kill_self", Status.KILLED, "signal SIGKILL"),
    ("raise_surprise", Status.ERROR, "Surprise: out of the ordinary"),
    ("raise_interrupt", Status.ERROR, "KeyboardInterrupt"),
    ("leave", Status.ERROR, "SystemExit: 4"),
    ("return_unspeakable", Status.ERROR, "expected JSON values"),
    ("write_junk_everywhere", Status.ERROR, "expected an answer in JSON"),
    ("flood_and_exit", Status.KILLED, "exit code 5 after 'spam and eggs'"),
    ("close_everything", Status.KILLED, "without an answer"),
]


@pytest.mark.parametrize(("fault", "status", "words"), BAD)
def test_a_bad_child_costs_one_trial(fault: str, status: Status, words: str) -> None:
    limits = {"seconds_limit": 1.0} if status is Status.TIMEOUT else {}
    with executor(fault, **limits) as children:
        results = run(children, 2)
        assert (results[0].status, results[0].score) == (status, None)
        assert words in results[0].message
        assert results[1].status is Status.OK
        json.dumps(results[0].to_json())
        assert children.poll(0.0) == []


@pytest.mark.parametrize("fault", ["flood", "leave_grandchildren", "leave_thread"])
def test_a_rude_child_still_scores(fault: str, capfd: pytest.CaptureFixture[str]) -> None:
    with executor(fault) as children:
        began = time.monotonic()
        assert run(children, 2)[0].status is Status.OK
        assert time.monotonic() - began < 15.0
    assert capfd.readouterr() == ("", "")


def test_what_a_crashed_child_printed_is_kept() -> None:
    with executor("segfault") as children:
        details = run(children, 1)[0].details
    assert details is not None
    assert "Segmentation fault" in details["output"]
    assert "fault_trainers.py" in details["output"]


def test_a_traceback_is_kept_beside_the_one_line() -> None:
    with executor("raise_error") as children:
        result = run(children, 1)[0]
    assert result.message == "ValueError: two lines"
    assert result.details is not None
    assert "in raise_error" in result.details["traceback"]


def test_every_fault_is_tried() -> None:
    tried = {fault for fault, _, _ in BAD} | {"flood", "leave_grandchildren", "leave_thread"}
    contract = {"raise_error", "raise_memory_error", "return_garbage", "return_nan"}
    assert tried | contract == set(FAULTS)


def test_spawned_children_are_held_to_their_limits_too() -> None:
    with executor("sleep_forever", gpu="always", seconds_limit=1.0) as children:
        results = run(children, 2)
    assert [results[0].status, results[1].status] == [Status.TIMEOUT, Status.OK]


def test_a_cancelled_child_is_killed_at_once() -> None:
    with executor("sleep_forever") as children:
        children.submit(SPEC, Job(0, 0))
        assert children.poll(1.0) == []
        began = time.monotonic()
        children.cancel(0)
        assert time.monotonic() - began < 1.0
        children.submit(SPEC, Job(1, 0))
        assert collect(children, 1)[1].status is Status.OK


DRIVER = """
import sys, time
from pathlib import Path
from fault_trainers import SPEC, Lingerer
from nas_core.executors.process import ProcessExecutor
from nas_core.trainer.base import Job

folder, gpu, then, *preload = sys.argv[1:]
trainer = Lingerer(Path(folder), ("sleep_forever", "block_in_c"), tuple(preload))
executor = ProcessExecutor(trainer, 2, gpu=gpu, memory_limit_bytes=1 << 28)
for trial in range(2):
    executor.submit(SPEC, Job(trial, 0))
while then == "wait" or len(list(Path(folder).glob("*.pid"))) < 4:
    executor.poll(0.1)
print("falls off its end without closing anything")
"""


def living(pids: list[int]) -> list[str]:
    return [name for pid in pids if (name := living_name(pid))]


def noted(folder: Path, pattern: str = "*.pid") -> list[int]:
    return [int(path.read_text()) for path in folder.glob(pattern)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a driver; whatever is left of it is killed afterwards."""
    started: list[subprocess.Popen[bytes]] = []
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])

    def start_driver(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", DRIVER, str(tmp_path), *arguments]
        environment = {**os.environ, "PYTHONPATH": path}
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start_driver
    for process in started:
        tree.kill_tree(process.pid)
        process.wait()
    tree.kill(*noted(tmp_path))


@pytest.mark.parametrize("gpu", ["never", "always"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_killed_driver(
    tmp_path: Path, start: Start, gpu: str, number: int
) -> None:
    """One child sleeps, one holds the interpreter's lock in C; each has a grandchild."""
    process = start(gpu, "wait")
    wait_for(lambda: len(noted(tmp_path)) == 4)
    pids = tree.descendants(process.pid)
    assert set(noted(tmp_path)) < set(pids)  # beside them the fork server, the resource tracker
    assert all(os.getsid(pid) != os.getsid(process.pid) for pid in noted(tmp_path))
    process.send_signal(number)
    process.wait()
    wait_for(lambda: not living(pids), GONE_WITHIN)


def test_the_imports_of_the_fork_server_end_with_the_driver(start: Start) -> None:
    process = start("never", "wait", "slow_import")
    wait_for(lambda: len(tree.descendants(process.pid)) == 2)
    time.sleep(1.0)  # into the import
    pids = tree.descendants(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not living(pids), GONE_WITHIN)


def test_a_driver_that_never_closes_ends_with_all_its_children(
    tmp_path: Path, start: Start
) -> None:
    process = start("never", "end")
    wait_for(lambda: len(noted(tmp_path)) == 4)
    pids = noted(tmp_path)
    assert process.wait(GONE_WITHIN) == 0
    wait_for(lambda: not living(pids), GONE_WITHIN)


def test_without_help_from_the_kernel_a_thread_ends_the_child() -> None:
    code = (
        "import os; from nas_core.executors import lifeline; os.setsid(); ends = os.pipe();"
        "os.close(ends[1]); lifeline._watch(ends[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
