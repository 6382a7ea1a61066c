"""Scores of predictions. NumPy only."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """How a network does on one split.

    Attributes:
        loss: Mean cross-entropy in nats, or mean squared error; infinite where the network's
            outputs are not finite.
        metrics: "accuracy" and "f1" in [0, 1] of a classifier, "mse" and "r2" of a regression.
    """

    loss: float
    metrics: dict[str, float]

    @property
    def score(self) -> float | None:
        """Accuracy, or R squared but at least 0; None where it is not finite."""
        value = self.metrics.get("accuracy", self.metrics.get("r2", math.nan))
        return max(value, 0.0) if math.isfinite(value) else None


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of predictions int [N] that equal labels int [N]."""
    return float(np.mean(labels == predicted))


def f1(labels: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Return 2 TP / (2 TP + FP + FN): of class 1 when there are two classes, else the mean of all.

    Args:
        labels: int [N].
        predicted: int [N].
        classes: At least 2. A class that is neither there nor predicted is left out of the mean.
    """
    chosen = [1] if classes == 2 else range(classes)
    scores = []
    for label in chosen:
        there, said = labels == label, predicted == label
        total = int(there.sum() + said.sum())
        if total > 0:
            scores.append(2.0 * int((there & said).sum()) / total)
    return float(np.mean(scores)) if scores else 0.0


def classification(loss: float, logits: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Return the evaluation of logits [N, classes]."""
    predicted = logits.argmax(-1)
    figures = {
        "accuracy": accuracy(labels, predicted),
        "f1": f1(labels, predicted, logits.shape[-1]),
    }
    return Evaluation(loss if np.isfinite(logits).all() else math.inf, figures)


def regression(outputs: np.ndarray, targets: np.ndarray) -> Evaluation:
    """Return the evaluation of outputs [N, 1]."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.mean((outputs[:, 0].astype(np.float64) - targets) ** 2))
    error = error if math.isfinite(error) else math.inf
    spread = float(np.var(targets.astype(np.float64)))
    return Evaluation(error, {"mse": error, "r2": 1.0 - error / spread if spread > 0 else 0.0})
