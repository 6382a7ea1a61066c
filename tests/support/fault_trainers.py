"""Trainers that need no Keras and misbehave on demand, importable by child processes."""

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas_core.spec import ChainSpec, Spec
from nas_core.trainer.base import Job, Result, Status

SPEC = ChainSpec.from_text("[C(8,3,1), GAP, SM(10)]")
MB = 1 << 20


class Surprise(BaseException):
    """What no `except Exception` catches."""


def write_pid(folder: Path, name: str, pid: int) -> None:
    temporary = folder / f"{name}.new"
    temporary.write_text(str(pid))
    temporary.rename(folder / name)


@dataclass(frozen=True)
class Echo:
    """Answers with what it was given, and with facts about its process."""

    name: str = "echo"
    scale: float = 0.001

    def score(self, spec: Spec, job: Job) -> Result:
        facts: dict[str, Any] = {
            "digest": spec.digest,
            "seed": job.seed,
            "threads": job.threads,
            "model_path": str(job.model_path),
            "pid": os.getpid(),
        }
        return Result(Status.OK, job.trial * self.scale, seconds=0.25, macs=7, details=facts)

    def config(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Probe:
    """Answers with facts about its process that only a process of its own should show."""

    name: str = "probe"

    def score(self, spec: Spec, job: Job) -> Result:
        print("not for the driver's terminal")
        names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "PYTHONPATH")
        facts = {
            "session": os.getsid(0) == os.getpid() == os.getpgrp(),
            "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
            "input": sys.stdin.read() if not sys.stdin.closed else os.read(0, 10).decode(),
            "main": getattr(sys.modules["__main__"], "__file__", ""),
            "path": sys.path,
            "environment": {name: os.environ.get(name) for name in names},
            "pid": os.getpid(),
        }
        return Result(Status.OK, 0.5, details=facts)

    def config(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Meets:
    """Succeeds only if `others` trials run at the same time."""

    folder: Path
    others: int
    name: str = "meets"

    def score(self, spec: Spec, job: Job) -> Result:
        write_pid(self.folder, f"{job.trial}.pid", os.getpid())
        end = time.monotonic() + 20
        while len(list(self.folder.glob("[0-9]*.pid"))) < self.others:
            if time.monotonic() > end:
                return Result(Status.TIMEOUT)
            time.sleep(0.01)
        return Result(Status.OK, 1.0)

    def config(self) -> dict[str, Any]:
        return {}


def sleep_forever() -> None:
    time.sleep(1000)


def block_in_c() -> None:
    """Sleep inside C while holding the interpreter's lock, so that no other thread can run."""
    ctypes.PyDLL(None).sleep(1000)


def allocate_forever() -> None:
    kept = []
    while True:
        kept.append(b"x" * (16 * MB))
        time.sleep(0.005)


def allocate_in_grandchild() -> None:
    code = "k=[]\nimport time\nwhile True: k.append(b'x' * (1 << 24)); time.sleep(0.005)"
    subprocess.run([sys.executable, "-c", code], check=False)


def exit_three() -> None:
    print("the last thing it said", flush=True)
    os._exit(3)


def segfault() -> None:
    ctypes.string_at(0)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort() -> None:
    os.abort()


def raise_error() -> None:
    raise ValueError("two\nlines")


def raise_surprise() -> None:
    raise Surprise("out of the ordinary")


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def leave() -> None:
    sys.exit(4)


def raise_memory_error() -> None:
    raise MemoryError


def flood() -> None:
    block = b"spam and eggs\n" * 74899  # 1 MB
    for _ in range(100):
        os.write(1, block)
        os.write(2, block)


def flood_and_exit() -> None:
    flood()
    os._exit(5)


def leave_grandchildren() -> Result:
    """Leave one in the group, one in a session of its own, and an orphan in its own session."""
    command = ["sleep", "1000"]
    pids = [subprocess.Popen(command, start_new_session=own).pid for own in (False, True)]
    shell = ["sh", "-c", "setsid sleep 1000 >/dev/null & echo $!"]
    pids.append(int(subprocess.run(shell, check=True, stdout=subprocess.PIPE).stdout))
    return Result(Status.OK, 0.5, details={"pids": pids})


def leave_thread() -> None:
    threading.Thread(target=sleep_forever).start()  # not a daemon: Python would wait for it


def close_everything() -> None:
    os.closerange(0, 256)


def write_everywhere(data: bytes) -> None:
    """Write to every open pipe except the two that belong to the standard library."""
    from multiprocessing import forkserver, resource_tracker

    theirs = (
        forkserver._forkserver._forkserver_alive_fd,  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._fd,  # type: ignore[attr-defined]
    )
    for descriptor in set(range(3, 64)).difference(theirs):
        with contextlib.suppress(OSError):
            os.write(descriptor, data)


def write_junk_everywhere() -> None:
    write_everywhere(b"\x00\xff no JSON at all\n")


def write_half_a_line() -> None:
    write_everywhere(b'{"trial": 0, "resu')
    time.sleep(1000)


def return_garbage() -> Any:
    return {"score": 0.9}


def return_nan() -> Result:
    return Result(Status.OK, math.nan)


def return_unspeakable() -> Result:
    return Result(Status.OK, 0.5, details={"model": object()})


FAULTS: dict[str, Callable[[], Any]] = {
    function.__name__: function
    for function in (
        sleep_forever, block_in_c, allocate_forever, allocate_in_grandchild, exit_three, segfault,
        kill_self, abort, raise_error, raise_surprise, raise_interrupt, leave, raise_memory_error,
        flood, flood_and_exit, leave_grandchildren, leave_thread, close_everything,
        write_junk_everywhere, write_half_a_line, return_garbage, return_nan, return_unspeakable,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Faulty:
    """Misbehaves at the trials of `bad`, answers well at all others."""

    fault: str
    bad: tuple[int, ...] = (0,)
    name: str = "faulty"

    def score(self, spec: Spec, job: Job) -> Result:
        if job.trial in self.bad:
            answer = FAULTS[self.fault]()
            if answer is not None:
                return answer
        return Result(Status.OK, 0.5)

    def config(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Lingerer:
    """Notes the pids of itself and of a grandchild in `folder`, then never answers."""

    folder: Path
    faults: tuple[str, ...]
    preload: tuple[str, ...] = ()
    name: str = "lingerer"

    def score(self, spec: Spec, job: Job) -> Result:
        grandchild = subprocess.Popen(["sleep", "1000"])
        write_pid(self.folder, f"{job.trial}-grandchild.pid", grandchild.pid)
        write_pid(self.folder, f"{job.trial}-child.pid", os.getpid())
        FAULTS[self.faults[job.trial % len(self.faults)]]()
        return Result(Status.ERROR)

    def config(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class TinyKeras:
    """Trains the smallest network on four random images, with real Keras."""

    name: str = "tiny keras"
    preload: tuple[str, ...] = ("keras", "tensorflow")

    def score(self, spec: Spec, job: Job) -> Result:
        loaded = "keras" in sys.modules
        began = time.monotonic()
        import keras
        import numpy as np

        keras.utils.set_random_seed(job.seed)
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=False)
        images = np.random.default_rng(job.seed).normal(size=(4, 4))
        loss = model.fit(images, np.zeros(4), verbose=0).history["loss"][0]
        seconds = time.monotonic() - began
        return Result(Status.OK, 0.5, seconds=seconds, details={"loaded": loaded, "loss": loss})

    def config(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Unimportable:
    """Names a module that takes for ever, or fails, to import."""

    preload: tuple[str, ...] = field(default=("no_such_module_anywhere",))
    name: str = "unimportable"

    def score(self, spec: Spec, job: Job) -> Result:
        return Result(Status.OK, 0.5)

    def config(self) -> dict[str, Any]:
        return {}
