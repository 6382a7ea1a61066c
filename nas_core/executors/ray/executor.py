"""The executor of a Ray cluster as the search sees it; Ray itself lives in the bridge."""

import importlib.util
import json
import time
import weakref
from multiprocessing.connection import wait

from nas_core.errors import RunError, UsageError
from nas_core.executors.base import Finished
from nas_core.executors.main_module import seal
from nas_core.executors.ray.link import Bridge
from nas_core.executors.ray.refusals import raised
from nas_core.executors.ray.settings import INSTALL, Settings
from nas_core.executors.wire import encode_request
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Trainer

CONNECT_SECONDS = 120.0  # until the first node takes trials; a local cluster takes ten to start
SILENT_SECONDS = 60.0  # without a sign of life from the bridge, which gives one every two seconds
LOST = "what is finished is kept: start the cluster again, then nas resume RUN goes on"


class RayExecutor:
    """Runs trials on the nodes of a Ray cluster, each in a process of its own there.

    On every node an actor drives a `ProcessExecutor`, so statuses, limits and results are those
    of that one. A trial whose worker process or node is lost runs again elsewhere; one that was
    lost three times is answered as killed. Nodes that join later are used.

    Args:
        trainer: Scores the trials; importable by the same name on every node.
        workers: Trials at once at most; as many as the nodes have room for.
        address: HOST:PORT of the cluster's head. This machine must be one of its nodes; one with
            no processors to give will do. None starts a cluster on this machine.
        threads: Processors of one trial, reserved for it.
        gpu_share: GPUs of one trial; None for a whole one on nodes that have any.
        seconds_limit: Wall-clock seconds of one trial; an hour by default.
        memory_limit_bytes: Memory of one trial; by default an equal share of its node's.

    Attributes:
        slots: Trials that may run at once; grows and shrinks with the cluster.
        threads: Processors of one trial.

    Raises:
        UsageError: A value out of range, no Ray here, nothing at the address, a token that is
            refused, nodes that are too small or not like this machine.
        RunError: No node was free in time; from `poll`, the cluster was lost.
    """

    def __init__(
        self,
        trainer: Trainer,
        workers: int,
        *,
        address: str | None = None,
        threads: int = 1,
        gpu_share: float | None = None,
        seconds_limit: float | None = None,
        memory_limit_bytes: int | None = None,
    ) -> None:
        self._settings = Settings(
            workers, address, threads, gpu_share, seconds_limit, memory_limit_bytes
        )
        self.slots, self.threads = 1, threads
        self._tickets = 0
        self._running: dict[int, int] = {}  # trial by ticket
        self._state: dict[str, int] = {}
        self._silent = 0.0
        sealed = _seal(trainer)
        _require_ray()
        self._bridge = Bridge(sealed, self._settings)
        # Also runs when the driver ends, or forgets this object, without `close`.
        self._end = weakref.finalize(self, self._bridge.end)
        self._connect()

    def state(self) -> str:
        """Return one short line about nodes and busy slots."""
        nodes, slots = self._state.get("nodes", 0), self._state.get("slots", 0)
        left_out, busy = self._state.get("left_out", 0), min(len(self._running), slots)
        line = f"{nodes} node{'' if nodes == 1 else 's'}, {busy}/{slots} busy"
        return line if left_out == 0 else f"{line}, {left_out} left out"

    def submit(self, spec: Spec, job: Job) -> None:
        """Start a trial as soon as a node has a free slot; never waits.

        Raises:
            RunError: The executor is closed.
        """
        if not self._end.alive:
            raise RunError("expected an open executor, received a trial after close(): make one")
        self._tickets += 1
        self._running[self._tickets] = job.trial
        request = encode_request(spec, job).decode()
        self._bridge.send({"submit": self._tickets, "trial": job.trial, "request": request})

    def poll(self, seconds: float) -> list[Finished]:
        """Return what has ended, waiting up to `seconds` for the first.

        Raises:
            UsageError: No node can load the trainer.
            RunError: The cluster was lost.
        """
        end = time.monotonic() + seconds
        while self._running and self._end.alive:
            finished = self._take()
            if finished or time.monotonic() >= end:
                return finished
            self._wait(end - time.monotonic())
        return []

    def cancel(self, trial: int) -> None:
        """Stop a running trial, or forget a waiting one."""
        for ticket in [ticket for ticket, number in self._running.items() if number == trial]:
            del self._running[ticket]
            self._bridge.send({"cancel": ticket})

    def close(self) -> None:
        """End everything that runs, and the cluster if it was started here."""
        self._running.clear()
        self._end()

    def _connect(self) -> None:
        """Wait for the first node that takes trials."""
        end = time.monotonic() + CONNECT_SECONDS
        try:
            while self._state.get("slots", 0) < 1:
                if time.monotonic() > end:
                    raise RunError(
                        f"expected a free node of the Ray cluster {self._settings.where} within "
                        f"{CONNECT_SECONDS:g} s, received none: look at its CPUs with ray status"
                    )
                self._wait(end - time.monotonic())
                self._take()
        except BaseException:  # Ctrl-C too: nobody has this object yet to close it
            self._end()
            raise

    def _wait(self, seconds: float) -> None:
        """Wait for a message."""
        began = time.monotonic()
        wait(self._bridge.waitables(), max(0.0, min(seconds, SILENT_SECONDS)))
        self._silent += time.monotonic() - began

    def _take(self) -> list[Finished]:
        """Read what the bridge has said.

        Raises:
            NasError: It gave up, is gone, or has been silent for long.
        """
        finished = []
        for message in self._bridge.messages():
            self._silent = 0.0
            if "refused" in message:
                raise raised(message)
            if "state" in message:
                self._state = message["state"]
                self.slots = max(1, self._state["slots"])  # also while nodes are being replaced
            elif message["ticket"] in self._running:
                result = Result.from_json(json.loads(message["result"]))
                finished.append(Finished(self._running.pop(message["ticket"]), result))
        if not finished and (self._bridge.gone or self._silent > SILENT_SECONDS):
            raise RunError(
                f"expected the Ray cluster {self._settings.where} to stay, received its end: {LOST}"
            )
        return finished


def _seal(trainer: Trainer) -> bytes:
    """Return the trainer as it is sent.

    Raises:
        UsageError: It cannot be sent, or nodes could not find its class.
    """
    data, needs_main = seal(trainer)
    if needs_main:
        raise UsageError(
            f"expected a trainer that every node can import, received {type(trainer).__name__} "
            "from the main script: move it to a module of its own that lies on every node"
        )
    return data


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise UsageError(f"expected the package ray for the executor ray, received none: {INSTALL}")
