import pytest
from executor_contract import ExecutorContract, Factory
from fault_trainers import SPEC, Faulty

from nas_core.executors.base import Executor
from nas_core.executors.inline import InlineExecutor
from nas_core.trainer.base import Job


@pytest.fixture
def executor_factory() -> Factory:
    return InlineExecutor


class TestInline(ExecutorContract):
    pass


def test_is_an_executor_with_one_slot() -> None:
    executor = InlineExecutor(Faulty("leave"))
    assert isinstance(executor, Executor)
    assert executor.slots == 1


@pytest.mark.parametrize("fault", ["raise_interrupt", "raise_surprise"])
def test_interruptions_of_the_driver_pass_through(fault: str) -> None:
    """Ctrl-C and SIGTERM reach an inline trial as exceptions: they must end the search."""
    executor = InlineExecutor(Faulty(fault))
    executor.submit(SPEC, Job(0, 0))
    with pytest.raises(BaseException) as caught:
        executor.poll(0.0)
    assert not isinstance(caught.value, Exception)
