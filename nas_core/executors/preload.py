"""The fork server's first module: import what every trial needs, once, and run nothing of it.

Importing this module does nothing, except in a process that `fork_server` has started.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any

SETTINGS = "NAS_FORK_SERVER"  # environment variable, JSON; only ever set for the server's start
READY = "nas: fork server ready"


def prepare(output: str, modules: list[str], sys_path: list[str], python_path: str | None) -> None:
    """Turn this process into a fork server that a terminal cannot reach.

    Args:
        output: Path that opens the pipe for everything printed here.
        modules: What to import. Their import may define things only: no operation may run
            here, since threads and devices do not survive a fork.
        sys_path: The driver's search path.
        python_path: The driver's `PYTHONPATH`, given back to the children.
    """
    from nas_core.executors import lifeline

    # Until the imports are done nothing here watches the driver; afterwards the server does.
    lifeline.die_with_parent()
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    pipe = os.open(output, os.O_WRONLY)
    lifeline.redirect(pipe)
    os.close(pipe)
    sys.path[:] = sys_path
    restore("PYTHONPATH", python_path)
    for module in ("nas_core.executors.child", *modules):
        _import(module)
    lifeline.outlive_parent()
    print(READY, flush=True)


def restore(name: str, value: str | None) -> None:
    """Set an environment variable, or unset it."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    # Whatever is wrong with a user's module, the trial that loads it will say so as its own.
    except Exception as error:
        print(f"cannot preload {module}: {type(error).__name__}: {error}", flush=True)


_settings: dict[str, Any] | None = json.loads(os.environ.pop(SETTINGS, "null"))
if _settings is not None:
    prepare(**_settings)
