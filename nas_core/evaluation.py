"""Testing saved models: the one place where the test split is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets import DatasetInfo
from nas_core.datasets.test_split import open_test
from nas_core.errors import UsageError
from nas_core.executors.machine import cores
from nas_core.saved_models import check_saved_model

BATCH = 256


@dataclass(frozen=True)
class Confusion:
    """Counts of test examples by true class (rows) and predicted class (columns)."""

    classes: list[str]
    matrix: list[list[int]]


@dataclass(frozen=True)
class TestScore:
    """One model on the test split: accuracy in [0, 1] and the confusion matrix."""

    __test__ = False  # not a test class, whatever its name looks like to pytest

    accuracy: float
    confusion: Confusion

    def per_class(self) -> dict[str, float | None]:
        """Return each class's share of rightly classified examples; None for a class not there."""
        rows = zip(self.confusion.classes, self.confusion.matrix, strict=True)
        return {
            name: row[place] / sum(row) if sum(row) > 0 else None
            for place, (name, row) in enumerate(rows)
        }


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts [classes, classes]: row the true class, column the predicted one."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def check_model(path: Path) -> None:
    """Refuse what cannot be a saved model, without loading anything.

    Raises:
        UsageError: The file is missing or has another suffix.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise UsageError(
            f"expected a .keras file, received {path}: nas retrain RUN saves models in RUN/models"
        )


def load_model(path: Path) -> Any:
    """Return a saved Keras model, without what only training needs.

    Raises:
        UsageError: The file is missing, no model that Keras can read, or names anything but
            known layers (see `nas_core.saved_models`).
    """
    check_model(path)
    check_saved_model(path)
    from nas_core.trainer import runtime  # before Keras: it settles how TensorFlow starts

    try:
        with runtime.quiet_start():
            runtime.prepare(threads=cores())
            import keras

            return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, AttributeError, IndexError) as error:
        line = " ".join(str(error).split())[:200]
        raise UsageError(f"expected a model saved by Keras, cannot read {path} ({line})") from error


def probabilities(model: Any, images: np.ndarray) -> np.ndarray:
    """Return class probabilities [N, classes] of pixels [N, H, W, C] in [0, 255].

    Called directly, as `predict` would compile a graph that is used for a few batches only.
    """
    batches = [
        np.asarray(model(np.asarray(images[start : start + BATCH], np.float32), training=False))
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate(batches)


def evaluate_on_test(
    info: DatasetInfo, models: Sequence[Path], *, run: Path
) -> dict[Path, TestScore]:
    """Open the test split once, recorded in the run's folder, and score every model on it.

    Args:
        info: The data set.
        models: `.keras` files that take pixels in [0, 255] of the data set's image shape.
        run: Folder whose ``test_openings.jsonl`` records the opening.
    """
    test = open_test(info, run=run, reason=f"retrained models: {len(models)}")
    labels = np.asarray(test.labels)
    scores = {}
    for path in models:
        predicted = probabilities(load_model(path), test.images).argmax(axis=1)
        matrix = confusion_matrix(labels, predicted, len(info.classes))
        confusion = Confusion(list(info.classes), matrix.tolist())
        scores[path] = TestScore(float((predicted == labels).mean()), confusion)
    return scores
