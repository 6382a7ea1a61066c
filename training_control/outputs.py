"""What a controller writes while a model trains; a file that cannot be written stops nothing."""

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import UsageError
from nas_core.files import write_with
from training_control.backup import Backup
from training_control.interventions import Entry, TensorBoardLog, write_csv

MODEL = ".keras"
BOARD = "its TensorBoard log"


class Outputs:
    """A log as CSV and for TensorBoard, the best model, the state for going on.

    Attributes:
        lowest: Loss of the best model that is kept; None if none is.
    """

    def __init__(
        self, csv: Path | None, log_dir: Path | None, backup: Path | None, best: Path | None
    ) -> None:
        """Name the places; None for what is not wanted.

        Raises:
            UsageError: The best model's name does not end in `.keras`.
        """
        if best is not None and best.suffix != MODEL:
            raise UsageError(
                f"expected a file for the best model that ends in {MODEL}, received {best}"
            )
        self._csv, self._best = csv, best
        self._backup = None if backup is None else Backup(backup)
        self._board: TensorBoardLog | None = None
        self._warned: set[str] = set()
        self.lowest: float | None = None
        if log_dir is not None:
            self._written(BOARD, lambda: self._open(log_dir))

    def _open(self, log_dir: Path) -> None:
        self._board = TensorBoardLog(log_dir)

    def record(self, log: list[Entry], values: dict[str, Any], known: tuple[str, ...]) -> None:
        """Write the decisions so far, and the last one's hyperparameters."""
        csv, board = self._csv, self._board
        if csv is not None:
            self._written("its CSV", lambda: write_csv(csv, log))
        if board is not None:
            self._written(BOARD, lambda: board.write(log[-1], values, known))

    def keep_best(self, model: Any, loss: float | None) -> None:
        """Save a model, atomically, if its loss is below that of the one that is kept."""
        best = self._best
        if best is None or loss is None or not math.isfinite(loss):
            return
        better = self.lowest is None or loss < self.lowest
        if better and self._written("the best model", lambda: write_with(best, model.save)):
            self.lowest = loss

    def take_lowest(self, loss: float | None) -> None:
        """Go on from the loss of a best model that was kept before an interruption."""
        self.lowest = loss if self._best is not None and self._best.exists() else None

    def keep(self, state: dict[str, Any], weights: Sequence[np.ndarray] | None) -> None:
        """Write what another process goes on from."""
        backup = self._backup
        if backup is not None:
            self._written("its backup", lambda: backup.write(state, weights))

    def kept(self) -> tuple[dict[str, Any], list[np.ndarray] | None] | None:
        """Return what `keep` was given before an interruption; None if there is nothing.

        Raises:
            RunError: It is damaged.
        """
        return None if self._backup is None else self._backup.read()

    def finish(self) -> None:
        """Remove the backup: the training is whole."""
        if self._backup is not None:
            self._written("its backup", self._backup.remove)

    def _written(self, what: str, write: Callable[[], object]) -> bool:
        """Write something; warn, once, if that fails, whatever the library raises.

        Returns:
            Whether it is written.
        """
        try:
            write()
        except Exception as error:
            if what not in self._warned:
                self._warned.add(what)
                warnings.warn(
                    f"the controller cannot write {what} ({type(error).__name__}: {error}); "
                    "training and controller go on",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return False
        return True
