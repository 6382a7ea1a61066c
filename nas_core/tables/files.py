"""Table files as named arrays: npz and JSON, checked on the way in. No pickle is ever read."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets.archive import gunzip
from nas_core.datasets.arrays import check_npz
from nas_core.errors import DataError
from nas_core.files import LARGEST_JSON, atomic_open, parse_json

PICKLED = (".pth", ".pt", ".pkl", ".pickle", ".pbz2")
DOCS = "see docs/tables.md"
Arrays = Mapping[str, Any]  # what a file holds by name; npz members are decoded when asked for


def read_bytes(path: Path) -> bytes:
    """Return a table file's bytes.

    Raises:
        DataError: It is missing, cannot be read, or is a pickle.
    """
    if path.suffix in PICKLED:
        raise DataError(
            f"expected a table as npz or JSON, received the pickle {path}, which could run any "
            f"code when it is read: export its numbers as JSON, {DOCS}"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"expected a table file, received {path} ({error.strerror}): give an npz or JSON "
            f"file, {DOCS}"
        ) from error


def open_arrays(path: Path, data: bytes) -> Arrays:
    """Return what a file holds by name; the columns of a JSON file stand among the rest.

    Raises:
        DataError: It is neither npz nor a JSON object.
    """
    try:
        if path.suffix == ".npz":
            check_npz(path)
            arrays: Arrays = np.load(io.BytesIO(data), allow_pickle=False)
            return arrays
        found = parse_json(gunzip(path, LARGEST_JSON) if path.suffix == ".gz" else data)
    except DataError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, error) from error
    if not isinstance(found, dict):
        raise DataError(f"expected a JSON object in {path}, received a {type(found).__name__}")
    columns = found.get("columns")
    return {**found, **columns} if isinstance(columns, dict) else found


def _unreadable(path: Path, error: Exception) -> DataError:
    line = " ".join(str(error).split())[:120]
    return DataError(f"expected a table as npz or JSON, cannot read {path} ({line}): {DOCS}")


def array(path: Path, arrays: Arrays, name: str) -> np.ndarray:
    """Return one of a file's arrays.

    Raises:
        DataError: It is not there, is damaged, or its rows differ in length.
    """
    if name not in arrays:
        raise DataError(
            f"expected {name!r} in {path}, found {', '.join(sorted(arrays))[:300]}: {DOCS}"
        )
    try:
        return np.asarray(arrays[name])
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, error) from error


def strings(values: Any) -> list[str]:
    """Return text, stored as bytes or characters, as strings; padding is left out."""
    found = np.atleast_1d(np.asarray(values))
    texts = np.char.decode(found) if found.dtype.kind == "S" else found
    return [str(text) for text in texts if str(text) != ""]


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as a compressed npz, atomically.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        with atomic_open(path) as file:
            np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}): choose another place") from error
