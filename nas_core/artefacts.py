"""The list of the files that a run leaves beside its database: size and SHA-256 of each.

Each file is written first (beside its place, flushed, renamed), then the list that names it. The
list before is kept: where the newest is damaged, it takes its place. Files that protect themselves
are not listed: the database and its copy, checkpoints, the line-by-line log of test openings.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas_core.errors import DamageError
from nas_core.files import read_json, sha256_bytes, sha256_file, write_bytes, write_json

LIST = "artefacts.json"
BEFORE = f"{LIST}.1"
FORMAT = 1
MODELS = "models"
LONGEST_NAME = 255  # bytes of a file's name
NAMES = ("retrain.json", "table.json", "comparison.json", "report.html")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artefact:
    """One file as it was written: bytes, and the hexadecimal SHA-256 of its content."""

    size: int
    sha256: str


def note(run: Path, *paths: Path) -> None:
    """Put files that were just written on the run's list; those outside its folder are left out.

    Args:
        run: The run's folder.
        paths: The files.

    Raises:
        OSError: The list cannot be written; the one before is kept.
    """
    folder = run.resolve()
    inside = [path.resolve() for path in paths if path.resolve().is_relative_to(folder)]
    if not inside:
        return
    with _alone(folder):
        newest = _read(folder / LIST)
        listed = listing(folder)
        files = {} if listed is None else dict(listed)
        for path in inside if listed is not None else {*inside, *found(folder)}:
            files[path.relative_to(folder).as_posix()] = _artefact(path)
        if newest is not None:
            write_bytes(folder / BEFORE, (folder / LIST).read_bytes())
        write_json(folder / LIST, _to_json(files))


def listing(run: Path) -> dict[str, Artefact] | None:
    """Return what the run's newest intact list names, by path; None where there is no list."""
    newest = _read(run / LIST)
    if newest is not None:
        return newest
    before = _read(run / BEFORE)
    if (run / LIST).exists() or before is not None:
        instead = "nothing" if before is None else BEFORE
        _log.warning("nas: %s is damaged or missing: %s takes its place", run / LIST, instead)
    return before


def found(run: Path) -> list[Path]:
    """Return the files of a run that belong on its list, whether they are there or not."""
    models = [
        path for path in sorted((run / MODELS).glob("*")) if path.suffix in (".keras", ".json")
    ]
    named = [run / name for name in NAMES if (run / name).is_file()]
    return named + [path for path in models if path.is_file() and not path.name.startswith(".")]


def problems(run: Path) -> list[tuple[str, str]]:
    """Return (path, what is wrong) of every listed file that is not as written, or not listed.

    A run without a list (of format 1, or before anything was written) has none.
    """
    told = [(name, "damaged") for name in (LIST, BEFORE)
            if (run / name).exists() and _read(run / name) is None]  # fmt: skip
    listed = listing(run)
    if listed is None:
        return told
    for name, artefact in sorted(listed.items()):
        path = run / name
        if not path.is_file():
            told.append((name, "missing"))
        elif path.stat().st_size != artefact.size:
            told.append((name, f"{path.stat().st_size} bytes, {artefact.size} were written"))
        elif sha256_file(path) != artefact.sha256:
            told.append((name, "changed since it was written"))
    names = [path.relative_to(run).as_posix() for path in found(run)]
    return told + [(name, "not on the list") for name in names if name not in listed]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the list meanwhile; the folder itself is locked."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _artefact(path: Path) -> Artefact:
    return Artefact(path.stat().st_size, sha256_file(path))


def _to_json(files: dict[str, Artefact]) -> dict[str, Any]:
    values = {name: asdict(artefact) for name, artefact in sorted(files.items())}
    return {"format": FORMAT, "files": values, "sum": _sum(values)}


def _sum(values: dict[str, Any]) -> str:
    return sha256_bytes(json.dumps(values, sort_keys=True).encode())


def _read(path: Path) -> dict[str, Artefact] | None:
    """Return an intact list; None where it is missing or damaged."""
    try:
        value = read_json(path)
        if value["format"] != FORMAT or value["sum"] != _sum(value["files"]):
            raise DamageError(f"expected {path} as it was written")
        return {_inside(name): Artefact(**item) for name, item in value["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DamageError):
        return None


def _inside(name: str) -> str:
    """Return a listed path that stays inside the run.

    Raises:
        DamageError: It does not.
    """
    parts = Path(name).parts
    long = any(len(part.encode(errors="replace")) > LONGEST_NAME for part in parts)
    if Path(name).is_absolute() or ".." in parts or "\0" in name or long:
        raise DamageError(f"expected a path inside the run, received {name!r}")
    return name
