"""The bridge's decisions, with nodes that do what the test says instead of Ray."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from fault_trainers import Echo

from nas_core.errors import NasError, RunError, UsageError
from nas_core.executors.ray import actors as actors_module
from nas_core.executors.ray.actors import MOST_ENDS, MOST_SMALL, SAME, Actors
from nas_core.executors.ray.cluster import Machine
from nas_core.executors.ray.pool import MOST_LOSSES
from nas_core.executors.ray.settings import Settings
from nas_core.plan import versions
from nas_core.trainer.base import Result, Status

DIED = RuntimeError(
    "The actor died unexpectedly before finishing this task.\n\tclass_name: Node\n\tactor_id: 0a1\n"
    "\tnamespace: 4beb1ad7\nThe actor is dead because its worker process has died."
)


class Reference(Future[Any]):
    """A remote call that the test finishes."""


class Remote:
    """One method of an actor; remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], Reference]] = []

    def remote(self, *args: Any) -> Reference:
        self.calls.append((args, Reference()))
        return self.calls[-1][1]


class FakeActor:
    def __init__(self, node: str, slots: int) -> None:
        self.node, self.slots, self.ended = node, slots, False
        self.start, self.push, self.pull, self.receive = Remote(), Remote(), Remote(), Remote()


class World:
    """Machines, their actors, and what the driver is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.made: list[FakeActor] = []
        self.told: list[dict[str, Any]] = []
        self.events: list[tuple[str, Any]] = []
        fake = SimpleNamespace(
            make_actor=self.make_actor,
            when_done=lambda reference, tell: reference.add_done_callback(tell),
            end_actor=lambda actor: setattr(actor, "ended", True),
        )
        monkeypatch.setattr(actors_module, "cluster", fake)
        settings = {"workers": 8, "address": "head:1", **settings}
        self.actors = Actors(
            Echo(),
            Settings(**settings),
            lambda kind, value: self.events.append((kind, value)),
            self.told.append,
        )

    def make_actor(self, kind: type, machine: Machine, slots: int, *rest: Any) -> FakeActor:
        self.made.append(FakeActor(machine.identity, slots))
        return self.made[-1]

    def machines(self, **cpus: float) -> None:
        found = [Machine(name, name, free, 0.0, 4.0, 0.0) for name, free in cpus.items()]
        self.actors.handle("machines", found)

    def settle(self) -> None:
        while self.events:
            self.actors.handle(*self.events.pop(0))

    def started(self, actor: FakeActor, **other: str) -> None:
        found = {name: versions()[name] for name in SAME} | other
        self.finish(actor.start, {"slots": actor.slots, "versions": found})

    def finish(self, remote: Remote, answer: Any) -> None:
        """Finish the latest call of a method, by raising if the answer is an error."""
        reference = remote.calls[-1][1]
        if isinstance(answer, Exception):
            reference.set_exception(answer)
        else:
            reference.set_result(answer)
        self.settle()

    def submit(self, *trials: int) -> None:
        for trial in trials:
            self.actors.handle("order", {"submit": 100 + trial, "trial": trial, "request": "{}"})

    def pushed(self, actor: FakeActor) -> list[int]:
        orders = [args[0] for args, _ in actor.push.calls]
        return [order["ticket"] for order in orders if "submit" in order]

    def answers(self) -> dict[int, Any]:
        return {
            item["ticket"]: json.loads(item["result"]) for item in self.told if "result" in item
        }

    def state(self) -> dict[str, int]:
        return [item["state"] for item in self.told if "state" in item][-1]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    return lambda **settings: World(monkeypatch, **settings)


def answer_of(ticket: int) -> list[dict[str, Any]]:
    return [{"ticket": ticket, "result": json.dumps({"score": 0.5})}]


def test_every_node_with_room_takes_its_share(world: Callable[..., World]) -> None:
    it = world(workers=5)
    it.machines(a=4, b=4, full=0)
    assert [(actor.node, actor.slots) for actor in it.made] == [("a", 3), ("b", 2)]
    it.submit(*range(7))
    assert it.pushed(it.made[0]) == []  # not before it has started
    it.started(it.made[0])
    it.started(it.made[1])
    assert sorted(it.pushed(it.made[0]) + it.pushed(it.made[1])) == [100, 101, 102, 103, 104]
    assert it.state() == {"nodes": 2, "slots": 5, "left_out": 0}
    it.finish(it.made[1].pull, answer_of(it.pushed(it.made[1])[0]))
    assert len(it.pushed(it.made[1])) == 3
    assert len(it.made[1].pull.calls) == 2  # asked again
    it.machines(a=1, b=2)
    assert len(it.made) == 2


def test_a_node_that_joins_later_is_used(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=1)
    it.started(it.made[0])
    it.submit(0, 1)
    assert it.pushed(it.made[0]) == [100]
    it.machines(a=0, b=2)
    it.started(it.made[1])
    assert it.pushed(it.made[1]) == [101]


def test_a_lost_worker_is_replaced_and_its_trials_run_again(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=2)
    it.started(it.made[0])
    it.submit(0, 1)
    it.finish(it.made[0].pull, DIED)
    assert it.made[0].ended
    assert it.state() == {"nodes": 0, "slots": 0, "left_out": 0}
    it.machines(a=2)
    it.started(it.made[1])
    assert it.pushed(it.made[1]) == [100, 101]
    it.finish(it.made[1].pull, answer_of(101) + answer_of(100) + answer_of(101))
    assert sorted(it.answers()) == [100, 101]
    assert len([item for item in it.told if "result" in item]) == 2  # nothing twice


def test_a_node_that_leaves_gives_its_trials_to_the_others(world: Callable[..., World]) -> None:
    it = world(workers=2)
    it.machines(a=1, b=1)
    for actor in it.made:
        it.started(actor)
    it.submit(0, 1)
    it.machines(a=0)
    it.finish(it.made[0].pull, answer_of(it.pushed(it.made[0])[0]))
    assert sorted(it.pushed(it.made[0])) == [100, 101]
    late = it.made[1].pull.calls[-1][1]
    late.set_result(answer_of(it.pushed(it.made[1])[0]))
    it.settle()
    assert len(it.answers()) == 1  # a late word of the lost node does not count


def test_a_trial_that_is_always_lost_is_answered_as_killed(world: Callable[..., World]) -> None:
    it = world()
    it.submit(7)
    for _ in range(MOST_LOSSES):
        assert it.answers() == {}
        it.machines(a=1)
        it.started(it.made[-1])
        it.finish(it.made[-1].pull, DIED)
    result = Result.from_json(it.answers()[107])
    assert (result.status, result.score) == (Status.KILLED, None)
    assert f"lost {MOST_LOSSES} times" in result.message
    assert result.message.endswith("its worker process has died.")
    assert "actor_id" not in result.message


def test_a_node_whose_workers_never_stay_is_left_out(world: Callable[..., World]) -> None:
    it = world()
    for _ in range(MOST_ENDS):
        it.machines(a=1)
        it.finish(it.made[-1].start, DIED)
    it.machines(a=1)
    assert len(it.made) == MOST_ENDS
    with pytest.raises(RunError, match=r"stays on the node a.*times in a row"):
        it.actors.check(silent=False, empty=False)


def test_a_result_forgives_earlier_ends(world: Callable[..., World]) -> None:
    it = world()
    for trial in range(2 * MOST_ENDS):
        it.machines(a=1)
        it.started(it.made[-1])
        it.submit(trial)
        it.finish(it.made[-1].pull, answer_of(100 + trial))
        it.finish(it.made[-1].pull, DIED)
    it.actors.check(silent=False, empty=False)
    assert len(it.answers()) == 2 * MOST_ENDS


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"refused": "expected memory", "usage": True}, r"expected memory \(on the node a\)"),
        (RuntimeError("ModuleNotFoundError: No module named 'nas_core'"), "no module 'nas_core'"),
    ],
)
def test_a_node_that_cannot_run_is_left_out(
    world: Callable[..., World], answer: Any, words: str
) -> None:
    it = world()
    it.machines(a=1, b=1)
    it.started(it.made[1])
    it.finish(it.made[0].start, answer)
    assert it.state()["left_out"] == 1
    it.actors.check(silent=False, empty=False)  # b goes on
    it.submit(0)
    it.finish(it.made[1].pull, [{"refused": "no trainer", "usage": True}])
    with pytest.raises(UsageError, match="no trainer"):
        it.actors.check(silent=False, empty=False)
    first = it.actors._left_out["a"]
    assert isinstance(first, NasError)
    with pytest.raises(UsageError, match=words):
        raise first


def test_a_node_of_another_version_is_left_out(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=1)
    it.started(it.made[0], keras="1.0")
    with pytest.raises(UsageError, match=r"keras 1\.0 there"):
        it.actors.check(silent=False, empty=False)


def test_a_cancelled_trial_is_cancelled_on_its_node(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=1)
    it.started(it.made[0])
    it.submit(3, 4)
    it.actors.handle("order", {"cancel": 103})
    orders = [args[0] for args, _ in it.made[0].push.calls]
    assert {"cancel": 3} in orders
    assert it.pushed(it.made[0]) == [103, 104]
    it.finish(it.made[0].pull, answer_of(103))
    assert it.answers() == {}


def test_silence_and_emptiness_end_the_sitting(world: Callable[..., World]) -> None:
    it = world()
    with pytest.raises(RunError, match=r"head at head:1.*nas resume RUN"):
        it.actors.check(silent=True, empty=False)
    with pytest.raises(RunError, match="1 free"):
        it.actors.check(silent=False, empty=True)


def test_closing_ends_every_actor(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=1, b=1)
    it.actors.close()
    assert [actor.ended for actor in it.made] == [True, True]


def test_only_a_cluster_that_was_never_large_enough_is_refused(world: Callable[..., World]) -> None:
    it = world(threads=4)
    small = [Machine("a", "a", 2.0, 0.0, 2.0, 0.0)]
    for _ in range(MOST_SMALL - 1):
        it.actors.handle("machines", small)  # others may be joining
    with pytest.raises(UsageError, match=r"4 CPU\(s\)"):
        it.actors.handle("machines", small)
    other = world(threads=4)
    other.machines(a=4)
    for _ in range(2 * MOST_SMALL):
        other.actors.handle("machines", small)  # the large one has left for a while


def test_a_lost_worker_beside_a_bad_node_is_waited_for(world: Callable[..., World]) -> None:
    it = world()
    it.machines(a=1, bad=1)
    it.finish(it.made[1].start, {"refused": "no memory", "usage": True})
    it.finish(it.made[0].start, DIED)
    it.actors.check(silent=False, empty=False)
    it.machines(a=1, bad=1)
    assert it.made[-1].node == "a"
