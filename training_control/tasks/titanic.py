"""Titanic passengers: who survived, or what they paid. Missing values are filled and flagged.

Medians, categories and scales come from the chosen training passengers alone. A number that is
missing becomes the training median and sets a flag of its own; a missing category is a category.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import DataError
from training_control.data import Examples, TrainingData, assembled
from training_control.tasks.remote import fetch_rows, is_remote
from training_control.tasks.sizes import UNKNOWN, Sizes, choose

NUMBERS = ("Age", "SibSp", "Parch", "Fare")
LOGARITHMIC = ("Fare",)
CATEGORIES = ("Pclass", "Sex", "Embarked", "Deck")
SURVIVED, FARE = "Survived", "Fare"
COLUMNS = (*NUMBERS, "Pclass", "Sex", "Embarked", "Cabin", SURVIVED)

Row = dict[str, str]


class PassengerEncoder:
    """Turns passengers into float32 rows; learns how from training passengers."""

    def __init__(self, rows: Sequence[Row], numbers: Sequence[str] = NUMBERS) -> None:
        """Learn medians, scales and categories.

        Args:
            rows: Training passengers, at least one.
            numbers: Numeric columns to use.
        """
        self._numbers = tuple(numbers)
        known = {
            name: [v for row in rows if (v := _number(row, name)) is not None] for name in numbers
        }
        self._median = {n: float(np.median(v)) if v else 0.0 for n, v in known.items()}
        self._mean = {n: float(np.mean(v)) if v else 0.0 for n, v in known.items()}
        self._scale = {n: _scale(v) for n, v in known.items()}
        self._values = {n: sorted({_category(row, n) for row in rows}) for n in CATEGORIES}

    @property
    def columns(self) -> list[str]:
        """Names of the encoded columns."""
        names = [part for n in self._numbers for part in (n, f"{n} missing")]
        return names + [f"{n}={v}" for n, values in self._values.items() for v in values]

    def encode(self, rows: Sequence[Row]) -> np.ndarray:
        """Return float32 [N, len(columns)]; a category that training has not seen is all zeros."""
        return np.array([self._encoded(row) for row in rows], np.float32)

    def _encoded(self, row: Row) -> list[float]:
        values: list[float] = []
        for name in self._numbers:
            number = _number(row, name)
            filled = self._median[name] if number is None else number
            values += [(filled - self._mean[name]) / self._scale[name], float(number is None)]
        for name, seen in self._values.items():
            values += [float(_category(row, name) == value) for value in seen]
        return values


def load_titanic(data: str, sizes: Sizes, seed: int, target: str = SURVIVED) -> TrainingData:
    """Return passengers and what became of them.

    Args:
        data: The CSV of Kaggle's train.csv, or hf:NAME or tfds:NAME with the same columns,
            whatever their case; ages and fares below 0 count as missing there.
        sizes: Passengers at most.
        seed: Which ones.
        target: "Survived", or "Fare" for a regression of the logarithm of the fare, standardised
            by the training passengers.

    Raises:
        UsageError: The library is not installed.
        DataError: The data cannot be read or lack a column.
    """
    rows = [row for row in _rows(data) if row[target].strip()]
    chosen = choose(np.full(len(rows), UNKNOWN), sizes, seed)
    parts = [[rows[place] for place in places] for places in chosen]
    numbers = tuple(name for name in NUMBERS if name != target)
    encoder = PassengerEncoder(parts[0], numbers)
    targets = [np.array([_target(row, target) for row in part]) for part in parts]
    if target == SURVIVED:
        labels = [part.astype(np.int32) for part in targets]
    else:
        mean, scale = targets[0].mean(), targets[0].std()
        labels = [((part - mean) / scale).astype(np.float32) for part in targets]
    pairs = [Examples(encoder.encode(p), y) for p, y in zip(parts, labels, strict=True)]
    return assembled(pairs, classes=2 if target == SURVIVED else None)


def _target(row: Row, name: str) -> float:
    value = _number(row, name)
    if value is None:
        raise DataError(f"expected a number for {name}, received {row[name]!r}: correct the table")
    return value


def _rows(data: str) -> list[Row]:
    if is_remote(data):
        rows = [row for split in fetch_rows(data).values() for row in split]
        return _checked([_as_in_the_file(row) for row in rows], data)
    path = Path(data)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"expected a table of passengers, received {error}: check {data}"
        ) from error
    return _checked(rows, data)


def _as_in_the_file(row: Mapping[str, Any]) -> Row:
    """Return a library's row with the file's names of columns and with texts."""
    names = {name.lower(): name for name in COLUMNS}
    found = {names.get(name.lower(), name): _text(value) for name, value in row.items()}
    for name in ("Age", "Fare"):
        if found.get(name, "").startswith("-"):
            found[name] = ""
    return found


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _checked(rows: list[Row], data: str) -> list[Row]:
    missing = [name for name in COLUMNS if not rows or rows[0].get(name) is None]
    if missing:
        raise DataError(
            f"expected the columns {', '.join(COLUMNS)} in {data}, received none named "
            f"{missing[0]}: take the table with the passengers' own column names"
        )
    torn = next((n for n, row in enumerate(rows) if None in row.values() or None in row), None)
    if torn is not None:
        raise DataError(f"expected a value in every column of {data}, received row {torn + 1}")
    return rows


def _scale(values: Sequence[float]) -> float:
    deviation = float(np.std(values)) if values else 0.0
    return deviation if deviation > 0.0 else 1.0


def _number(row: Row, name: str) -> float | None:
    try:
        value = float(row[name])
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return math.log1p(max(value, 0.0)) if name in LOGARITHMIC else value


def _category(row: Row, name: str) -> str:
    return row["Cabin"].strip()[:1] if name == "Deck" else row[name].strip()
