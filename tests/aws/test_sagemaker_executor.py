"""The executor's contract and its own promises, with real jobs on the training service."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import training_container
from executor_contract import ExecutorContract, Factory, collect, run, wait_for
from fault_trainers import SPEC, Echo, Faulty
from training_container import parts

from nas_core.cloud.pack import Work
from nas_core.errors import RunError, UsageError
from nas_core.executors.base import Executor
from nas_core.executors.sagemaker import SageMakerExecutor
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Status
from nas_core.trainer.mock import MockTrainer

QUICK = 0.1
Make = Callable[..., SageMakerExecutor]


@pytest.fixture
def make(service: Any, cloud: Any, code: str) -> Iterator[Make]:
    with ExitStack() as stack:

        def build(trainer: Any, workers: int = 2, name: str = "contract", **options: Any) -> Any:
            work = Work(cloud, name, code, seconds_limit=options.pop("seconds_limit", None))
            executor = SageMakerExecutor(trainer, workers, work, look_seconds=QUICK, **options)
            return stack.enter_context(closing(executor))

        yield build


@pytest.fixture
def executor_factory(make: Make) -> Factory:
    return lambda trainer: make(trainer, trials_per_job=2)


@pytest.mark.slow
class TestSageMaker(ExecutorContract):
    def test_carries_spec_job_and_result_unchanged(
        self, executor_factory: Factory, tmp_path: Path
    ) -> None:
        """As everywhere, but that a path of this machine is the job's own place for models."""
        executor = executor_factory(Echo())
        spec = ChainSpec.from_text("[C(16,3x5,1,elu), P(2,2), S(8,3,1)@-1@1, GAP, D(0.25), SM(3)]")
        executor.submit(spec, Job(5, 123, threads=2, model_path=tmp_path / "model.keras"))
        result = collect(executor, 1)[5]
        assert (result.status, result.seconds, result.macs) == (Status.OK, 0.25, 7)
        assert result.details is not None
        found = {key: result.details[key] for key in ("digest", "seed", "threads")}
        assert found == {"digest": spec.digest, "seed": 123, "threads": 2}
        assert result.details["model_path"].endswith("/model/trial-5.keras")
        assert not result.details["model_path"].startswith(str(tmp_path / "model"))


@pytest.mark.slow
def test_a_job_is_found_again_and_not_paid_twice(make: Make, service: Any) -> None:
    """What a driver that is killed has submitted, its successor waits for and takes."""
    first = make(Echo())
    assert isinstance(first, Executor)
    first.submit(SPEC, Job(3, 7))
    assert first.poll(0.0) == []
    first._end.detach()  # as if killed: nothing is stopped
    second = make(Echo())
    second.submit(SPEC, Job(3, 7))
    result = collect(second, 1)[3]
    assert result.score == pytest.approx(0.003)
    assert result.details is not None
    assert result.details["sagemaker"]["job"] in service.jobs
    assert len(service.jobs) == 1
    third = make(Echo())  # the job has ended: still nothing to pay
    third.submit(SPEC, Job(3, 7))
    assert collect(third, 1)[3].score == result.score
    assert len(service.jobs) == 1
    fourth = make(Echo(scale=0.002))  # the same place, but another trial: not taken for it
    fourth.submit(SPEC, Job(3, 7))
    assert collect(fourth, 1)[3].score == pytest.approx(0.006)
    assert len(service.jobs) == 2


@pytest.mark.slow
def test_trials_that_were_packed_otherwise_are_found_again(make: Make, service: Any) -> None:
    """One job of trial 0, one of 1 and 2: a successor that gets all three together pays nothing."""
    first = make(Echo(), trials_per_job=2)
    first.submit(SPEC, Job(0, 0))
    first.poll(0.0)
    for trial in (1, 2):
        first.submit(SPEC, Job(trial, trial))
    first.poll(0.0)
    first._end.detach()  # as if killed
    assert len(service.jobs) == 2
    second = make(Echo(), trials_per_job=2)
    for trial in range(3):
        second.submit(SPEC, Job(trial, trial))
    results = collect(second, 3)
    assert [results[trial].score for trial in range(3)] == [0.0, 0.001, 0.002]
    assert service.count("CreateTrainingJob") == 2


