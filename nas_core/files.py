"""Durable files: written beside their place, flushed to disk, then renamed; named by SHA-256."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from nas_core.failpoints import reach

BLOCK = 1 << 20
LARGEST_JSON = 1 << 28  # bytes


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Return whether something is at a path; what no path can be is nowhere."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, a NUL, a loop of links
        return False


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _host() -> str:
    """Return this machine's name, as temporary files carry it."""
    return re.sub(r"[^A-Za-z0-9]", "_", os.uname().nodename)[:32]


def _beside(path: Path) -> Path:
    """Return a temporary name that says whose it is; the suffix stays, for Keras."""
    name = f".{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp.{path.name}"
    # What is too long together keeps its end, which is the suffix.
    return path.with_name(name[:64] + name[64:][-128:])


def sweep(folder: Path) -> list[Path]:
    """Delete what writers left in a folder that have died on this machine; return what it was."""
    swept = []
    for path in folder.glob(".*.tmp.*"):
        found = re.match(r"\.(\w+)-(\d+)-[0-9a-f]{8}\.tmp\.", path.name)
        if found and found[1] == _host() and not _lives(int(found[2])):
            with suppress(OSError):  # a folder, or nothing may be deleted here
                path.unlink()
                swept.append(path)
    return swept


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def atomic_open(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears at `path` whole, or not at all.

    Raises:
        OSError: The disk is full or the folder cannot be written; `path` is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        with temporary.open("xb") as file:
            reach("file.open")
            yield file
            file.flush()
            reach("file.written")
            os.fsync(file.fileno())
        reach("file.synced")
        temporary.replace(path)
        reach("file.renamed")
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_open(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def as_read_back(value: dict[str, Any]) -> dict[str, Any]:
    """Return values as JSON reads them back, tuples as lists, for comparing."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def read_json(path: Path, limit: int = LARGEST_JSON) -> Any:
    """Return a JSON file's values; see `parse_json`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no plain JSON in UTF-8, or longer than `limit` bytes.
    """
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"more than {limit} bytes")
    return parse_json(data)


def parse_json(data: bytes) -> Any:
    """Return the values of JSON that may be hostile.

    Raises:
        ValueError: It is no JSON in UTF-8, nested too deeply, names a key twice, or holds NaN or
            infinity.
    """
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key that is there twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no JSON")


def write_with(path: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write a file under a temporary name with the same suffix, then move it to `path`.

    For libraries that insist on a path of their own (Keras checks the suffix `.keras`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        reach("file.open")
        save(temporary)
        reach("file.written")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        reach("file.synced")
        temporary.replace(path)
        reach("file.renamed")
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
