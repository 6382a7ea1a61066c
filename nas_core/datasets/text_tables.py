"""A table of texts (.csv, .tsv, either with .gz) to rows, with every wrong table refused in a line.

Columns are found by name: ``text``, ``label`` and, if there is one, ``split``; others are left out.
"""

import csv
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas_core.datasets.archive import gunzip
from nas_core.errors import DataError

SUFFIXES = (".csv", ".tsv")
MOST_BYTES = 1 << 30
SPLIT_CODES = {
    "train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2,
}  # fmt: skip


@dataclass(frozen=True)
class TextRow:
    """One row.

    Attributes:
        text: As written.
        label: Name of the class.
        split: 0 train, 1 validation, 2 test; None where the table has no such column.
        line: Where it ends in the file, from 1.
    """

    text: str
    label: str
    split: int | None
    line: int


def is_text_table(path: Path) -> bool:
    """Return whether a file's name is that of a table of texts."""
    return bare_name(path).suffix.lower() in SUFFIXES


def bare_name(path: Path) -> Path:
    """Return a file's name without ``.gz``."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name)


def read_text_table(path: Path) -> list[TextRow]:
    """Read all rows.

    A .csv has commas and quotes (RFC 4180); a .tsv has tabs and no quotes.

    Raises:
        DataError: No UTF-8 text, a column is missing, a row has too few or too many values, an
            unknown split, no label, or no row at all.
    """
    content = io.StringIO(_text(path), newline="")
    if bare_name(path).suffix.lower() == ".tsv":
        reader = csv.reader(content, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(content)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        columns = _columns(names, path)
        rows = [_row(values, columns, len(names), line, path) for line, values in _lines(reader)]
    except csv.Error as error:
        raise DataError(
            f"expected a table of texts in {path}, received {error} in line {reader.line_num}: "
            "correct that line"
        ) from error
    if not rows:
        raise DataError(f"expected texts in {path}, received none below its header: add some")
    return rows


def _text(path: Path) -> str:
    try:
        if path.suffix.lower() == ".gz":
            data = gunzip(path, MOST_BYTES)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise DataError(
                f"expected at most {MOST_BYTES >> 30} GiB of texts in {path}, received more: "
                "import a part of them"
            )
        if b"\0" in data:
            raise ValueError("a NUL byte, as in binary files")
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"expected a table of texts in UTF-8, received {path} ({reason}): save it as CSV"
        ) from error


def _columns(names: list[str], path: Path) -> dict[str, int]:
    """Return the places of the columns text, label and split."""
    found: dict[str, int] = {
        name: names.index(name) for name in ("text", "label", "split") if name in names
    }
    missing = [name for name in ("text", "label") if name not in found]
    if missing:
        raise DataError(
            f"expected the columns text and label in the first line of {path}, received "
            f"{', '.join(names)[:120] or 'nothing'}: name the column {missing[0]!r}"
        )
    return found


def _lines(reader: "Iterator[list[str]]") -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, and its line."""
    for values in reader:
        if values:
            yield reader.line_num, values  # type: ignore[attr-defined]


def _row(
    values: list[str], columns: Mapping[str, int], width: int, line: int, path: Path
) -> TextRow:
    if len(values) != width:
        raise DataError(
            f"expected {width} values in line {line} of {path}, received {len(values)}: put "
            "quotes around texts with commas"
        )
    label = values[columns["label"]].strip()
    if not label:
        raise DataError(f"expected a label in line {line} of {path}, received none: add it")
    code = None
    if "split" in columns:
        split = values[columns["split"]].strip()
        code = SPLIT_CODES.get(split.lower())
        if code is None:
            raise DataError(
                f"expected a split among train, validation and test in line {line} of {path}, "
                f"received {split[:40]!r}: correct it"
            )
    return TextRow(values[columns["text"]], label, code, line)
