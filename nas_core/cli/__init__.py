"""The command line: `nas`, and each method alone (`python -m metaqnn`)."""

import os
import sys

# NumPy's threads stall behind children that keep every core busy; the driver needs one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from nas_core.cli.app import app
from nas_core.cli.output import take_debug_flag


def main() -> None:
    """Run `nas` with the process's arguments."""
    sys.argv[1:] = take_debug_flag(sys.argv[1:])
    app()


def search_main(space: str) -> None:
    """Run `nas search SPACE` with the process's arguments: what `python -m METHOD` does."""
    arguments = take_debug_flag(sys.argv[1:])
    app(args=["search", space, *arguments], prog_name="nas")
