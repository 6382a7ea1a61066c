"""Means with intervals over seeds, and how two agents compare seed by seed."""

from collections.abc import Sequence

import numpy as np

from nas_core.seeding import generator

RESAMPLES = 2000
LEVEL = 0.95


def resamples(seeds: int) -> np.ndarray:
    """Return weights [RESAMPLES, seeds] of bootstrap samples: each row sums to 1.

    The same for every agent and column, so that paired differences stay paired.
    """
    rng = generator(0, "bootstrap", seeds)
    return rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=RESAMPLES) / seeds


def interval(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile bootstrap interval of the mean over seeds.

    Args:
        values: [seeds, ...].
        weights: From `resamples`.

    Returns:
        Lower and upper ends, [...].
    """
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(np.tensordot(weights, values, 1), [tail, 100.0 - tail], axis=0)
    return low, high


def interquartile_mean(values: Sequence[float] | np.ndarray) -> float:
    """Return the mean without the lowest and the highest quarter, rounded down, of the values."""
    ordered = np.sort(np.asarray(values, float))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def probability_above(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the share of paired seeds where ours is higher; a tie counts half."""
    return float(((ours > theirs) + 0.5 * (ours == theirs)).mean())
