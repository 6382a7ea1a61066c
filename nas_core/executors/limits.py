"""How many trials fit on this machine, and what each may take."""

import math
from dataclasses import dataclass

from nas_core.errors import UsageError
from nas_core.executors.machine import cores, memory_available

DRIVER_BYTES = 1 << 30  # kept free for the driver and the fork server
LEAST_BYTES = 512 << 20  # Keras alone takes about 320 MB of a trial
SECONDS = 3600.0


@dataclass(frozen=True)
class Limits:
    """What one trial may take.

    Attributes:
        seconds: Wall-clock seconds.
        memory_bytes: Resident memory of the trial's whole process tree, its share of Keras
            included; None where the system does not tell how much there is.
        threads: Processor threads.
    """

    seconds: float
    memory_bytes: int | None
    threads: int


def share_out(
    workers: int,
    seconds: float | None = None,
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> Limits:
    """Share this machine out among `workers` trials at once; what is given stays as it is.

    Raises:
        UsageError: A value out of range, or more workers than fit into the free memory.
    """
    check_workers(workers, memory_bytes)
    seconds = SECONDS if seconds is None else seconds
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"expected a time limit above 0 seconds, received {seconds!r}: raise it")
    threads = max(1, cores() // workers) if threads is None else threads
    if threads < 1:
        raise UsageError(f"expected at least 1 thread per trial, received {threads}: raise it")
    free = memory_available()
    if memory_bytes is None and free is not None:
        memory_bytes = (free - DRIVER_BYTES) // workers
    return Limits(seconds, memory_bytes, threads)


def check_workers(workers: int, memory_limit_bytes: int | None = None) -> None:
    """Refuse more workers than this machine has memory for.

    Args:
        workers: Trials at once, at least 1.
        memory_limit_bytes: What each may take; None for `LEAST_BYTES`.

    Raises:
        UsageError: Not a positive number, or more than fits.
    """
    _check_count(workers)
    need = LEAST_BYTES if memory_limit_bytes is None else memory_limit_bytes
    if need < 1:
        raise UsageError(f"expected a memory limit of at least 1 byte, received {need}: raise it")
    free = memory_available()
    if free is not None and workers * need > max(0, free - DRIVER_BYTES):
        raise _too_many(workers, need, free)


def _check_count(workers: int) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise UsageError(f"expected workers as a whole number from 1, received {workers!r}")


def _too_many(workers: int, each: int, free: int) -> UsageError:
    fit = max(0, free - DRIVER_BYTES) // each
    advice = f"use at most {fit} or lower the memory limit" if fit > 0 else "free some memory"
    return UsageError(
        f"expected workers that fit into {free / 1e9:.1f} GB of free memory, received {workers} "
        f"of {each / 1e9:.1f} GB each, beside {DRIVER_BYTES / 1e9:.1f} GB for the driver: {advice}"
    )
