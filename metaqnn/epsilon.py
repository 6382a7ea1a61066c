"""The exploration schedule: how random the next network's decisions are."""

from collections.abc import Sequence

import numpy as np

Schedule = Sequence[tuple[float, int]]


def epsilon_at(schedule: Schedule, count: int) -> float:
    """Return epsilon after `count` models (paper, Table 2); the last phase goes on for ever.

    Args:
        schedule: (epsilon, models) phases, in order.
        count: Models so far, 0 or more.
    """
    for epsilon, models in schedule:
        if count < models:
            return epsilon
        count -= models
    return schedule[-1][0]


def scaled_schedule(
    shares: Sequence[tuple[float, float]], trials: int
) -> tuple[tuple[float, int], ...]:
    """Return phases of whole models with the given shares of `trials`, at least one model each.

    Rounding is cumulative, so that the phases end where the shares say.
    """
    ends = np.rint(np.cumsum([share for _, share in shares]) * trials).astype(int)
    starts = np.concatenate(([0], ends[:-1]))
    return tuple(
        (epsilon, max(1, int(end - start)))
        for (epsilon, _), start, end in zip(shares, starts, ends, strict=True)
    )


def epsilon_greedy(
    values: np.ndarray, legal: np.ndarray, epsilon: float, rng: np.random.Generator
) -> int:
    """Choose an action: random with probability `epsilon`, else the best, ties at random.

    Args:
        values: Q-values [A]; those of illegal actions are ignored.
        legal: Bools [A], at least one True.
        epsilon: Probability of a uniform choice among the legal actions, in [0, 1].
        rng: Source of the two draws.
    """
    choices = np.flatnonzero(legal)
    if rng.random() >= epsilon:
        best = values[choices].max()
        choices = choices[values[choices] == best]
    return int(choices[rng.integers(len(choices))])
