"""What is compared is fixed before the first training, on problems that no agent has seen."""

from dataclasses import replace

import pytest

from nas_core.errors import RunError, UsageError
from training_control.comparison.protocol import (
    Protocol,
    check_disjoint,
    data_digest,
    held_out,
    settle,
)
from training_control.tasks.generated import GENERATED
from training_control.tasks.instances import instances

PROTOCOL = Protocol(("generated-tables", "generated-curves"))


def test_compared_problems_are_disjoint_from_those_of_meta_training():
    trained = instances("meta-train", 60) + instances("meta-validation", 20)
    compared = [held_out(kind) for kind in GENERATED]
    check_disjoint(trained, compared)
    tasks = Protocol(tuple(GENERATED)).make_tasks()
    seen = {data_digest(instance.task().load()) for instance in trained[:12]}
    assert not seen & {data_digest(task.load()) for task in tasks}
    with pytest.raises(UsageError, match="that no agent was trained on"):
        check_disjoint(trained, [*compared, trained[3]])


def test_the_protocol_cannot_change_once_it_is_settled(tmp_path):
    settle(tmp_path, PROTOCOL)
    settle(tmp_path, PROTOCOL)
    with pytest.raises(RunError, match=r"another \(differs: seeds, tuning\)"):
        settle(tmp_path, replace(PROTOCOL, seeds=11, tuning=7))
    (tmp_path / "protocol.json").write_text("{")
    with pytest.raises(RunError, match="expected a protocol"):
        settle(tmp_path, PROTOCOL)


def test_another_agent_is_another_comparison():
    assert replace(PROTOCOL, agents={"ppo": "1"}).digest != PROTOCOL.digest
    assert Protocol(PROTOCOL.tasks).digest == PROTOCOL.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ()}, "expected tasks among leaves"),
        ({"tasks": ("leaves", "leaves")}, "expected each name once"),
        ({"seeds": 0}, "expected 1 or more seeds, received 0"),
        ({"rates": (0.0,)}, "expected learning rates above 0"),
        ({"rates": (float("nan"),)}, "expected learning rates above 0"),
        ({"data": {"sst2": "x.csv"}}, "received 'sst2'"),
        ({"tuning": 1}, "expected 3 tuning trainings"),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        replace(PROTOCOL, **change)


def test_two_networks_of_one_kind_are_two_tasks():
    made = Protocol(("sst2:bert:A", "sst2:bert:b/B", "sst2")).make_tasks()
    assert [task.name for task in made] == ["sst2-bert-A", "sst2-bert-b-B", "sst2"]
    assert [task.model for task in made] == ["bert:A", "bert:b/B", "bilstm"]
    with pytest.raises(UsageError, match="received sst2:bert:a/b, sst2:bert:a-b, all of them"):
        Protocol(("sst2:bert:a/b", "sst2:bert:a-b")).make_tasks()


def test_a_task_without_its_file_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="expected data for the task titanic"):
        Protocol(("titanic",)).make_tasks()
    with pytest.raises(UsageError, match="expected a model among mlp"):
        Protocol(("generated-tables:cnn",)).make_tasks()
