"""What people and machines see: one-line errors with exit codes, JSON, aligned text."""

import errno
import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from nas_core.errors import NasError, UsageError
from nas_core.interrupts import Terminated

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
INTERRUPTED, TERMINATED = 130, 143
KEPT = "what is finished is kept: nas resume RUN goes on with a search, else repeat the command"

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON for machines.")]
TableFile = Annotated[
    Path | None,
    typer.Option("--table", help="Published table, npz or JSON; then the trainer is table."),
]
SearchColumn = Annotated[str | None, typer.Option(help="Column of the table that the search sees.")]
ReportColumns = Annotated[
    str | None, typer.Option(help="Columns A,B,C of the table to read after the search.")
]
SecondsColumn = Annotated[
    str | None, typer.Option(help="Column of training seconds; modelled if unset.")
]

_debug = False


def take_debug_flag(arguments: list[str]) -> list[str]:
    """Return the arguments without `--debug`, which is understood at any place."""
    global _debug  # noqa: PLW0603  (one process, one command)
    _debug = _debug or "--debug" in arguments
    return [argument for argument in arguments if argument != "--debug"]


def command(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Turn what can go wrong into one line on stderr and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        try:
            return function(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            raise _end(f"interrupted; {KEPT}", INTERRUPTED) from None
        except Terminated:
            raise _end(f"terminated; {KEPT}", TERMINATED) from None
        except NasError as error:
            if _debug:
                raise
            raise _end(str(error), error.exit_code) from None
        except BrokenPipeError:
            raise typer.Exit(1) from None
        except Exception as error:
            if _debug:
                raise
            line = " ".join(f"{type(error).__name__}: {error}".split())
            raise _end(f"unexpected {line[:300]} (--debug shows where)", 1) from None

    return guarded


def _end(message: str, code: int) -> typer.Exit:
    print(f"nas: {message}", file=sys.stderr, flush=True)
    return typer.Exit(code)


def check_writable(path: Path, option: str) -> None:
    """Refuse a file that cannot be written, before hours of work; nothing is left behind.

    Args:
        path: Of the file; it, and folders above it, need not be there.
        option: What a user has named it with.

    Raises:
        UsageError: It is a folder, or the nearest folder above it takes no file.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        above = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=above):
            pass
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"expected {option} as a file to write, received {path} ({said}): choose another place"
        ) from None


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(value, allow_nan=False))


def say(line: str) -> None:
    """Print a line about progress on stderr."""
    print(line, file=sys.stderr, flush=True)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for people; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """Return a large count with a unit, such as 1.2M; a dash for None."""
    if value is None:
        return "-"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return str(value)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return aligned columns; the last one may be long."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header) - 1)]
    lines = []
    for row in cells:
        fixed = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append(f"{fixed}  {row[-1]}".rstrip())
    return "\n".join(lines)
