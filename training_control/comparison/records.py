"""Finished trainings on disk: one line of JSON each, appended and flushed, read again on resume."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from nas_core.database import take_lock
from nas_core.datasets.test_split import record_opening
from nas_core.errors import DamageError, RunError
from nas_core.files import fsync_folder, parse_json, sha256_bytes

FILE = "trainings.jsonl"
Parameters = Mapping[str, float | str]


@dataclass(frozen=True)
class Request:
    """A training to be done; equal requests give the same training.

    Attributes:
        task: Its name.
        method: Its name.
        initial_lr: First learning rate, or the peak of a one-cycle schedule.
        seed: Of weights and order of examples.
        test: Whether the test split is opened at the end.
        parameters: What was tuned beside the rate.
        context: Digest of what else decides it: data, budget, brain.
    """

    task: str
    method: str
    initial_lr: float
    seed: int
    test: bool
    parameters: Parameters = field(default_factory=dict)
    context: str = ""

    @property
    def key(self) -> str:
        """A digest of all of it."""
        return sha256_bytes(json.dumps(asdict(self), sort_keys=True).encode())[:24]


@dataclass(frozen=True)
class Record:
    """A finished training.

    Attributes:
        key: Of its request.
        task: Its name.
        method: Its name.
        initial_lr: First learning rate.
        seed: Of the training.
        parameters: What was tuned beside the rate.
        metric: What the task reports.
        value: That metric: on the test split where it was opened, else on validation; 0 for a
            crash, None for the error of a crashed regression, which is infinite.
        score: The value in [0, 1], higher is better (of a regression R squared, at least 0).
        metrics: All metrics of the split that `value` is from, and "loss".
        validation_loss: At the end; None after a crash.
        losses: Validation losses, the first before training; None where not finite.
        train_losses: Of each interval; None where not finite.
        hyperparameters: Values by name, one for each interval.
        epochs: Budget.
        decisions: Intervals that it is divided into.
        examples: Training examples seen.
        seconds: Of the whole training.
        agent_seconds: The agent's part of them.
        interventions: Decisions that changed something.
        rollbacks: Intervals that were undone.
        crashed: Whether the training was lost.
    """

    key: str
    task: str
    method: str
    initial_lr: float
    seed: int
    parameters: Parameters
    metric: str
    value: float | None
    score: float
    metrics: dict[str, float | None]
    validation_loss: float | None
    losses: list[float | None]
    train_losses: list[float | None]
    hyperparameters: dict[str, list[float | str]]
    epochs: float
    decisions: int
    examples: int
    seconds: float
    agent_seconds: float
    interventions: int
    rollbacks: int
    crashed: bool


def plain(value: float) -> float | None:
    """Return a number that JSON can hold; None for one that is not finite."""
    return float(value) if math.isfinite(value) else None


class Records:
    """The trainings of one folder. One process writes at a time."""

    def __init__(self, folder: Path) -> None:
        """Open or make the folder, lock it and read what is there.

        Raises:
            LockedError: Another process compares in this folder.
            DamageError: A line is not as it was written.
            RunError: The folder cannot be used.
        """
        self._path = folder / FILE
        self._opened: set[str] = set()
        self._lock: BinaryIO | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(folder)
            self._known = {record.key: record for record in self._read()}
        except OSError as error:
            self.close()
            raise RunError(
                f"expected a folder to write to, received {folder} ({error.strerror}): name "
                "another with --out"
            ) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Records":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Record | None:
        """Return a finished training; None if it is still to be done."""
        return self._known.get(key)

    @property
    def known(self) -> dict[str, Record]:
        """A copy of what is finished, by key."""
        return dict(self._known)

    def open_test(self, task: str, digest: str) -> None:
        """Record, once for each task, that its test split is about to be opened.

        Args:
            task: Its name.
            digest: Of its examples.

        Raises:
            RunError: The folder cannot be written to.
        """
        if task not in self._opened:
            record_opening(self._path.parent, "comparison of tuned methods", task, digest)
            self._opened.add(task)

    def add(self, record: Record) -> None:
        """Append a training; it is on disk when this returns.

        Raises:
            RunError: It cannot be written.
        """
        line = json.dumps(asdict(record), allow_nan=False).encode() + b"\n"
        try:
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            fsync_folder(self._path.parent)
        except OSError as error:
            raise RunError(
                f"cannot write {self._path} ({error.strerror}): check the disk, then repeat the "
                "command; what is finished is kept"
            ) from error
        self._known[record.key] = record

    def _read(self) -> list[Record]:
        if not self._path.exists():
            return []
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # a line that a crash has torn: that training is done again
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        return [self._parsed(n, line) for n, line in enumerate(whole.splitlines(), 1)]

    def _parsed(self, number: int, line: bytes) -> Record:
        try:
            return Record(**parse_json(line))
        except (ValueError, TypeError):
            raise DamageError(
                f"expected a finished training in line {number} of {self._path}, received "
                "something else: delete the line, and the training is done again"
            ) from None
