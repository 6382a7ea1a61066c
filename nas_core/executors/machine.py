"""What this machine offers to trials: processor cores, free memory, GPUs. Imports nothing heavy."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a huge number of bytes


def cores() -> int:
    """Return the processor cores that this process may use, at least 1.

    Honours the affinity mask (`taskset`, batch systems) and the quota of a container.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quotas = [quota for folder in _folders("cpu") if (quota := _quota(folder)) is not None]
    return max(1, min([count, *(int(quota) for quota in quotas)]))


def memory_available() -> int | None:
    """Return the bytes that may still be allocated, or None where the system does not say.

    The least of the kernel's `MemAvailable` and of what each enclosing control group leaves.
    """
    free = _meminfo("MemAvailable")
    if free is None:
        return None
    rooms = [room for folder in _folders("memory") if (room := _room(folder)) is not None]
    return max(0, min([free, *rooms]))


def gpus() -> tuple[str, ...]:
    """Return the visible NVIDIA GPUs as values for `CUDA_VISIBLE_DEVICES`; asks no framework."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        # CUDA itself ignores everything from the first name that is not valid on.
        end = next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))
        return tuple(names[:end])
    devices = [path for path in Path("/dev").glob("nvidia*") if path.name[6:].isdigit()]
    count = len(devices) if devices else _listed_by_driver()
    return tuple(str(number) for number in range(count))


def _listed_by_driver() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        done = subprocess.run(
            [program, "-L"], check=False, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def _meminfo(name: str) -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None


def _folders(controller: str) -> Iterator[Path]:
    """Yield the control group folders, version 1 or 2, that bind this process, innermost first."""
    try:
        rows = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for row in rows:
        _, controllers, path = row.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = CGROUPS / controllers if controllers else CGROUPS
        inner = top / path.lstrip("/")
        # Inside a container the path may be the host's: the mount's root is then the group.
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(top):
                yield folder


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().split()[0]
    except (OSError, IndexError):
        return None
    return int(text) if text.lstrip("-").isdigit() else None


def _quota(folder: Path) -> float | None:
    """Return the cores that one control group grants, at least 1, or None without a quota."""
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        given = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if given[0] is None or given[1] is None or given[0] <= 0:
            return None
        return max(1.0, given[0] / given[1])
    return None if limit == "max" else max(1.0, int(limit) / int(period))


def _room(folder: Path) -> int | None:
    """Return the bytes that one control group leaves, or None where it sets no limit."""
    for limit_name, usage_name in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None and limit < _UNLIMITED:
            return limit - usage + _file_cache(folder)
    return None


def _file_cache(folder: Path) -> int:
    """Return the bytes of cached files, which the kernel gives back before it runs out."""
    try:
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(rows.get("total_inactive_file", rows.get("inactive_file", 0)))
