"""Checks of the machine: processors and memory are what they seem, a crash stays a child's own."""

import os
import signal
import time
from contextlib import closing
from typing import Any

import numpy as np

from nas_core.doctor.findings import Finding, Verdict, failed, passed
from nas_core.executors.machine import cores, gpus, memory_available
from nas_core.executors.process import ProcessExecutor
from nas_core.spec import ChainSpec, Spec
from nas_core.trainer.base import Job, Result, Status

GIB = 1 << 30
ENOUGH = 2 * GIB  # for a driver and one small child with TensorFlow
SPIN_SECONDS = 0.3
LONGEST_WAIT = 60.0


class Suicidal:
    """A trainer whose first child dies by SIGKILL; the others answer."""

    name = "doctor"

    def score(self, spec: Spec, job: Job) -> Result:
        """Die, or answer 0.5."""
        if job.trial == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return Result(Status.OK, 0.5)

    def config(self) -> dict[str, Any]:
        """Return nothing: no result depends on anything."""
        return {}


def _spin(seconds: float) -> float:
    """Return the processor seconds that this process got in so many seconds of work."""
    started, used = time.monotonic(), time.process_time()
    values = np.linspace(0.0, 1.0, 4096)
    while time.monotonic() - started < seconds:
        values = np.cos(values)
    return (time.process_time() - used) / (time.monotonic() - started)


def processors() -> Finding:
    """One busy process gets a whole processor."""
    share = _spin(SPIN_SECONDS)
    message = f"{cores()} cores, {len(gpus())} GPUs; a busy process gets {share:.0%} of a core"
    if share < 0.5:
        return Finding("processors", Verdict.REPORTED, "busy machine", message)
    return passed("processors", message)


def memory() -> Finding:
    """There is room for at least one child."""
    available = memory_available()
    if available is None:
        return Finding("memory", Verdict.SKIPPED, message="the system does not say")
    message = f"{available / GIB:.1f} GiB available"
    if available < ENOUGH:
        return failed("memory", "too little memory", f"{message}: children need {ENOUGH // GIB}")
    return passed("memory", message)


def crash() -> Finding:
    """A child that is killed costs its own trial only."""
    spec = ChainSpec.from_text("[SM(2)]")
    with closing(ProcessExecutor(Suicidal(), 1)) as executor:
        answers = []
        for trial in range(2):
            executor.submit(spec, Job(trial, 0))
            answers.append(_wait(executor))
    if answers != [Status.KILLED, Status.OK]:
        text = " and ".join("no answer" if answer is None else answer for answer in answers)
        return failed("crash", "a child's crash spreads", f"expected killed and ok, got {text}")
    return passed("crash", "a killed child cost one trial, the next one ran")


def _wait(executor: ProcessExecutor) -> Status | None:
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        for item in executor.poll(0.5):
            return item.result.status
    return None


ALL = (processors, memory, crash)
