"""Stopping hopeless children: what the first epochs say about the last.

For each epoch e the score of finished trainings is regressed on their validation accuracy after
it, score = a_e + b_e accuracy_e + error, by least squares. A child is hopeless after epoch e when
even `CERTAINTY` standard deviations above its prediction it stays below the score that `TARGET`
of the finished trainings do not reach. Since b_e is above 0, that is a least accuracy for each
epoch, which a child can be told before it starts.
"""

from collections.abc import Sequence

import numpy as np

LEAST = 12  # finished trainings before anything is predicted
TARGET = 0.75
CERTAINTY = 2.0
Stops = tuple[float, ...]


def least_accuracies(curves: Sequence[Sequence[float]], scores: Sequence[float]) -> Stops:
    """Return the validation accuracy that a child must have after each epoch but the last.

    Args:
        curves: Validation accuracies of n trainings after each of E epochs; those that did not
            run for the most epochs (stopped, diverged) tell nothing and are left out.
        scores: What each of them was worth in the end [n].

    Returns:
        E - 1 numbers, -inf where every child may go on; none while there are too few trainings.
    """
    epochs = max((len(curve) for curve in curves), default=0)
    whole = [place for place, curve in enumerate(curves) if len(curve) == epochs]
    if len(whole) < LEAST:
        return ()
    finals = np.array([scores[place] for place in whole])
    seen = np.array([curves[place] for place in whole])  # [n, E]
    target = float(np.quantile(finals, TARGET))
    return tuple(_least(seen[:, epoch], finals, target) for epoch in range(epochs - 1))


def _least(accuracy: np.ndarray, finals: np.ndarray, target: float) -> float:
    """Return the accuracy whose prediction, with all that chance may add, is the target."""
    centred = accuracy - accuracy.mean()
    spread = float(centred @ centred)
    slope = 0.0 if spread == 0.0 else float(centred @ (finals - finals.mean())) / spread
    if slope <= 0.0:
        return -np.inf
    errors = finals - finals.mean() - slope * centred
    deviation = float(np.sqrt(errors @ errors / (len(finals) - 2)))
    wanted = target - CERTAINTY * deviation - float(finals.mean())
    return float(accuracy.mean()) + wanted / slope


def is_hopeless(epochs: int, accuracy: float, stops: Stops) -> bool:
    """Return whether to stop a child.

    Args:
        epochs: Finished so far, from 1.
        accuracy: On validation images, after the last of them.
        stops: From `least_accuracies`.
    """
    return epochs <= len(stops) and accuracy < stops[epochs - 1]
