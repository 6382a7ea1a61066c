"""What every executor must do; a test module inherits `ExecutorContract` and gives the factory."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_trainers import SPEC, Echo, Faulty

from nas_core.executors.base import Executor
from nas_core.executors.environment import server_environment
from nas_core.executors.fork_server import ForkServer
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Result, Status, Trainer

Factory = Callable[[Trainer], Executor]
PATIENCE = 60.0


def collect(executor: Executor, count: int, seconds: float = PATIENCE) -> dict[int, Result]:
    """Poll until `count` trials are answered; every one of them exactly once."""
    results: dict[int, Result] = {}
    end = time.monotonic() + seconds
    while len(results) < count:
        assert time.monotonic() < end, f"{count - len(results)} trials were never answered"
        for item in executor.poll(1.0):
            assert item.trial not in results
            results[item.trial] = item.result
    return results


def run(executor: Executor, trials: int) -> dict[int, Result]:
    """Run trials 0 to `trials` - 1 with all slots in use."""
    results: dict[int, Result] = {}
    given = 0
    while len(results) < trials:
        while given < trials and given - len(results) < executor.slots:
            executor.submit(SPEC, Job(given, seed=given))
            given += 1
        results |= collect(executor, 1)
    return results


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds:g} s"
        time.sleep(0.02)


def living_name(pid: int) -> str:
    """Return the command name of a process; empty once it is dead, reaped or not."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return ""
    return "" if rest.split()[0] in ("Z", "X") else name.partition("(")[2]


@contextlib.contextmanager
def warm_fork_server() -> Iterator[None]:
    """Keep one fork server for many tests: each start costs a quarter of a second."""
    server = ForkServer.acquire((), server_environment(1))
    try:
        yield
    finally:
        server.release()


class ExecutorContract:
    """Inherit as `class TestX(ExecutorContract)` beside a fixture `executor_factory`."""

    def test_answers_each_trial_once_with_its_own_result(self, executor_factory: Factory) -> None:
        executor = executor_factory(Echo())
        assert executor.slots >= 1
        results = run(executor, 7)
        assert {trial: result.score for trial, result in results.items()} == {
            trial: pytest.approx(trial * 0.001) for trial in range(7)
        }
        assert executor.poll(0.0) == []

    def test_carries_spec_job_and_result_unchanged(
        self, executor_factory: Factory, tmp_path: Path
    ) -> None:
        executor = executor_factory(Echo())
        spec = ChainSpec.from_text("[C(16,3x5,1,elu), P(2,2), S(8,3,1)@-1@1, GAP, D(0.25), SM(3)]")
        executor.submit(spec, Job(5, 123, threads=2, model_path=tmp_path / "model.keras"))
        result = collect(executor, 1)[5]
        assert (result.status, result.seconds, result.macs) == (Status.OK, 0.25, 7)
        assert result.details is not None
        assert result.details["digest"] == spec.digest
        assert result.details["seed"] == 123
        assert result.details["threads"] == 2
        assert result.details["model_path"] == str(tmp_path / "model.keras")

    @pytest.mark.parametrize(
        ("fault", "status", "words"),
        [
            ("raise_error", Status.ERROR, "ValueError: two lines"),
            ("leave", Status.ERROR, "SystemExit: 4"),
            ("raise_memory_error", Status.OUT_OF_MEMORY, "MemoryError"),
            ("return_garbage", Status.ERROR, "expected a Result"),
            ("return_nan", Status.ERROR, "finite"),
        ],
    )
    def test_a_failure_costs_one_trial(
        self, executor_factory: Factory, fault: str, status: Status, words: str
    ) -> None:
        results = run(executor_factory(Faulty(fault)), 2)
        assert (results[0].status, results[0].score) == (status, None)
        assert words in results[0].message
        assert "\n" not in results[0].message
        assert results[1].status is Status.OK

    def test_poll_without_trials_returns_at_once(self, executor_factory: Factory) -> None:
        executor = executor_factory(Echo())
        began = time.monotonic()
        assert executor.poll(5.0) == []
        assert time.monotonic() - began < 1.0

    def test_a_cancelled_trial_is_not_answered(self, executor_factory: Factory) -> None:
        executor = executor_factory(Echo())
        executor.submit(SPEC, Job(0, 0))
        executor.cancel(0)
        executor.cancel(99)
        assert executor.poll(0.5) == []
        executor.submit(SPEC, Job(1, 1))
        assert list(collect(executor, 1)) == [1]

    def test_close_is_quick_and_may_come_twice(self, executor_factory: Factory) -> None:
        executor = executor_factory(Echo())
        executor.submit(SPEC, Job(0, 0))
        began = time.monotonic()
        executor.close()
        executor.close()
        assert time.monotonic() - began < 2.0
        assert executor.poll(0.1) == []
