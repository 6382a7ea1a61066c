"""Trials in processes of their own on this machine: a bad one costs itself, never the search."""

import time
import weakref
from collections import deque
from multiprocessing.connection import wait

from nas_core.errors import RunError, UsageError
from nas_core.executors.base import Finished
from nas_core.executors.factory import WorkerFactory
from nas_core.executors.limits import share_out
from nas_core.executors.worker import Worker
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Status, Trainer, failed

TICK = 0.2  # seconds between two looks at memory and clocks
TRIALS_PER_WORKER = 25  # a lasting TensorFlow process grows by 5 to 52 MB per model
RETRIES = 3  # of a trial whose process somebody else has killed


class ProcessExecutor:
    """Runs up to `workers` trials at once, each in a process that may be killed.

    On processors every trial has a fresh process, forked from a server that has imported what
    the trainer names in its attribute `preload` (a tuple of module names; none by default). A
    GPU does not survive a fork: there, spawned processes serve several trials each, on one GPU
    each where there are several. A trial whose process somebody else kills is run again, and
    goes on from its checkpoint if it has one.

    Args:
        trainer: Scores the trials; must be sendable to another process.
        workers: Trials at once.
        seconds_limit: Wall-clock seconds of one trial; an hour by default.
        memory_limit_bytes: Resident memory of one trial with all its processes; by default
            an equal share of what is free. Enforced on Linux only.
        threads: Processor threads of one trial; by default an equal share of the cores.
        preload: Whether to import the trainer's modules once for all.
        gpu: "auto" uses what is there, "never" hides it, "always" spawns as for a GPU.
        trials_per_worker: Trials that a spawned process serves before it is replaced.

    Attributes:
        slots: Trials that may run at once.
        threads: Processor threads of one trial.

    Raises:
        UsageError: A value out of range, more workers than memory, or a trainer that cannot be
            sent; also from `poll`, when no child could load the trainer.
    """

    def __init__(
        self,
        trainer: Trainer,
        workers: int,
        *,
        seconds_limit: float | None = None,
        memory_limit_bytes: int | None = None,
        threads: int | None = None,
        preload: bool = True,
        gpu: str = "auto",
        trials_per_worker: int = TRIALS_PER_WORKER,
    ) -> None:
        limits = share_out(workers, seconds_limit, memory_limit_bytes, threads)
        self.slots, self.threads = workers, limits.threads
        self._factory = WorkerFactory(trainer, limits, preload, gpu)
        self._trials = 1 if self._factory.forks else trials_per_worker
        self._proven = False  # whether any child has loaded the trainer
        self._looked = 0.0
        self._waiting: deque[tuple[Spec, Job]] = deque()
        self._workers: dict[int, Worker] = {}
        self._given: dict[int, tuple[Spec, Job]] = {}  # what runs
        self._losses: dict[int, int] = {}  # by trial
        # Also runs when the driver ends, or forgets this object, without `close`.
        self._end = weakref.finalize(self, _end_all, self._workers, self._factory)

    def submit(self, spec: Spec, job: Job) -> None:
        """Start a trial as soon as a slot is free; never waits.

        Raises:
            RunError: The executor is closed.
        """
        if not self._end.alive:
            raise RunError("expected an open executor, received a trial after close(): make one")
        self._waiting.append((spec, job))
        self._start()

    def poll(self, seconds: float) -> list[Finished]:
        """Return what has ended, waiting up to `seconds` for the first.

        Raises:
            UsageError: The very first child could not load the trainer.
        """
        end = time.monotonic() + seconds
        while self._waiting or any(worker.trial is not None for worker in self._workers.values()):
            self._start()
            sources = self._factory.waitables()
            for worker in self._workers.values():
                sources += worker.waitables()
            wait(sources, min(TICK, max(0.0, end - time.monotonic())))
            finished = self._collect()
            if finished or time.monotonic() >= end:
                return finished
        return []

    def cancel(self, trial: int) -> None:
        """Kill a running trial, or forget a waiting one."""
        self._waiting = deque(item for item in self._waiting if item[1].trial != trial)
        for slot, worker in list(self._workers.items()):
            if worker.trial == trial:
                self._workers.pop(slot).end()
                self._given.pop(trial, None)

    def close(self) -> None:
        """Kill everything that runs, and the fork server if nobody else uses it."""
        self._waiting.clear()
        self._end()

    def _start(self) -> None:
        """Hand waiting trials to free slots, as far as processes are to be had."""
        for slot in range(self.slots):
            worker = self._workers.get(slot)
            if not self._waiting:
                return
            if worker is None:
                worker = self._factory.make(slot)
                if worker is None:
                    return
                self._workers[slot] = worker
            if worker.trial is None:
                spec, job = self._waiting.popleft()
                self._given[job.trial] = spec, job
                worker.give(spec, job)

    def _collect(self) -> list[Finished]:
        """Read every worker, look at its limits once per tick, and replace what has ended."""
        now = time.monotonic()
        look = now - self._looked >= TICK
        self._looked = now if look else self._looked
        finished = []
        for slot, worker in list(self._workers.items()):
            trial = worker.trial
            result = self._outcome(worker, look)
            if result is None:
                continue
            if worker.spent or worker.worn(self._trials):
                self._workers.pop(slot).end()
            else:
                worker.rest()
            if trial is None:
                continue
            again = self._given.pop(trial)
            if worker.lost and self._losses.get(trial, 0) < RETRIES:
                self._losses[trial] = self._losses.get(trial, 0) + 1
                self._waiting.appendleft(again)
            else:
                self._losses.pop(trial, None)
                finished.append(Finished(trial, result))
        return finished

    def _outcome(self, worker: Worker, look: bool) -> Result | None:
        """Return the end of a worker's trial, or of the worker itself.

        Raises:
            UsageError: No child has ever loaded the trainer: every trial would fail alike.
        """
        result = worker.read()
        if result is None and look and worker.trial is not None:
            result = worker.over_limit()
        self._proven |= worker.ready
        if worker.ready or worker.lost or not worker.spent:
            return result
        message = "" if result is None else result.message
        reason = worker.unloadable or self._factory.last_words() or message
        if self._proven:
            return failed(Status.ERROR, f"the trainer could not be loaded: {reason}")
        raise UsageError(
            f"expected a trainer that a new process can load, received {reason}: define it in an "
            "importable file, below no search that runs on import, or use executor='inline'"
        )


def _end_all(workers: dict[int, Worker], factory: WorkerFactory) -> None:
    for worker in workers.values():
        worker.kill()
    for worker in workers.values():
        worker.end()
    workers.clear()
    factory.release()
