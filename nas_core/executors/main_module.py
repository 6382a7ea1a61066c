"""The user's main module, which multiprocessing would run again in every child.

Running it again costs its imports once per trial (`nas` itself: the command line), and starts the
search again where a script lacks the `__main__` guard. So children see it only when the trainer
was defined in it.
"""

import ast
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from nas_core.errors import UsageError
from nas_core.trainer.base import Trainer

_DO = (
    "define its functions and classes at the top level of an importable file, "
    "or use executor='inline'"
)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Let multiprocessing believe that there is no main module to run again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def visible_main() -> Iterator[None]:
    """Change nothing: children run the main module again, as `__mp_main__`."""
    yield


def seal(trainer: Trainer) -> tuple[bytes, bool]:
    """Return the trainer as multiprocessing sends it, and whether it needs the main module.

    Raises:
        UsageError: It cannot be sent, or a child could not find it again.
    """
    try:
        with hidden_main():
            return bytes(ForkingPickler.dumps(trainer)), False
    # Serialising runs the methods of users' classes, which may raise anything.
    except Exception:
        sealed = _seal_with_main(trainer)
    _check_main()
    return sealed, True


def _seal_with_main(trainer: Trainer) -> bytes:
    try:
        return bytes(ForkingPickler.dumps(trainer))
    except Exception as error:
        raise UsageError(
            f"expected a trainer that can be sent to another process, received "
            f"{type(trainer).__name__} ({error}): {_DO}"
        ) from error


def _check_main() -> None:
    """Refuse a main module that a child cannot run again.

    Raises:
        UsageError: It is no file (a notebook, standard input), or has no `__main__` guard here.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).is_file():
        raise UsageError(
            "expected a trainer from a file, received one that was defined in a notebook or on "
            f"standard input, where a new process cannot find it: {_DO}"
        )
    line = _line_at_top_level(main)
    if line is not None and not _guarded(Path(path), line):
        raise UsageError(
            f"expected `if __name__ == '__main__':` around the search, received it bare in "
            f"{path}, line {line}, which every trial would run again: put it under that line"
        )


def _line_at_top_level(main: types.ModuleType) -> int | None:
    """Return the line of the main module's top level that has led here, if one has."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>":
            return frame.f_lineno
        frame = frame.f_back
    return None


def _guarded(path: Path, line: int) -> bool:
    """Whether the top-level statement at `line` is an `if` that asks for `__name__`."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True  # not readable as Python: nothing to be said against it
    for statement in tree.body:
        if statement.lineno <= line <= (statement.end_lineno or line):
            test = statement.test if isinstance(statement, ast.If) else None
            return test is not None and "__name__" in ast.unparse(test)
    return True
