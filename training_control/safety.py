"""When an interval of training went wrong, and what the learning rate is after it. Pure Python."""

import math

SPIKE = 1.5  # a validation loss above this many times the one before is rolled back
FLOOR = 0.05  # part of the first loss below which losses count as equal to it
CUT = 0.5  # the learning rate after a rollback, over the one that failed


def went_wrong(first: float, before: float, after: float) -> bool:
    """Return whether an interval is to be rolled back.

    Args:
        first: Validation loss before training.
        before: Validation loss before the interval.
        after: Validation loss after it.
    """
    return not math.isfinite(after) or after > SPIKE * max(before, FLOOR * first)
