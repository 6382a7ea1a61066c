"""Files from S3: ranges in parallel, checked by SHA-256, going on where an earlier call stopped.

Beside a file on its way lies FILE.parts with the numbers of the ranges that have arrived.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nas_core.cloud.client import explained
from nas_core.cloud.parts import FILES, THREADS, Count, Item, Part, parts_of, pause
from nas_core.errors import CloudError, DataError

ATTEMPTS = 6  # of one range; each request is retried by its own as well
JOURNAL = ".parts"


def download(client: Any, items: Sequence[Item], count: Count) -> None:
    """Read objects into files.

    Args:
        client: From `nas_core.cloud.client.s3`.
        items: Objects and the files to write; their folders exist.
        count: Told the bytes that have arrived.

    Raises:
        CloudError: AWS refuses; ranges that arrived are kept for the next call.
        DataError: An object is not what its digest says.
        OSError: The disk is full or cannot be written.
    """
    ordered = sorted(items, key=lambda item: -item.size)
    with ThreadPoolExecutor(THREADS) as parts, ThreadPoolExecutor(FILES) as files:
        receiver = _Receiver(client, parts, count)
        received = [files.submit(receiver.receive, item) for item in ordered]
        try:
            for future in received:
                future.result()
        except BaseException:
            files.shutdown(wait=False, cancel_futures=True)
            parts.shutdown(wait=False, cancel_futures=True)
            raise


class _Receiver:
    """Reads one object at a call; calls may overlap."""

    def __init__(self, client: Any, pool: ThreadPoolExecutor, count: Count) -> None:
        self._client = client
        self._pool = pool
        self._count = count

    def receive(self, item: Item) -> None:
        """Read an object, once more from the start if what an interrupted call left is spoilt."""
        journal = item.path.with_name(item.path.name + JOURNAL)
        resumed = journal.exists()
        digest = self._filled(item, journal)
        if digest != item.sha256 and resumed:
            journal.unlink()
            self._count(-item.size)
            digest = self._filled(item, journal)
        journal.unlink()
        if digest != item.sha256:
            item.path.unlink()
            raise DataError(
                f"expected {item.address} with the SHA-256 {item.sha256[:12]}..., received "
                f"{digest[:12]}...: the object is damaged; push the data set again to a new place"
            )

    def _filled(self, item: Item, journal: Path) -> str:
        """Fetch the ranges that are missing; return the SHA-256 of the whole file."""
        there = _arrived(journal) if item.path.exists() else set()
        handle = os.open(item.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with journal.open("a" if there else "w") as arrived:
                os.ftruncate(handle, item.size)
                digest = self._ranges(item, handle, there, arrived)
            os.fsync(handle)
        finally:
            os.close(handle)
        return digest

    def _ranges(self, item: Item, handle: int, there: set[int], arrived: Any) -> str:
        parts = parts_of(item.size)
        waiting = {
            part.number: self._pool.submit(self._range, item, handle, part)
            for part in parts
            if part.number not in there
        }
        digest = hashlib.sha256()
        try:
            for part in parts:  # hashed in order while later ranges are on their way
                if part.number in waiting:
                    waiting[part.number].result()
                    arrived.write(f"{part.number}\n")
                    arrived.flush()
                self._count(part.size)
                digest.update(os.pread(handle, part.size, part.start))
        except BaseException:
            for future in waiting.values():  # nobody may write to a file that is being closed
                future.cancel()
            for future in waiting.values():
                if not future.cancelled():
                    future.exception()
            raise
        return digest.hexdigest()

    def _range(self, item: Item, handle: int, part: Part) -> None:
        """Fetch a range; a connection that breaks on the way is tried again."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        last = part.start + part.size - 1
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with explained(f"to read {item.address}"):
                    answer = self._client.get_object(
                        **item.where, Range=f"bytes={part.start}-{last}"
                    )
                body = answer["Body"].read()
                if len(body) == part.size:
                    os.pwrite(handle, body, part.start)
                    return
                problem = f"{len(body)} bytes"
            except (HTTPClientError, IncompleteReadError, TimeoutError) as error:
                problem = str(error)[:200]
            time.sleep(pause(attempt))
        raise CloudError(
            f"expected {part.size} bytes of {item.address}, received {problem} {ATTEMPTS} times: "
            "check the network, then repeat the command, which goes on from here"
        )


def _arrived(journal: Path) -> set[int]:
    """Return the numbers in a journal; a torn last line is no number that counts."""
    if not journal.exists():
        return set()
    lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return {int(line) for line in lines if line.isdecimal()}
