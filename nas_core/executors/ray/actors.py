"""One actor per node: started where trials fit, asked for results, replaced when lost."""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from nas_core.errors import NasError, RunError
from nas_core.executors.ray import cluster
from nas_core.executors.ray.cluster import Machine
from nas_core.executors.ray.node import PULL_SECONDS, NodeActor
from nas_core.executors.ray.pool import Pool, Task, share_slots
from nas_core.executors.ray.refusals import broken, raised, too_small, unlike
from nas_core.executors.ray.settings import Settings
from nas_core.executors.ray.shared_data import blocks, data_of, names_to_send
from nas_core.plan import versions
from nas_core.trainer.base import Status, Trainer, failed

SAME = ("rl-nas", "tensorflow", "keras", "numpy")  # versions that results depend on
MOST_SMALL = 5  # looks at the nodes
MOST_ENDS = 5  # of a node's actors in a row, without a result: something is wrong there


@dataclass(eq=False)
class Host:
    """A node with an actor.

    Attributes:
        machine: As it was when the actor was made.
        slots: Trials that were reserved for it.
        actor: Ray's handle.
    """

    machine: Machine
    slots: int
    actor: Any


class Actors:
    """Everything that the bridge knows of its nodes. Used by one thread, the event loop."""

    def __init__(
        self,
        trainer: Trainer,
        settings: Settings,
        event: Callable[[str, Any], None],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        """Know no node yet: the first event "machines" brings them.

        Args:
            trainer: Sent to every node.
            settings: What to run where.
            event: Puts an event into the loop's queue; called from any thread.
            tell: Sends a message to the driver.
        """
        self._trainer, self._settings = trainer, settings
        self._event, self._tell = event, tell
        self._data = data_of(trainer)
        self._versions = {name: versions()[name] for name in SAME}
        self._pool = Pool()
        self._hosts: dict[str, Host] = {}  # by node
        self._left_out: dict[str, NasError] = {}  # by node
        self._ends: dict[str, int] = {}  # by node, since its last result
        self._objects: dict[str, list[Any]] = {}  # the data set's files
        self._state: dict[str, int] = {}  # as the driver knows it
        self._alive: set[str] = set()  # nodes, at the last look
        self._small = 0  # looks that have found no node large enough

    @property
    def serving(self) -> bool:
        """Whether any node takes trials."""
        return self._pool.slots > 0

    def handle(self, kind: str, value: Any) -> None:
        """Take in one event: "machines", "order", or a remote call by name that is done.

        Raises:
            UsageError: No node of the cluster is large enough for one trial.
        """
        if kind == "machines":
            self._look(value)
        elif kind == "order":
            self._order(value)
        else:
            self._done(kind, *value)
        for node, task in self._pool.assign():
            self._push(node, {"submit": task.request, "ticket": task.ticket})
        self._tell_state(always=kind == "machines")

    def check(self, *, silent: bool, empty: bool) -> None:
        """Give up where nothing can come any more.

        Args:
            silent: Whether the head has said nothing for long.
            empty: Whether no node has taken trials for long.

        Raises:
            NasError: One of these, or every node was left out: the last one's reason.
        """
        where = self._settings.where
        if silent:
            raise RunError(
                f"expected an answer of the Ray cluster's head {where}, received none: what is "
                "finished is kept; start the cluster again, then nas resume RUN goes on"
            )
        if self._alive and self._alive <= set(self._left_out):
            raise list(self._left_out.values())[-1]
        if empty:
            raise RunError(
                f"expected a node of the Ray cluster {where} with {self._settings.threads} free "
                "CPU(s) for a trial, received none for long: free some or add nodes, then "
                "nas resume RUN goes on"
            )

    def close(self) -> None:
        """End all actors, and with them their trials."""
        for host in self._hosts.values():
            _end(host)

    def _look(self, machines: Sequence[Machine]) -> None:
        """Start actors on nodes that have room; drop those whose node has gone."""
        self._refuse_small(machines)
        self._alive = {machine.identity for machine in machines}
        for identity in set(self._hosts) - self._alive:
            self._lose(self._hosts[identity], "the node has left the cluster")
        known = {*self._hosts, *self._left_out}
        free = {m.identity: m for m in machines if m.identity not in known}
        left = self._settings.workers - sum(host.slots for host in self._hosts.values())
        shares = share_slots({i: m.fits(self._settings) for i, m in free.items()}, left)
        for identity, slots in shares.items():
            actor = cluster.make_actor(NodeActor, free[identity], slots, self._settings, sys.path)
            self._hosts[identity] = Host(free[identity], slots, actor)
            self._start(self._hosts[identity])

    def _refuse_small(self, machines: Sequence[Machine]) -> None:
        """Refuse a cluster without a single node that could ever run a trial.

        Raises:
            UsageError: It has stayed so for some looks, in which others could have joined.
        """
        problem = too_small(machines, self._settings)
        if problem is None and machines:
            self._small = -sys.maxsize  # has been large enough: what has left may come back
        self._small += 1
        if problem is not None and self._small >= MOST_SMALL:
            raise problem

    def _start(self, host: Host) -> None:
        gpu = self._settings.share_on(host.machine.all_gpus) > 0.0
        args = (self._trainer, self._data, self._settings, host.slots, gpu)
        self._call(host, "started", host.actor.start.remote(*args))

    def _call(self, host: Host, name: str, reference: Any) -> None:
        cluster.when_done(reference, lambda future: self._event(name, (host, future)))

    def _done(self, kind: str, host: Host, future: "Future[Any]") -> None:
        if self._hosts.get(host.machine.identity) is not host:
            return  # a late word of a lost one
        try:
            answer = future.result()
        # The actor, its node or the way to it is gone; or code on the node has raised.
        except Exception as error:
            problem = broken(host.machine.address, error)
            if problem is None:
                self._lose(host, _reason(error))
            else:
                self._leave_out(host, problem)
            return
        match kind:
            case "started":
                self._started(host, answer)
            case "received":
                self._received(host, answer)
            case "pulled":
                self._pulled(host, answer)

    def _started(self, host: Host, answer: dict[str, Any]) -> None:
        if "refused" in answer:
            self._leave_out(host, raised(answer, host.machine.address))
            return
        if "needs_data" in answer:
            self._send_data(host)
            return
        problem = unlike(host.machine.address, answer["versions"], self._versions)
        if problem is not None:
            self._leave_out(host, problem)
            return
        self._pool.join(host.machine.identity, host.machine.address, answer["slots"])
        self._pull(host)

    def _send_data(self, host: Host) -> None:
        """Let a node fetch the data set; its files become objects when the first one needs them."""
        if self._data is None:
            return
        if not self._objects:
            for name in names_to_send(self._data):
                parts = [cluster.put(block) for block in blocks(self._data.folder / name)]
                self._objects[name] = parts
        reference = host.actor.receive.remote(self._objects, self._data.digest, cluster.fetch)
        self._call(host, "received", reference)

    def _received(self, host: Host, answer: dict[str, Any]) -> None:
        if "refused" in answer:
            self._leave_out(host, raised(answer, host.machine.address))
        else:
            self._start(host)

    def _pull(self, host: Host) -> None:
        self._call(host, "pulled", host.actor.pull.remote(PULL_SECONDS))

    def _pulled(self, host: Host, answers: Sequence[dict[str, Any]]) -> None:
        for answer in answers:
            if "refused" in answer:
                self._leave_out(host, raised(answer, host.machine.address))
                return
            self._ends.pop(host.machine.identity, None)
            task = self._pool.finish(host.machine.identity, answer["ticket"])
            if task is not None:
                self._tell({"ticket": task.ticket, "result": answer["result"]})
        self._pull(host)

    def _order(self, order: dict[str, Any]) -> None:
        if "submit" in order:
            self._pool.submit(Task(order["submit"], order["trial"], order["request"]))
            return
        found = self._pool.cancel(order["cancel"])
        if found is not None:
            node, task = found
            self._push(node, {"cancel": task.trial})

    def _push(self, node: str, order: dict[str, Any]) -> None:
        host = self._hosts[node]
        self._call(host, "pushed", host.actor.push.remote(order))

    def _lose(self, host: Host, reason: str) -> None:
        """Take a lost actor out; it is started again unless that has failed too often."""
        self._drop(host, reason)
        identity, address = host.machine.identity, host.machine.address
        self._ends[identity] = self._ends.get(identity, 0) + 1
        if self._ends[identity] >= MOST_ENDS:
            self._left_out[identity] = RunError(
                f"expected a worker that stays on the node {address}, received its end "
                f"{MOST_ENDS} times in a row, at last {reason}: look at its memory and logs, "
                "and give RAY_AUTH_MODE the same value here as there"
            )

    def _leave_out(self, host: Host, problem: NasError) -> None:
        """Use a node no more."""
        self._left_out[host.machine.identity] = problem
        self._drop(host, str(problem))

    def _drop(self, host: Host, reason: str) -> None:
        """Let a node's trials run elsewhere, but not for ever."""
        del self._hosts[host.machine.identity]
        _end(host)
        for task in self._pool.lose(host.machine.identity):
            message = f"lost {task.losses} times with the node that ran it, at last {reason}"
            result = failed(Status.KILLED, message).to_json()
            self._tell({"ticket": task.ticket, "result": json.dumps(result)})

    def _tell_state(self, *, always: bool) -> None:
        pool, left_out = self._pool, len(self._left_out)
        state = {"nodes": len(pool.members), "slots": pool.slots, "left_out": left_out}
        if always or state != self._state:  # always: a sign of life
            self._tell({"state": state})
        self._state = state


def _reason(error: Exception) -> str:
    """Return what Ray says of a lost actor, without the identities that it lists first."""
    line = " ".join(str(error).split())
    _, _, rest = line.partition(" namespace: ")
    return (rest.partition(" ")[2] if rest else line)[:200]


def _end(host: Host) -> None:
    with contextlib.suppress(Exception):  # it may be out of reach
        cluster.end_actor(host.actor)
