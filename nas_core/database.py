"""A run's database file: opened, locked, and its failures told in one line."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nas_core.errors import DamageError, LockedError, RunError

DATABASE = "run.sqlite"
UNFINISHED = f".{DATABASE}.tmp"  # while it is made
LOCK = "lock"
LONGEST_WAIT = 60.0  # seconds that another's lock may delay a commit; SQLite waits with back-off
LARGEST_VALUE = 1 << 28  # bytes of one value: what is larger was not written here
MOUNTS = Path("/proc/self/mounts")
# WAL needs memory that all processes share, which these do not give to other machines.
NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "beegfs", "ceph", "gpfs", "glusterfs",
    "lustre", "fuse",
)  # fmt: skip
_DAMAGED = ("malformed", "not a database", "decode", "no such", "unsupported", "corrupt")


def is_free(folder: Path) -> bool:
    """Return whether nothing but what an interrupted start leaves is in the folder."""
    return folder.is_dir() and {item.name for item in folder.iterdir()} <= {LOCK, UNFINISHED}


def filesystem(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a folder, such as "ext4"; "" if unknown.

    Args:
        folder: It exists.
        mounts: The kernel's list of mounts.
    """
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""  # no Linux
    best, kind = "", ""
    place = str(folder.resolve())
    for fields in (line.split(" ") for line in lines):
        point = fields[1].replace("\\040", " ") if len(fields) > 2 else ""
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if point and inside and len(point) >= len(best):  # of two on one place, the later counts
            best, kind = point, fields[2]
    return kind


def shares_memory(folder: Path) -> bool:
    """Return whether write-ahead logging is safe in a folder: not on network file systems."""
    return filesystem(folder).partition(".")[0] not in NETWORK


def _log(folder: Path) -> Path:
    return folder / f"{DATABASE}-wal"


def connect(folder: Path, write: bool, name: str = DATABASE) -> sqlite3.Connection:
    """Open a run's database, which exists.

    Args:
        folder: The run's folder.
        write: Whether to write; a reader may look on in a folder where nothing may be written.
        name: Of the file.
    """
    mode = "rw" if write else "ro"
    # Reading in WAL mode writes beside the file. A finished run leaves no log, so that in a folder
    # where nothing may be written the file alone is the whole truth.
    if not write and not os.access(folder, os.W_OK) and not _log(folder).exists():
        mode = "ro&immutable=1"
    uri = f"{(folder / name).resolve().as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, timeout=LONGEST_WAIT, isolation_level=None)
    try:
        distrust(database)
        if write:
            journal = "WAL" if shares_memory(folder) else "DELETE"
            database.execute(f"PRAGMA journal_mode = {journal}")
            database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def distrust(database: sqlite3.Connection) -> None:
    """Read a file that may be damaged or hostile: nothing in it is run, values are bounded."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")


def take_lock(folder: Path) -> BinaryIO:
    """Lock the run for this process; the kernel releases the lock however the process ends.

    Raises:
        LockedError: Another process holds the lock.
    """
    file = (folder / LOCK).open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read(100).decode(errors="replace").strip()
        file.close()
        raise LockedError(
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
        LockedError: Another process held the database for longer than a minute.
        DamageError: The file is not what was written.
        RunError: Any other `OSError` or error of the database.
    """
    try:
        yield
    except (sqlite3.Error, OverflowError) as error:
        raise _told(folder, str(error)) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = _ADVICE_SPACE if full else _ADVICE
        raise RunError(f"cannot write {folder} ({error.strerror}): {advice}") from error


_ADVICE_SPACE = "free some disk space, then nas resume; everything committed is kept"
_ADVICE = "check the folder's permissions and disk, then nas resume"


def _told(folder: Path, message: str) -> RunError:
    """Return the error that a message of SQLite's amounts to."""
    what = f"cannot use {folder / DATABASE} ({' '.join(message.split())[:200]})"
    if any(word in message for word in ("full", "space", "disk I/O")):
        return RunError(f"{what}: {_ADVICE_SPACE}")
    if "locked" in message:
        return LockedError(f"{what}: another process holds the database, stop it, then nas resume")
    if any(word in message.lower() for word in _DAMAGED):
        return DamageError(
            f"{what}: the file is damaged; nas resume goes back to the last intact generation"
        )
    return RunError(f"{what}: {_ADVICE}")
