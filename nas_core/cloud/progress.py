"""Progress of a transfer on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from types import TracebackType
from typing import Any

PLAIN_SECONDS = 5.0  # least time between two plain lines
MIB = 1 << 20


class TransferProgress:
    """Counts bytes; safe to call from several threads.

    Args:
        what: What is moved, for people, such as "s3://bucket/leaves".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._bar: Any = None
        self._task: Any = None
        self._done = self._total = 0
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> "TransferProgress":
        if sys.stderr.isatty():
            self._bar = _rich_bar()
            self._task = self._bar.add_task(self._what, total=None)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, total: int) -> None:
        """Say how many bytes there are in all."""
        self._total = total
        if self._bar is not None:
            self._bar.update(self._task, total=total)

    def __call__(self, size: int) -> None:
        """Count bytes that have arrived, or that were there already; negative to take back."""
        with self._lock:
            self._done += size
            if self._bar is not None:
                self._bar.update(self._task, completed=self._done)
            elif time.monotonic() - self._told >= PLAIN_SECONDS:
                self._told = time.monotonic()
                self._line()

    def _line(self) -> None:
        done, total = self._done / MIB, self._total / MIB
        rate = done / max(1e-3, time.monotonic() - self._begun)
        print(
            f"{self._what}: {done:.0f} of {total:.0f} MiB, {rate:.0f} MiB/s",
            file=sys.stderr,
            flush=True,
        )


def _rich_bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(), console=Console(stderr=True),
    )  # fmt: skip
