"""The folder of a local cluster: its token, sockets and logs; removed also after a kill."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "nas-ray-"
LOCK = "lock"
LONGEST = 24  # characters: Ray's sockets lie deep below it, and their paths end at 107
SHORT = "/tmp"  # noqa: S108  (mkdtemp makes a folder there that is ours alone)


class Folder:
    """A new folder that belongs to this process as long as it lives.

    Attributes:
        path: Where it is.
    """

    def __init__(self) -> None:
        usual = tempfile.gettempdir()
        parent = Path(usual if len(usual) <= LONGEST else SHORT)
        _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        os.close(self._lock)
        shutil.rmtree(self.path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed processes have left behind: nobody holds its lock any more."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):  # another user's, or in use
            handle = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(handle)
