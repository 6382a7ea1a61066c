"""The test split: one function opens it, and every opening is written down first."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from nas_core.datasets.manifest import files_of, read_manifest
from nas_core.datasets.store import DatasetInfo, Split, _read_arrays
from nas_core.errors import DataError, RunError
from nas_core.files import fsync_folder, parse_json, sha256_bytes, sha256_file

OPENINGS = "test_openings.jsonl"

_log = logging.getLogger(__name__)


def open_test(info: DatasetInfo, *, run: Path, reason: str) -> Split:
    """Record the opening in `run`/test_openings.jsonl, durably, then read the test split.

    This is the only function that reads the test split for scoring; a search never calls it.

    Args:
        info: The data set.
        run: The run's folder, which keeps one line of JSON for each opening.
        reason: Why it is opened, such as "final evaluation of 5 retrained networks".

    Raises:
        RunError: The run folder is missing or cannot be written; the split stays closed.
        DataError: The files are damaged.
    """
    record_opening(run, reason, info.name, info.digest)
    return _read_arrays(info, "test")


def record_opening(run: Path, reason: str, name: str, digest: str) -> None:
    """Record in `run`/test_openings.jsonl, durably, that test results are about to be read.

    Args:
        run: The run's folder.
        reason: Why, in a few words.
        name: Of the data set or table.
        digest: Of the same.

    Raises:
        RunError: The run folder is missing or cannot be written.
    """
    record: dict[str, str] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": reason,
        "dataset": name,
        "digest": digest,
    }
    record["sum"] = _sum(record)
    _append(Path(run), json.dumps(record) + "\n")


def _sum(record: dict[str, str]) -> str:
    """Return the checksum of a line, which it carries itself."""
    rest = {name: value for name, value in record.items() if name != "sum"}
    return sha256_bytes(json.dumps(rest, sort_keys=True).encode())[:16]


def _append(run: Path, line: str) -> None:
    """Append one line and flush it to disk before returning; a line torn by a crash stays apart."""
    path = run / OPENINGS
    try:
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, (("\n" if torn else "") + line).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        fsync_folder(run)
    except OSError as error:
        raise RunError(
            f"expected a run folder that records the opening of the test split, received {error}: "
            "the test split stays closed until the run folder can be written"
        ) from error


def read_openings(run: Path) -> list[dict[str, str]]:
    """Return the recorded openings of the test split, oldest first; empty when never opened.

    A line that a crash tore is left out, with a warning: the split is read only after its line was
    whole. A whole line that has changed since is kept: something was opened.
    """
    path = Path(run) / OPENINGS
    if not path.exists():
        return []
    for problem in damaged_lines(run):
        _log.warning("nas: %s: %s", path, problem)
    records = (_record(line) for line in path.read_bytes().split(b"\n"))
    return [record for record in records if record is not None]


def damaged_lines(run: Path) -> list[str]:
    """Return which lines of the record are torn or have changed, by their bytes in the file."""
    path, found, start = Path(run) / OPENINGS, [], 0
    if not path.exists():
        return []
    for line in path.read_bytes().split(b"\n"):
        record, end = _record(line), start + len(line)
        if line and record is None:
            found.append(f"a torn line is left out, bytes {start} to {end}")
        elif record is not None and record.get("sum", _sum(record)) != _sum(record):
            found.append(f"a line has changed, bytes {start} to {end}")
        start = end + 1
    return found


def _record(line: bytes) -> dict[str, str] | None:
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def verify_dataset(info: DatasetInfo) -> list[str]:
    """Return the names of the files whose SHA-256 differs from the manifest's.

    Hashing the bytes of the test files looks at no image and scores nothing, so it is no opening
    of the test split.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    expected = read_manifest(info.path)["files"]
    try:
        return [
            name for name in files_of(info.words) if sha256_file(info.path / name) != expected[name]
        ]
    except OSError as error:
        raise DataError(
            f"expected readable files in {info.path}, received {error}: import the data set again"
        ) from error


def image_digests(info: DatasetInfo, name: str) -> list[str]:
    """Return the SHA-256 of every image of a split, test included, to find exact copies.

    As `verify_dataset`, this hashes bytes: no label is read and nothing is scored.

    Raises:
        DataError: The files are damaged.
    """
    return [sha256_bytes(image.tobytes()) for image in _read_arrays(info, name).images]
