"""The fork server: one process with Keras imported, from which trials are forked in milliseconds.

Python's multiprocessing keeps one fork server per process; this module starts it with our
modules preloaded, shares it among executors, and ends it with the last of them.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, ClassVar

from nas_core.errors import RunError
from nas_core.executors import preload
from nas_core.executors.tree import kill
from nas_core.executors.wire import Pipe, Tail

PATIENCE = 120.0  # seconds for the imports, on a loaded machine
_PACKAGES = str(Path(__file__).resolve().parents[2])


class ForkServer:
    """This process's fork server. Get it by `acquire`, give it back by `release`."""

    _shared: ClassVar["ForkServer | None"] = None

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self.modules = tuple(modules)
        self.users = 0
        self._environment = dict(environment)
        # Opened by path in the server: multiprocessing passes no descriptor of ours to it.
        reader, self._writer = multiprocessing.Pipe(duplex=False)
        self.pipe = Pipe(reader)
        self._tail = Tail(self.pipe)
        self._born = 0.0
        self._ready = self._foreign = _pid() is not None
        if not self._foreign:
            self._start()

    @classmethod
    def acquire(cls, modules: Sequence[str], environment: Mapping[str, str]) -> "ForkServer":
        """Return the fork server, started at need; its imports go on while the caller does.

        Args:
            modules: What to import in it. A server that already runs for another executor stays
                as it is, and trials import what they miss.
            environment: Variables to start it with.
        """
        if cls._shared is None:
            cls._shared = cls(modules, environment)
        cls._shared.users += 1
        return cls._shared

    def _start(self) -> None:
        """Start the server; returns at once, long before it is ready."""
        multiprocessing.get_context("forkserver").set_forkserver_preload([preload.__name__])
        with self._launch_settings():
            forkserver.ensure_running()
        self._ready = self._foreign = False
        self._tail = Tail(self.pipe)
        self._born = time.monotonic()

    def ready(self) -> bool:
        """Whether a new process would be there in milliseconds; starts a lost server again.

        Raises:
            RunError: The server has ended during its imports.
        """
        self._tail.read()  # also so that what children print there never fills the pipe
        if self._ready and _ended():
            self._start()
        late = time.monotonic() - self._born > PATIENCE
        self._ready = self._ready or late or preload.READY in self._tail.text()
        if not self._ready and _ended():
            raise RunError(
                f"expected {', '.join(self.modules) or 'nothing'} to be imported once for all "
                f"trials, received the end of that process ({self.last_words()}): import it by hand"
            )
        return self._ready

    def last_words(self) -> str:
        """Return the last line that the server, or a child before it was ready, printed."""
        self._tail.read()
        line = self._tail.last_line()
        return "" if line == preload.READY else line

    def release(self) -> None:
        """End the server if no other executor uses it."""
        self.users -= 1
        if self.users > 0:
            return
        ForkServer._shared = None
        if not self._foreign:
            _end()
        self.pipe.close()
        self._writer.close()

    @contextlib.contextmanager
    def _launch_settings(self) -> Iterator[None]:
        """Give the server its environment, and shield its first moments from Ctrl-C."""
        python_path = os.environ.get("PYTHONPATH")
        settings = {
            "output": f"/proc/{os.getpid()}/fd/{self._writer.fileno()}",
            "modules": self.modules,
            "sys_path": sys.path,
            "python_path": python_path,
        }
        found = os.pathsep.join(filter(None, [_PACKAGES, python_path]))
        extra = {**self._environment, "PYTHONPATH": found, preload.SETTINGS: json.dumps(settings)}
        before = {name: os.environ.get(name) for name in extra}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.environ.update(extra)
        try:
            yield
        finally:
            for name, value in before.items():
                preload.restore(name, value)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


# The standard library has no public way to end its fork server; these two names are in every
# version from 3.8 to 3.14, and a test holds on to them.
def _pid() -> int | None:
    server: Any = forkserver._forkserver
    pid: int | None = server._forkserver_pid
    return pid


def _ended() -> bool:
    pid = _pid()
    if pid is None:
        return True
    # Looks without reaping, which is the standard library's to do.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end() -> None:
    server: Any = forkserver._forkserver
    pid = _pid()
    if pid is not None:
        kill(pid)
        server._stop()
