"""Testing saved models: the one place where the test split is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_core.datasets import DatasetInfo
from nas_core.datasets.test_split import open_test

BATCH = 256


@dataclass(frozen=True)
class Confusion:
    """Counts of test images by true class (rows) and predicted class (columns)."""

    classes: list[str]
    matrix: list[list[int]]


@dataclass(frozen=True)
class TestScore:
    """One model on the test split: accuracy in [0, 1] and the confusion matrix."""

    __test__ = False  # not a test class, whatever its name looks like to pytest

    accuracy: float
    confusion: Confusion

    def per_class(self) -> dict[str, float | None]:
        """Return each class's share of rightly classified images; None for a class not there."""
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


def evaluate_on_test(
    info: DatasetInfo, models: Sequence[Path], *, run: Path
) -> dict[Path, TestScore]:
    """Open the test split once, recorded in the run's folder, and score every model on it.

    Args:
        info: The data set.
        models: `.keras` files that take pixels in [0, 255] of the data set's image shape.
        run: Folder whose ``test_openings.jsonl`` records the opening.
    """
    import keras

    test = open_test(info, run=run, reason=f"retrained models: {len(models)}")
    labels = np.asarray(test.labels)
    scores = {}
    for path in models:
        model = keras.models.load_model(path, compile=False)
        predicted = model.predict(test.images, batch_size=BATCH, verbose=0).argmax(axis=1)
        matrix = confusion_matrix(labels, predicted, len(info.classes))
        confusion = Confusion(list(info.classes), matrix.tolist())
        scores[path] = TestScore(float((predicted == labels).mean()), confusion)
    return scores
