"""A node's side, without Ray: orders, results, refusals."""

import json
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executor_contract import warm_fork_server
from fault_trainers import SPEC, Echo, Faulty

from nas_core.executors.ray import node as node_module
from nas_core.executors.ray.node import Node
from nas_core.executors.ray.settings import Settings
from nas_core.executors.ray.shared_data import DataSet
from nas_core.executors.wire import encode_request
from nas_core.trainer.base import Job, Result, Trainer

SETTINGS = Settings(2, seconds_limit=60.0)


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> Iterator[None]:
    with warm_fork_server():
        yield


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        if node._executor is not None:
            node._executor.close()


@pytest.fixture
def started(nodes: list[Node]) -> Any:
    def start(trainer: Trainer, slots: int = 2) -> Node:
        nodes.append(Node([]))
        assert nodes[-1].start(trainer, None, SETTINGS, slots, gpu=False)["slots"] == slots
        return nodes[-1]

    return start


def submit(node: Node, ticket: int, job: Job) -> None:
    node.push({"submit": encode_request(SPEC, job).decode(), "ticket": ticket})


def pull(node: Node, count: int) -> dict[int, Result]:
    found: dict[int, Result] = {}
    while len(found) < count:
        for answer in node.pull(5.0):
            assert answer["ticket"] not in found
            found[answer["ticket"]] = Result.from_json(json.loads(answer["result"]))
    return found


def test_results_come_back_under_their_tickets(started: Any) -> None:
    node = started(Echo())
    for ticket in range(4):
        submit(node, 100 + ticket, Job(ticket, seed=7))
    found = pull(node, 4)
    assert {ticket: result.score for ticket, result in found.items()} == {
        100 + trial: pytest.approx(trial * 0.001) for trial in range(4)
    }
    assert found[100].details["seed"] == 7


def test_an_order_wakes_a_pull_that_waits(started: Any) -> None:
    node = started(Echo())
    threading.Timer(0.2, submit, (node, 5, Job(1, 1))).start()
    began = time.monotonic()
    assert [answer["ticket"] for answer in node.pull(30.0)] == [5]
    assert time.monotonic() - began < 20.0


def test_an_idle_pull_ends_in_time(started: Any) -> None:
    assert started(Echo()).pull(0.1) == []


def test_a_cancelled_trial_is_not_answered(started: Any) -> None:
    node = started(Faulty("sleep_forever"))
    submit(node, 1, Job(0, 0))
    assert node.pull(0.3) == []
    node.push({"cancel": 0})
    submit(node, 2, Job(1, 1))
    assert list(pull(node, 1)) == [2]


def test_checkpoints_are_kept_only_where_the_runs_folder_is(
    started: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path | None] = []
    node = started(Echo())
    executor = node._executor
    monkeypatch.setattr(executor, "submit", lambda spec, job: seen.append(job.checkpoint))
    here, elsewhere = tmp_path / "checkpoints" / "trial-1", Path("/no/such/run/checkpoints/trial-1")
    for path in (here, elsewhere):
        request = encode_request(SPEC, replace(Job(1, 1), checkpoint=path)).decode()
        node._obey(executor, {"submit": request, "ticket": 1})
    assert seen == [here, None]


def test_a_trainer_that_no_child_can_load_is_refused(started: Any) -> None:
    module = types.ModuleType("only_on_the_driver")
    exec("from fault_trainers import Echo\nclass Mine(Echo): pass", module.__dict__)
    sys.modules[module.__name__] = module
    try:
        node = started(module.Mine(), 1)
        submit(node, 1, Job(0, 0))
        (answer,) = node.pull(30.0)
    finally:
        del sys.modules[module.__name__]
    assert answer["usage"] is True
    assert "only_on_the_driver" in answer["refused"]


def test_data_that_are_not_here_are_asked_for() -> None:
    asked = Node([]).start(Echo(), DataSet(Path("/nowhere"), "0" * 64), SETTINGS, 1, gpu=False)
    assert asked == {"needs_data": True}


def test_more_trials_than_memory_become_fewer(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = node_module.DRIVER_BYTES + (3 << 30)
    monkeypatch.setattr(node_module, "memory_available", lambda: free)
    settings = replace(SETTINGS, memory_limit_bytes=1 << 30)
    nodes.append(Node([]))
    assert nodes[0].start(Echo(), None, settings, 8, gpu=False)["slots"] == 3


def test_the_drivers_modules_are_found(tmp_path: Path) -> None:
    before = list(sys.path)
    try:
        Node([str(tmp_path), str(tmp_path / "not here"), before[0]])
        assert sys.path == [*before, str(tmp_path)]
    finally:
        sys.path[:] = before
