"""A run's database file: opened, locked, and its failures told in one line."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nas_core.errors import RunError

DATABASE = "run.sqlite"
UNFINISHED = f".{DATABASE}.tmp"  # while it is made
LOCK = "lock"
LONGEST_WAIT = 60.0  # seconds that a reader's lock may delay a commit


def is_free(folder: Path) -> bool:
    """Return whether nothing but what an interrupted start leaves is in the folder."""
    return folder.is_dir() and {item.name for item in folder.iterdir()} <= {LOCK, UNFINISHED}


def _log(folder: Path) -> Path:
    return folder / f"{DATABASE}-wal"


def connect(folder: Path, write: bool) -> sqlite3.Connection:
    """Open a run's database, which exists.

    Args:
        folder: The run's folder.
        write: Whether to write; a reader may look on in a folder where nothing may be written.
    """
    mode = "rw" if write else "ro"
    # Reading in WAL mode writes beside the file. A finished run leaves no log, so that in a folder
    # where nothing may be written the file alone is the whole truth.
    if not write and not os.access(folder, os.W_OK) and not _log(folder).exists():
        mode = "ro&immutable=1"
    uri = f"{(folder / DATABASE).resolve().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, timeout=LONGEST_WAIT, isolation_level=None)
    if write:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
    return database


def take_lock(folder: Path) -> BinaryIO:
    """Lock the run for this process; the kernel releases the lock however the process ends.

    Raises:
        RunError: Another process holds the lock.
    """
    file = (folder / LOCK).open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read(100).decode(errors="replace").strip()
        file.close()
        raise RunError(
            f"expected to be the only writer of {folder}, process {owner} is: wait or stop it"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()} on {os.uname().nodename}".encode())
    file.flush()
    return file


@contextmanager
def one_line(folder: Path) -> Iterator[None]:
    """Turn the disk's and the database's failures into one line that says what to do.

    Raises:
        RunError: For an `OSError` or an error of the database.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise RunError(
            f"cannot use {folder / DATABASE} ({error}): {_advice(str(error))}"
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot write {folder} ({error.strerror}): {_advice(str(error))}"
        ) from error


def _advice(message: str) -> str:
    if "full" in message or "space" in message or "disk I/O" in message:
        return "free some disk space, then nas resume; everything committed is kept"
    if "locked" in message:
        return "another process holds the database: stop it, then nas resume"
    if "malformed" in message or "not a database" in message:
        return "the file is damaged: restore it from a copy"
    return "check the folder's permissions and disk, then nas resume"