@pytest.mark.slow
def test_a_lost_instance_goes_on_with_the_trials_that_are_left(make: Make, service: Any) -> None:
    executor = make(Faulty("sleep_forever", bad=(1,)), trials_per_job=2, seconds_limit=6.0)
    for trial in (0, 1):
        executor.submit(SPEC, Job(trial, trial))
    executor.poll(0.0)
    (job,) = service.jobs.values()
    record = job.root / "start-1/checkpoints/trial-0.json"
    wait_for(record.is_file)
    bucket, prefix = parts(job.request["CheckpointConfig"]["S3Uri"])
    wait_for(lambda: service._exists(bucket, f"{prefix}/trial-0.json"))
    job.interruptions.append("KILL")
    results = collect(executor, 2, 120)
    assert [results[trial].status for trial in (0, 1)] == [Status.OK, Status.TIMEOUT]
    assert job.starts == 2
    again = job.root / "start-2/checkpoints/trial-0.json"
    assert again.read_bytes() == record.read_bytes()
    assert again.stat().st_mtime < (again.parent / "trial-1.json").stat().st_mtime - 5


@pytest.mark.slow
def test_a_job_without_root_has_another_opt_ml(
    make: Make, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make test` needs no root: the uploaded bootstrap is led to a private folder."""
    monkeypatch.setattr(training_container, "can_mount", lambda: False)
    executor = make(Echo(), name="no-root")
    executor.submit(SPEC, Job(1, 2))
    result = collect(executor, 1)[1]
    assert result.details is not None
    (job,) = service.jobs.values()
    assert result.details["model_path"] == str(job.root / "start-1/model/trial-1.keras")


@pytest.mark.slow
def test_closing_stops_the_jobs_and_what_was_stopped_is_run_again(make: Make, service: Any) -> None:
    service.grace = 1.0
    first = make(Faulty("sleep_forever"))
    first.submit(SPEC, Job(0, 0))
    first.poll(0.0)
    (job,) = service.jobs.values()
    wait_for(lambda: job.container is not None)
    first.close()
    wait_for(lambda: job.status == "Stopped")
    assert service.in_progress() == []
    with pytest.raises(RunError, match="close"):
        first.submit(SPEC, Job(1, 1))
    again = make(Faulty("sleep_forever"))
    again.submit(SPEC, Job(0, 0))
    wait_for(lambda: bool(again.poll(0.1)) or len(service.jobs) == 2)
    assert sorted(service.jobs)[1].endswith("-t0-a1")


def test_what_cannot_travel_is_refused_before_anything_is_created(make: Make, service: Any) -> None:
    class Local(Echo):
        pass

    with pytest.raises(UsageError, match="module of its own"):
        make(Local())
    with pytest.raises(UsageError, match="workers"):
        make(Echo(), workers=0)
    executor = make(Echo())
    with pytest.raises(UsageError, match="fresh weights"):
        executor.submit(SPEC, Job(0, 0, init_from=Path("model.keras")))
    assert service.jobs == {}


@pytest.mark.slow
def test_a_job_that_cannot_run_our_code_ends_the_search(
    service: Any, cloud: Any, code: str, make: Make
) -> None:
    """Every other job would fail alike, and each costs money."""
    service.environment["PYTHONPATH"] = "/nowhere"
    service.environment["AWS_ACCESS_KEY_ID"] = "AKIACANARYCANARYCANA"
    executor = make(MockTrainer())
    executor._trainer["class"] = "no_such_module:Trainer"
    executor.submit(SPEC, Job(0, 0))
    with pytest.raises(RunError, match=r"no_such_module.*--image"):
        collect(executor, 1)
    (job,) = service.jobs.values()
    assert job.failure.startswith("AlgorithmError: expected no_such_module:Trainer")
    assert "CANARY" not in job.failure


@pytest.mark.slow
def test_sixteen_jobs_against_throttling_and_a_quota(make: Make, service: Any) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "Service Quotas" in line:  # the places are taken: from here on jobs start at once
            service.start_seconds = 0.0

    service.throttle, service.quota, service.start_seconds = 4, 3, 60.0
    executor = make(MockTrainer(), workers=16, say=say)
    results = run(executor, 16)
    assert all(result.status is Status.OK for result in results.values())
    assert len(service.jobs) == 16
    assert service.refusals["ResourceLimitExceeded"] > 0
    assert service.refusals["ThrottlingException"] > 0
    assert [line for line in said if "Service Quotas" in line and "fewer --workers" in line]
    assert len(said) <= 2  # once each
