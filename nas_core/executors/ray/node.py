"""What runs on a node, as a Ray actor: a process executor, driven from afar. Imports no Ray.

Ray calls the methods from several threads: orders come while `pull` waits for results, so they go
through a queue, and the executor itself is used by one thread at a time.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas_core.errors import NasError, UsageError
from nas_core.executors.limits import DRIVER_BYTES, LEAST_BYTES
from nas_core.executors.machine import memory_available
from nas_core.executors.process import ProcessExecutor
from nas_core.executors.ray.refusals import refusal
from nas_core.executors.ray.settings import Settings
from nas_core.executors.ray.shared_data import DataSet, trainer_here, unpack
from nas_core.executors.wire import decode_request
from nas_core.trainer.base import Result, Trainer

TICK = 0.05  # seconds between two looks at the orders
SILENCE = 60.0  # seconds without a call after which the driver is taken for dead
PULL_SECONDS = 5.0


class Node:
    """Runs the trials of one node."""

    def __init__(self, search_path: Sequence[str]) -> None:
        """Find the modules that the driver finds, as far as they are here.

        Args:
            search_path: The driver's `sys.path`.
        """
        missing = [path for path in search_path if path not in sys.path and Path(path).exists()]
        sys.path.extend(missing)
        self._executor: ProcessExecutor | None = None
        self._tickets: dict[int, int] = {}  # of the trials that run
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._heard = time.monotonic()

    def start(
        self, trainer: Trainer, data: DataSet | None, settings: Settings, slots: int, gpu: bool
    ) -> dict[str, Any]:
        """Make the executor.

        Args:
            trainer: Scores the trials.
            data: Its data set.
            settings: Limits of a trial.
            slots: Trials at once, as far as this node's memory goes.
            gpu: Whether GPUs are reserved for them.

        Returns:
            {"slots", "versions"}; or {"needs_data": True}; or {"refused", "usage"}.
        """
        self._heard = time.monotonic()
        try:
            here = trainer_here(trainer, data)
            if here is None:
                return {"needs_data": True}
            self._executor = ProcessExecutor(
                here,
                min(slots, _most_in_memory(settings.memory_limit_bytes)),
                seconds_limit=settings.seconds_limit,
                memory_limit_bytes=settings.memory_limit_bytes,
                threads=settings.threads,
                gpu="auto" if gpu else "never",
            )
        except NasError as error:
            return refusal(error)
        from nas_core.plan import versions

        return {"slots": self._executor.slots, "versions": versions()}

    def receive(
        self, files: dict[str, list[Any]], digest: str, fetch: Callable[[Any], bytes]
    ) -> dict[str, Any]:
        """Keep a data set that was sent; return {} or {"refused", "usage"}."""

        def fetch_and_stay(part: Any) -> bytes:
            self._heard = time.monotonic()
            return fetch(part)

        try:
            unpack(files, digest, fetch_and_stay)
        except NasError as error:
            return refusal(error)
        return {}

    def push(self, order: dict[str, Any]) -> None:
        """Take {"submit": request, "ticket": number} or {"cancel": trial}."""
        self._heard = time.monotonic()
        self._orders.put(order)

    def pull(self, seconds: float) -> list[dict[str, Any]]:
        """Return what has ended, waiting up to `seconds` for the first.

        Returns:
            {"ticket", "result"} of each, the result as JSON text; or one {"refused", "usage"}.
        """
        end = time.monotonic() + seconds
        try:
            while True:
                self._heard = time.monotonic()
                finished = self._step(max(0.0, end - self._heard))
                if finished or time.monotonic() >= end:
                    return finished
        except NasError as error:
            return [refusal(error)]

    def _step(self, seconds: float) -> list[dict[str, Any]]:
        """Carry out the orders that are there, and look at the trials once."""
        executor = self._executor
        if executor is None:
            raise UsageError("expected a node that was started, received pull(): call start()")
        while not self._orders.empty():
            self._obey(executor, self._orders.get())
        finished = executor.poll(TICK)
        if not self._tickets:
            self._wait_for_order(executor, seconds)
        return [_answer(self._tickets.pop(item.trial), item.result) for item in finished]

    def _wait_for_order(self, executor: ProcessExecutor, seconds: float) -> None:
        try:
            self._obey(executor, self._orders.get(timeout=seconds))
        except queue.Empty:
            return

    def _obey(self, executor: ProcessExecutor, order: dict[str, Any]) -> None:
        if "cancel" in order:
            executor.cancel(order["cancel"])
            self._tickets.pop(order["cancel"], None)
            return
        spec, job = decode_request(order["submit"])
        if job.checkpoint is not None and not job.checkpoint.parent.parent.is_dir():
            job = replace(job, checkpoint=None)  # the run's folder is on another machine's disk
        executor.submit(spec, job)
        self._tickets[job.trial] = order["ticket"]

    @property
    def silence(self) -> float:
        """Seconds since the driver's last call."""
        return time.monotonic() - self._heard


class NodeActor(Node):
    """A node in a process of its own, which ends, and its children, when nobody asks any more."""

    def __init__(self, search_path: Sequence[str]) -> None:
        """See `Node`."""
        super().__init__(search_path)
        threading.Thread(target=self._watch, daemon=True, name="silence").start()

    def _watch(self) -> None:
        while self.silence < SILENCE:
            time.sleep(1.0)
        os._exit(1)


def _answer(ticket: int, result: Result) -> dict[str, Any]:
    return {"ticket": ticket, "result": json.dumps(result.to_json())}


def _most_in_memory(limit: int | None) -> int:
    """Return how many trials this node has memory for; at least 1, which may then be refused."""
    free = memory_available()
    need = LEAST_BYTES if limit is None else limit
    return sys.maxsize if free is None else max(1, (free - DRIVER_BYTES) // need)
