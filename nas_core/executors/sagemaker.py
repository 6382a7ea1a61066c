"""Trials as SageMaker training jobs: submitted, adopted, waited for, stopped.

A job's name follows from run, trial and attempt, so a driver that died and was resumed finds its
jobs again instead of paying twice. A trial's result is an object in S3 that the job wrote once.
"""

import sys
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from nas_core.cloud import jobs
from nas_core.cloud.adoption import Adoptable, adoptable
from nas_core.cloud.client import s3, sagemaker
from nas_core.cloud.failures import QUOTA, THROTTLED
from nas_core.cloud.jobs import BackOff, JobState
from nas_core.cloud.pack import Pack, Work, collect, request_of, task_of
from nas_core.cloud.submit import TAKEN, submit
from nas_core.cloud.trainers import encode_trainer
from nas_core.errors import CloudError, RunError, UsageError
from nas_core.executors.base import Finished
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Status, Trainer, failed

LOOK_SECONDS = 15.0  # between two looks at a job; a start alone takes minutes
TICK = 0.05
ATTEMPTS = 3  # jobs of one trial that may come to nothing in a sitting
BUSY = (*THROTTLED, *QUOTA)


def tell(line: str) -> None:
    """Print a line about progress on stderr."""
    print(line, file=sys.stderr, flush=True)


