"""What the end of a training job means for trials that it has not answered."""

import pytest
from fault_trainers import SPEC

from nas_core.cloud.jobs import JobState
from nas_core.cloud.pack import Pack, Work
from nas_core.cloud.settings import Cloud
from nas_core.errors import RunError
from nas_core.executors.sagemaker import SageMakerExecutor
from nas_core.trainer.base import Job, Status
from nas_core.trainer.mock import MockTrainer

CLOUD = Cloud(
    "bucket", "nas", "arn:aws:iam::123456789012:role/nas", "us-east-1", owner="123456789012"
)


@pytest.fixture
def executor() -> SageMakerExecutor:
    return SageMakerExecutor(MockTrainer(), 1, Work(CLOUD, "run", "s3://bucket/code.tar.gz"))


def pack(*, adopted: bool = False) -> Pack:
    return Pack({0: (SPEC, Job(0, 0))}, name="job", adopted=adopted)


def test_a_job_that_ran_too_long_is_a_timeout(executor: SageMakerExecutor) -> None:
    found = executor._verdict(pack(), JobState("job", "Stopped", "MaxRuntimeExceeded"))
    assert found is not None
    assert (found.status, "--max-runtime" in found.message) == (Status.TIMEOUT, True)


def test_a_job_that_the_kernel_killed_is_out_of_memory(executor: SageMakerExecutor) -> None:
    state = JobState("job", "Failed", "Failed", "AlgorithmError: , exit code: 137")
    found = executor._verdict(pack(), state)
    assert found is not None
    assert found.status is Status.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "state",
    [
        JobState("job", "Failed", "Failed", "CapacityError: no capacity"),
        JobState("job", "Stopped", "MaxWaitTimeExceeded"),
        JobState("job", "Completed", "Completed"),  # without a result
    ],
)
def test_trials_get_three_jobs_in_all(executor: SageMakerExecutor, state: JobState) -> None:
    waiting = pack()
    assert executor._verdict(waiting, state) is None
    assert executor._verdict(waiting, state) is None
    found = executor._verdict(waiting, state)
    assert found is not None
    assert found.status is Status.KILLED
    assert "3 jobs came to nothing" in found.message


def test_what_an_earlier_sitting_stopped_does_not_count(executor: SageMakerExecutor) -> None:
    earlier = pack(adopted=True)
    for _ in range(5):
        assert executor._verdict(earlier, JobState("job", "Stopped", "Stopped")) is None
    assert executor._verdict(earlier, JobState("job", "Failed", "", "AlgorithmError: x")) is None


def test_our_code_must_run_once_before_its_failures_are_trials(executor: SageMakerExecutor) -> None:
    state = JobState("job", "Failed", "Failed", "AlgorithmError: no module, exit code: 1")
    with pytest.raises(RunError, match=r"run our code.*no module"):
        executor._verdict(pack(), state)
    executor._proven = True
    assert executor._verdict(pack(), state) is None


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nothing-is-called")
