"""What is read off finished trainings: convergence, stability, sensitivity. Pure functions."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nas_core.compare.statistics import interquartile_mean

SETTLED = 0.95  # share of the whole improvement at which a plateau begins


def score(metric: str, metrics: Mapping[str, float]) -> float:
    """Return a score in [0, 1], higher is better.

    Args:
        metric: What the task reports: "accuracy", "f1" or "mse".
        metrics: Of one evaluation; a regression's score is R squared, at least 0.
    """
    value = metrics["r2"] if metric == "mse" else metrics[metric]
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def intervals_to_target(losses: Sequence[float | None], target: float) -> int | None:
    """Return the first place where a loss is at or below `target`; None if it is never.

    Args:
        losses: Validation losses, the first before training; None where not finite.
        target: A loss.
    """
    found = (place for place, loss in enumerate(losses) if loss is not None and loss <= target)
    return next(found, None)


def intervals_to_plateau(losses: Sequence[float | None]) -> int | None:
    """Return where 95 % of the whole improvement of the loss is reached; None without any.

    Args:
        losses: As for `intervals_to_target`.
    """
    known = [loss for loss in losses if loss is not None]
    if not known or losses[0] is None or min(known) >= losses[0]:
        return None
    reached = losses[0] - SETTLED * (losses[0] - min(known))
    return intervals_to_target(losses, reached)


def censored_median(values: Sequence[float | None]) -> float | None:
    """Return the median, None counting as later than everything; None if it falls on one."""
    ordered = sorted(math.inf if value is None else value for value in values)
    if not ordered:
        return None
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle if math.isfinite(middle) else None


def instability(trajectories: Sequence[Sequence[float]]) -> float:
    """Return how much trainings with other seeds differ in what was set, in factors of ten.

    Args:
        trajectories: Learning rates of each training; compared as far as the shortest goes.

    Returns:
        Standard deviation over trainings of log10, averaged over decisions; 0 for one training.
    """
    length = min((len(rates) for rates in trajectories), default=0)
    if length == 0:
        return 0.0
    logs = np.log10(np.array([list(rates)[:length] for rates in trajectories]))
    return float(logs.std(axis=0).mean())


def sensitivity(by_rate: Mapping[float, Sequence[float]]) -> float | None:
    """Return the interquartile mean over all given rates, over the best rate's mean.

    Args:
        by_rate: Scores of the trainings that began at each rate.

    Returns:
        1 where the initial rate does not matter; None if every score is 0.
    """
    best = max(float(np.mean(scores)) for scores in by_rate.values())
    if best <= 0.0:
        return None
    return interquartile_mean([value for scores in by_rate.values() for value in scores]) / best
