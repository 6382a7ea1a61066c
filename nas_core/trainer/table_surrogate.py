"""A made-up accuracy for rows of tables, so that the mock can score them: no measurement is in it.

Every choice has a worth of its own, and every pair of neighbouring choices one together.
"""

import itertools
from functools import lru_cache
from math import exp, sqrt

from nas_core.seeding import generator
from nas_core.spec import TableSpec

CEILING = 0.8
TOGETHER = 0.5  # spread of a pair's worth; that of a single choice is 1


@lru_cache(maxsize=4096)
def _worth(name: str) -> float:
    return float(generator(0, f"mock table {name}").standard_normal())


def expected_accuracy(spec: TableSpec, classes: int) -> float:
    """Return the accuracy before noise: from chance, 1 / classes, to `CEILING`.

    Args:
        spec: The row.
        classes: Number of classes, at least 2.
    """
    names = [f"{spec.table} {place} {choice}" for place, choice in enumerate(spec.choices)]
    alone = sum(_worth(name) for name in names)
    pairs = itertools.pairwise(names)
    together = sum(_worth(f"{one} {other}") for one, other in pairs)
    scale = sqrt(len(names) * (1.0 + TOGETHER**2))
    quality = 1.0 / (1.0 + exp(-1.5 * (alone + TOGETHER * together) / scale))
    chance = 1.0 / classes
    return chance + (max(CEILING, chance) - chance) * quality
