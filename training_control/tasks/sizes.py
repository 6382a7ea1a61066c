"""How much of a data set a task uses, and which examples fall into which split."""

from dataclasses import dataclass

import numpy as np

from nas_core.errors import DataError
from nas_core.seeding import generator

TRAIN, VALIDATION, TEST = range(3)
UNKNOWN = -1  # the source says no split


@dataclass(frozen=True)
class Sizes:
    """Examples at most in each split; None for all there are."""

    train: int | None = None
    validation: int | None = None
    test: int | None = None


QUICK = Sizes(1200, 400, 400)
WHOLE = Sizes()
SHARES = {TEST: 0.15, VALIDATION: 0.15}  # of what has to be divided


def choose(codes: np.ndarray, sizes: Sizes, seed: int) -> tuple[np.ndarray, ...]:
    """Return the places of the train, validation and test examples, disjoint and shuffled.

    Args:
        codes: [N]: 0 train, 1 validation, 2 test, -1 not known. What a source does not tell is
            carved out of its training split, or of everything.
        sizes: How many at most.
        seed: Which ones.

    Raises:
        DataError: A split stays empty.
    """
    order = generator(seed, "subset").permutation(len(codes))
    known = np.where(codes == UNKNOWN, TRAIN, codes)[order]
    pools = {code: order[known == code] for code in (TRAIN, VALIDATION, TEST)}
    divided = len(pools[TRAIN])
    for code, share in SHARES.items():
        if len(pools[code]) == 0:
            count = round(share * divided)
            pools[code], pools[TRAIN] = pools[TRAIN][:count], pools[TRAIN][count:]
    if min(len(pool) for pool in pools.values()) == 0:
        raise DataError(
            f"expected examples for three splits, received {len(codes)}: give 10 or more"
        )
    most = (sizes.train, sizes.validation, sizes.test)
    return tuple(pools[code][: most[code]] for code in (TRAIN, VALIDATION, TEST))