class SageMakerExecutor:
    """Runs trials as training jobs, some at a time.

    Args:
        trainer: Scores the trials; must be one that `encode_trainer` can write down.
        workers: Jobs at a time.
        work: What all jobs share.
        trials_per_job: Trials in one job, one after another: a start costs more than a small
            child. All of a job's trials are answered when it ends.
        look_seconds: Between two looks at a job.
        say: Takes lines about what the search is waiting for.

    Attributes:
        slots: Trials that may be given at once.

    Raises:
        UsageError: A value out of range, no SDK, or a trainer that cannot travel.
        CloudError: No credentials or no region.
    """

    def __init__(
        self,
        trainer: Trainer,
        workers: int,
        work: Work,
        *,
        trials_per_job: int = 1,
        look_seconds: float = LOOK_SECONDS,
        say: Callable[[str], None] = tell,
    ) -> None:
        if min(workers, trials_per_job) < 1:
            raise UsageError(
                f"expected --workers and --trials-per-job of 1 or more, received {workers} and "
                f"{trials_per_job}: raise them"
            )
        self.slots = workers * trials_per_job
        self._workers, self._per_job, self._every = workers, trials_per_job, look_seconds
        self._trainer, self._work, self._say = encode_trainer(trainer), work, say
        self._service, self._store = sagemaker(work.cloud), s3(work.cloud)
        self._waiting: deque[tuple[Spec, Job]] = deque()
        self._ready: deque[Pack] = deque()  # to be submitted, or submitted again
        self._jobs: list[Pack] = []  # submitted
        self._proven = False  # whether any job has run our code to its end
        self._closed = self._searched = False
        self._found: list[Adoptable] = []  # packs of an earlier sitting
        self._pause = 0.0  # no submission before, on the monotonic clock
        self._busy = BackOff(work.run, 1.0, 60.0)
        self._told: set[str] = set()
        self._names: dict[str, bool] = {}  # of jobs that may run; whether it is known that they do
        # Also runs when the driver ends, or forgets this object, without `close`.
        self._end = weakref.finalize(self, _stop_all, self._service, self._names, say)

    def submit(self, spec: Spec, job: Job) -> None:
        """Note a trial; `poll` submits its job.

        Raises:
            RunError: The executor is closed.
            UsageError: A job cannot begin with a model of this machine.
        """
        if self._closed:
            raise RunError("expected an open executor, received a trial after close(): make one")
        if job.init_from is not None:
            raise UsageError(
                "expected --init-from without training jobs, which begin with fresh weights: "
                "use --executor process"
            )
        self._waiting.append((spec, job))

    def poll(self, seconds: float) -> list[Finished]:
        """Submit what waits, look at the jobs, return what has ended.

        Raises:
            CloudError: AWS refuses what waiting cannot mend.
            RunError: The very first job could not run our code.
        """
        end = time.monotonic() + seconds
        while self._waiting or self._ready or self._jobs:
            self._launch()
            finished = self._look()
            if finished or time.monotonic() >= end:
                return finished
            time.sleep(min(TICK, max(0.0, end - time.monotonic())))
        return []

    def cancel(self, trial: int) -> None:
        """Forget a trial, and stop its job if no other trial is in it."""
        self._waiting = deque(item for item in self._waiting if item[1].trial != trial)
        for pack in [*self._ready, *self._jobs]:
            pack.trials.pop(trial, None)
        for pack in [pack for pack in self._jobs if not pack.trials]:
            self._jobs.remove(pack)
            if pack.name is not None:
                jobs.stop(self._service, pack.name)
                self._names.pop(pack.name, None)
        self._ready = deque(pack for pack in self._ready if pack.trials)

    def close(self) -> None:
        """Stop every job that runs."""
        self._closed = True
        self._waiting.clear()
        self._ready.clear()
        self._jobs.clear()
        self._end()

    def _launch(self) -> None:
        """Submit at most one job, unless the service has asked for patience."""
        if self._per_job > 1 and self._waiting:
            self._adopt()
        if time.monotonic() < self._pause or len(self._jobs) >= self._workers:
            return
        if not self._ready and self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(self._per_job, len(self._waiting)))]
            self._ready.append(Pack({job.trial: (spec, job) for spec, job in taken}))
        if not self._ready:
            return
        pack = self._ready[0]
        try:
            self._create(pack)
        except CloudError as error:
            if error.code in TAKEN:  # by a job of other trials: an earlier sitting's pack
                pack.attempt += 1
            elif error.code in BUSY:
                self._wait(error)
            else:
                raise
            return
        self._busy.reset()
        self._ready.popleft()
        self._jobs.append(pack)

    def _adopt(self) -> None:
        """Take over packs of an earlier sitting: trials may be packed differently this time."""
        if not self._searched:
            self._searched = True
            least = min(job.trial for _, job in self._waiting)
            self._found = adoptable(self._service, self._work.run, least)
        for found in list(self._found):
            taken = {job.trial: (spec, job) for spec, job in self._waiting if found.has(spec, job)}
            if taken:
                self._found.remove(found)
                self._jobs.append(Pack(taken, found.attempt, name=found.name, adopted=True))
                self._names[found.name] = True
                self._waiting = deque(item for item in self._waiting if item[1].trial not in taken)

    def _create(self, pack: Pack) -> None:
        work = self._work
        request = request_of(pack, self._trainer, work)
        name = request["TrainingJobName"]
        self._names[name] = False  # before: a driver that ends in between stops it all the same
        pack.adopted = submit(request, work.cloud).adopted
        self._names[name] = True
        pack.name, pack.look = name, time.monotonic() + (0.0 if pack.adopted else self._every)

    def _wait(self, error: CloudError) -> None:
        """Ask for nothing for a while, and say once why."""
        self._pause = time.monotonic() + self._busy.next()
        if error.code not in self._told:
            self._told.add(error.code)
            self._say(f"nas: waiting: {error}")

    def _look(self) -> list[Finished]:
        """Look at the jobs whose time has come, and answer the trials of those that ended."""
        finished: list[Finished] = []
        for pack in list(self._jobs):
            if pack.name is None or time.monotonic() < pack.look:
                continue
            pack.look = time.monotonic() + self._every
            try:
                state = jobs.describe(self._service, pack.name)
            except CloudError as error:
                if error.code not in BUSY:
                    raise
                pack.look += self._busy.next()
                continue
            if state is None or state.ended:
                self._jobs.remove(pack)
                self._names.pop(pack.name, None)
                self._pause = 0.0  # a place is free
                finished += self._take(pack, state)
        return finished

    def _take(self, pack: Pack, state: JobState | None) -> list[Finished]:
        """Answer what an ended job has finished, and give the rest another job or an answer."""
        found: dict[int, Result] = {}
        if state is not None:
            found = collect(self._store, pack, task_of(pack, self._trainer, self._work), state)
        for trial in found:
            del pack.trials[trial]
        self._proven |= bool(found)
        finished = [Finished(trial, result) for trial, result in found.items()]
        if not pack.trials:
            return finished
        result = self._verdict(pack, state)
        if result is None:
            pack.attempt += 1
            pack.name = None
            self._ready.append(pack)
            return finished
        return finished + [Finished(trial, result) for trial in pack.trials]

    def _verdict(self, pack: Pack, state: JobState | None) -> Result | None:
        """Return what the trials are that a job has not answered; None to try again."""
        if state is None:
            return None
        why = state.reason or f"{state.status} {state.secondary}".strip()
        if state.secondary == "MaxRuntimeExceeded":
            return failed(Status.TIMEOUT, f"the job {state.name} ran longer than --max-runtime")
        if why.endswith("exit code: 137"):  # the kernel's answer to a job without memory left
            return failed(Status.OUT_OF_MEMORY, f"the job {state.name} was killed: {why}")
        ours = state.status == jobs.FAILED and why.startswith("AlgorithmError")
        if ours and not self._proven and not pack.adopted:
            raise RunError(
                f"expected the job {state.name} to run our code, received {why}: mend it"
            )
        # A job of an earlier sitting was stopped by it, or failed in it: it counts there.
        pack.failures += 0 if pack.adopted else 1
        if pack.failures < ATTEMPTS:
            return None
        return failed(Status.KILLED, f"{pack.failures} jobs came to nothing: {why}")


def _stop_all(service: Any, names: dict[str, bool], say: Callable[[str], None]) -> None:
    for name, known in names.items():
        try:
            jobs.stop(service, name)
        except CloudError as error:
            if known:
                say(f"nas: {error}; look with: nas sagemaker sweep RUN")
    names.clear()
