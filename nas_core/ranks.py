"""Rank statistics of small samples."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

STANDARD = NormalDist()


def average_ranks(values: Sequence[float]) -> np.ndarray:
    """Return the ranks [N] of `values` from 1; equal values share the mean of their ranks."""
    array = np.asarray(values, float)
    smaller = (array[:, None] > array[None, :]).sum(axis=1)
    equal = (array[:, None] == array[None, :]).sum(axis=1)
    return smaller + (equal + 1) / 2


def normal_scores(values: Sequence[float]) -> np.ndarray:
    """Return the standard normal's quantiles at (rank - 1/2) / N, [N]; ties share their rank.

    The order is all that is kept: mean 0, and no value can be an outlier.
    """
    ranks, places = np.unique(average_ranks(values), return_inverse=True)
    shares = (ranks - 0.5) / max(1, len(values))
    return np.array([STANDARD.inv_cdf(share) for share in shares.tolist()])[places]


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation in [-1, 1].

    None below three pairs, where it says nothing, and where one side is constant.
    """
    if len(one) < 3:
        return None
    first = average_ranks(one) - (len(one) + 1) / 2
    second = average_ranks(other) - (len(other) + 1) / 2
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return None if scale == 0.0 else float((first * second).sum() / scale)
