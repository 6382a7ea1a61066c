"""`nas` as a user types it: in a process of its own or, much quicker, in this one."""

import subprocess
import sys
from contextlib import chdir

from typer.testing import CliRunner

from nas_core.cli.app import app

NAS = [sys.executable, "-c", "from nas_core.cli import main; main()"]


def nas(*arguments, cwd, check=0, timeout=280):
    """Run a command in a process of its own: where children, signals or a clean start matter."""
    done = subprocess.run(
        [*NAS, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == check, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def nas_here(*arguments, cwd, check=0):
    """Run a command in this process."""
    with chdir(cwd):
        done = CliRunner().invoke(app, [*map(str, arguments)])
    assert check is None or done.exit_code == check, (done.stdout, done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done
