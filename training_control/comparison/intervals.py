"""Interquartile means over tasks and seeds with stratified bootstrap intervals. NumPy only.

Agarwal et al. 2021 (rliable): seeds are drawn anew within each task, tasks are all kept. Two
methods are compared on the same draws, because their trainings share seeds.
"""

from dataclasses import dataclass

import numpy as np

from nas_core.compare.statistics import LEVEL, RESAMPLES, interquartile_mean, probability_above
from nas_core.errors import UsageError
from nas_core.seeding import generator

Strata = list[np.ndarray]  # for each task, float64 [seeds]; tasks may differ in their number


@dataclass(frozen=True)
class Difference:
    """How one method compares with another.

    Attributes:
        value: Interquartile mean of the first minus that of the second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        of_tasks: Mean over tasks of the difference of their interquartile means: here a task
            counts as much as another, and none is cut off for scoring far above or below the rest.
        of_tasks_low: Lower end of its 95 % interval.
        of_tasks_high: Upper end.
        probability: Of improvement: share of paired trainings that the first wins, ties half,
            averaged over tasks.
        pairs: Number of paired trainings.
        seeds: Of the task that has the fewest.
    """

    value: float
    low: float
    high: float
    of_tasks: float
    of_tasks_low: float
    of_tasks_high: float
    probability: float
    pairs: int
    seeds: int


def interquartile_means(samples: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half of each row, float64 [rows], of float64 [rows, values]."""
    ordered = np.sort(samples, axis=1)
    cut = samples.shape[1] // 4
    return ordered[:, cut : samples.shape[1] - cut].mean(axis=1)


def draws(strata: Strata) -> list[np.ndarray]:
    """Return seeds drawn with replacement within each task, int64 [RESAMPLES, seeds] for each."""
    sizes = enumerate(len(scores) for scores in strata)
    return [
        generator(0, "stratified bootstrap", task, size).integers(size, size=(RESAMPLES, size))
        for task, size in sizes
    ]


def resampled(strata: Strata, drawn: list[np.ndarray]) -> np.ndarray:
    """Return the interquartile mean of each draw, float64 [RESAMPLES]."""
    parts = [scores[places] for scores, places in zip(strata, drawn, strict=True)]
    return interquartile_means(np.concatenate(parts, axis=1))


def resampled_tasks(strata: Strata, drawn: list[np.ndarray]) -> np.ndarray:
    """Return the mean over tasks of their interquartile means in each draw, float64 [RESAMPLES]."""
    pairs = zip(strata, drawn, strict=True)
    found: np.ndarray = np.mean([interquartile_means(s[places]) for s, places in pairs], axis=0)
    return found


def mean_of_tasks(strata: Strata) -> float:
    """Return the mean over tasks of their interquartile means."""
    return float(np.mean([interquartile_mean(scores) for scores in strata]))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the percentile interval of float64 [RESAMPLES]."""
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)


def mean_with_interval(strata: Strata) -> tuple[float, float, float]:
    """Return the interquartile mean over all tasks and seeds, and its interval.

    Raises:
        UsageError: No scores, or a task without.
    """
    _check(strata)
    low, high = interval(resampled(strata, draws(strata)))
    return interquartile_mean(np.concatenate(strata)), low, high


def difference(ours: Strata, theirs: Strata) -> Difference:
    """Compare two methods on the same tasks and seeds.

    Args:
        ours: For each task, scores by seed, higher is better.
        theirs: The same for the other method; seeds in the same order.

    Raises:
        UsageError: They do not pair up, or there are none.
    """
    _check(ours)
    if [len(scores) for scores in ours] != [len(scores) for scores in theirs]:
        raise UsageError(
            f"expected the same tasks and seeds of both methods, received {len(ours)} and "
            f"{len(theirs)} tasks: compare what both have done"
        )
    drawn = draws(ours)
    low, high = interval(resampled(ours, drawn) - resampled(theirs, drawn))
    value = interquartile_mean(np.concatenate(ours)) - interquartile_mean(np.concatenate(theirs))
    apart = interval(resampled_tasks(ours, drawn) - resampled_tasks(theirs, drawn))
    of_tasks = mean_of_tasks(ours) - mean_of_tasks(theirs)
    wins = [probability_above(a, b) for a, b in zip(ours, theirs, strict=True)]
    sizes = [len(scores) for scores in ours]
    won = float(np.mean(wins))
    return Difference(value, low, high, of_tasks, *apart, won, sum(sizes), min(sizes))


def _check(strata: Strata) -> None:
    if not strata or any(len(scores) == 0 for scores in strata):
        raise UsageError("expected at least one score of each task, received none: train first")
