"""Makes the child processes of one executor: forked from a server, or spawned."""

import multiprocessing
import sys
import time
from typing import Any

from nas_core.errors import RunError, UsageError
from nas_core.executors.answer import describe
from nas_core.executors.environment import server_environment, trial_environment
from nas_core.executors.fork_server import ForkServer
from nas_core.executors.limits import Limits
from nas_core.executors.machine import gpus
from nas_core.executors.main_module import seal
from nas_core.executors.worker import Sealed, Worker
from nas_core.trainer.base import Trainer

GPU_CHOICES = ("auto", "never", "always")
REFUSALS = 5
PAUSE = 0.2  # seconds after a refusal


class WorkerFactory:
    """Makes workers that are loaded with one trainer.

    Args:
        trainer: What they load.
        limits: What each of their trials may take.
        preload: Whether the fork server imports the trainer's modules once for all.
        gpu: One of `GPU_CHOICES`.

    Attributes:
        forks: Whether processes are forked, each for a single trial.
    """

    def __init__(self, trainer: Trainer, limits: Limits, preload: bool, gpu: str) -> None:
        self._limits = limits
        self._gpus = _choose_gpus(gpu)
        self._sealed = Sealed(*seal(trainer))
        modules = tuple(getattr(trainer, "preload", ())) if preload else ()
        self.forks = _can_fork() and gpu != "always" and not (self._gpus and modules)
        self._context = multiprocessing.get_context("forkserver" if self.forks else "spawn")
        self._refusals = 0  # of the fork server, in a row
        self._server: ForkServer | None = None
        if self.forks:
            self._server = ForkServer.acquire(modules, server_environment(limits.threads))

    def make(self, slot: int) -> Worker | None:
        """Return a new worker for a slot, or None while the fork server is not ready.

        Raises:
            RunError: The system refuses to start processes.
        """
        if self._server is not None and not self._server.ready():
            return None
        gpu = self._gpus[slot % len(self._gpus)] if self._gpus else None
        environment = trial_environment(self._limits.threads, gpu)
        try:
            worker = Worker(self._context, self._sealed, self._limits, environment)
        except (ConnectionError, EOFError) as error:  # the fork server has just been killed
            self._refuse(error)
            return None
        self._refusals = 0
        return worker

    def _refuse(self, error: Exception) -> None:
        self._refusals += 1
        if self._refusals > REFUSALS:
            raise RunError(
                f"expected a new process, received {describe(error)} {self._refusals} times in a "
                "row: look at the limits on processes and memory (ulimit -a)"
            ) from error
        time.sleep(PAUSE)

    def waitables(self) -> list[Any]:
        """Return what becomes readable when the fork server may have become ready."""
        if self._server is None or self._server.ready():
            return []
        return [self._server.pipe]

    def last_words(self) -> str:
        """Return what a child printed last that ended before it was under control."""
        return "" if self._server is None else self._server.last_words()

    def release(self) -> None:
        """End the fork server if nobody else uses it."""
        if self._server is not None:
            self._server.release()


def _choose_gpus(gpu: str) -> tuple[str, ...]:
    if gpu not in GPU_CHOICES:
        raise UsageError(f"expected gpu as one of {', '.join(GPU_CHOICES)}, received {gpu!r}")
    return () if gpu == "never" else gpus()


def _can_fork() -> bool:
    # Forking a process with Apple's frameworks loaded is not safe.
    return sys.platform.startswith("linux")
