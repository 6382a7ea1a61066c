"""A child that never outlives its driver, and the other manners of a process that may be killed."""

import faulthandler
import fcntl
import os
import resource
import signal
import threading
from multiprocessing import connection, parent_process
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_killable(output: int) -> None:
    """Make this process the head of its own session, quiet, and mortal with its driver.

    Args:
        output: Descriptor that takes the place of standard output and error.
    """
    os.setsid()  # one signal to the group then reaches every grandchild
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver to decide on
    redirect(output)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core of TensorFlow fills disks
    faulthandler.enable(file=2, all_threads=False)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)  # orphaned grandchildren stay findable below this process
    _volunteer_for_the_oom_killer()
    parent = parent_process()
    if parent is not None:
        _die_with(parent.sentinel)


def redirect(output: int) -> None:
    """Let standard output and error go to `output`, and standard input be empty."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(empty)


def die_with_parent() -> None:
    """Ask the kernel to end this process when the thread that started it ends."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def outlive_parent() -> None:
    """Undo `die_with_parent`."""
    prctl(_PR_SET_PDEATHSIG, 0)


def prctl(option: int, value: int) -> None:
    """Set an option of this process in Linux; elsewhere nothing happens."""
    import ctypes

    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, value, 0, 0, 0)


def _volunteer_for_the_oom_killer() -> None:
    # When memory runs out the kernel should choose a trial, which can be lost, not the driver.
    try:
        Path("/proc/self/oom_score_adj").write_text("800")
    except OSError:
        return


def _die_with(sentinel: int) -> None:
    """Kill the whole group when `sentinel`, a pipe that only the driver holds open, is closed.

    The kernel does it: a closed pipe raises a signal of our choice in a group of our choice, even
    where a C function holds the interpreter. The thread serves systems without that.
    """
    try:
        fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpgrp())
        flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    except (AttributeError, OSError):
        pass  # not Linux: the thread alone
    threading.Thread(target=_watch, args=(sentinel,), daemon=True, name="lifeline").start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(os.getpgrp(), signal.SIGKILL)
