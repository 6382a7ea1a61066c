"""Runs a program of this folder in a process of its own, and reads the JSON that it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]


def program(name: str, *arguments: object, given: str = "", seconds: float = 1500.0) -> list[Any]:
    """Return the values printed by `name`.py, one for each line.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    paths = [str(SUPPORT), str(ROOT), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(SUPPORT / f"{name}.py"), *map(str, arguments)],
        input=given, capture_output=True, text=True, timeout=seconds,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
