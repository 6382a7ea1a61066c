"""The processes below a child: what memory they take, and their end. Reads Linux's `/proc`."""

import contextlib
import os
import signal
from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """Return the living processes below `pid`, itself excluded; empty where `/proc` is not."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = _children(waiting.pop())
        found += below
        waiting += below
    return found


def _children(pid: int) -> list[int]:
    numbers: list[int] = []
    try:
        threads = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
    for thread in threads:
        with contextlib.suppress(OSError):
            text = (thread / "children").read_text()
            numbers += [int(word) for word in text.split()]
    return numbers


def memory(pid: int, limit: int | None) -> int:
    """Return the resident bytes of `pid` and everything below it; 0 where `/proc` is not.

    Pages that several processes share (Keras, mapped by every trial) count in full at first. Only
    a sum above `limit` is counted again with each shared page split among its holders, which
    walks the page tables and is slow.
    """
    pids = [pid, *descendants(pid)]
    resident = sum(_resident(number) for number in pids)
    if limit is None or resident <= limit:
        return resident
    return sum(_proportional(number) for number in pids)


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return _resident(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def kill_tree(pid: int) -> None:
    """End `pid`, its process group, and what below it has left the group."""
    below = descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    kill(pid, *below)


def kill(*pids: int) -> None:
    """End processes that may already have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for memory since it started."""
    try:
        lines = (PROC / "vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
