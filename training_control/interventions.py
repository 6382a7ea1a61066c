"""The log of a controlled training: rows in memory, a CSV that spreadsheets do not execute."""

import csv
import importlib.util
import io
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nas_core.errors import UsageError
from nas_core.files import write_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell


@dataclass(frozen=True)
class Entry:
    """One decision.

    Attributes:
        epoch: Epochs finished, from 1.
        step: Batches finished.
        event: "kept", "changed", "begun again" or "rolled back".
        changed: "name old -> new" of each change, separated by ";".
        learning_rate: Of the next interval.
        validation_loss: That was seen.
        train_loss: That was seen; None if it was not.
        seconds: That the controller took.
    """

    epoch: int
    step: int
    event: str
    changed: str
    learning_rate: float
    validation_loss: float
    train_loss: float | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; numbers that JSON has no name for as text."""
        return {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Entry":
        """Return what `to_json` was called on.

        Raises:
            KeyError: A value is missing.
            TypeError: A value is no text and no number.
            ValueError: A text is no number.
        """
        train = row["train_loss"]
        return cls(
            epoch=int(row["epoch"]),
            step=int(row["step"]),
            event=str(row["event"]),
            changed=str(row["changed"]),
            learning_rate=float(row["learning_rate"]),
            validation_loss=float(row["validation_loss"]),
            train_loss=None if train is None else float(train),
            seconds=float(row["seconds"]),
        )


def safe_text(value: Any) -> Any:
    """Return text that no spreadsheet takes for a formula; numbers as they are."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def write_csv(path: Path, entries: list[Entry]) -> None:
    """Write the entries, atomically."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([item.name for item in fields(Entry)])
    table.writerows([safe_text(value) for value in asdict(entry).values()] for entry in entries)
    write_text(path, text.getvalue())


def has_tensorboard() -> bool:
    """Return whether TensorBoard is installed, without which TensorFlow writes no scalars."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoardLog:
    """Scalars under `controller/` in a TensorBoard folder, written through TensorFlow."""

    def __init__(self, folder: Path) -> None:
        """Open the folder.

        Raises:
            UsageError: TensorBoard is not installed.
        """
        import tensorflow as tf

        if not has_tensorboard():
            raise UsageError(
                f"expected TensorBoard to write {folder}, received none: pip install tensorboard"
            )

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, entry: Entry, values: dict[str, Any], known: tuple[str, ...]) -> None:
        """Write one decision at its step."""
        with self._writer.as_default(step=entry.step):
            self._summary.scalar("controller/validation_loss", entry.validation_loss)
            chosen = entry.event in ("changed", "begun again")
            self._summary.scalar("controller/intervened", float(chosen))
            for event in ("begun again", "rolled back"):
                name = event.replace(" ", "_")
                self._summary.scalar(f"controller/{name}", float(entry.event == event))
            for name in known:
                if not isinstance(values[name], str):
                    self._summary.scalar(f"controller/{name}", float(values[name]))
        self._writer.flush()
