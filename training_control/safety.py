"""When an interval of training went wrong, and what is done about it. For numbers and arrays."""

from typing import Any

import numpy as np

SPIKE = 1.5  # a validation loss above this many times the one before is rolled back
FLOOR = 0.05  # part of the first loss below which losses count as equal to it
CUT = 0.5  # the learning rate after a rollback, over the one that failed
EARLY = 0.25  # part of the budget in which a training may begin again
LEARNED = 0.9  # a validation loss below this part of the first one means that something is learned


def went_wrong(first: Any, before: Any, after: Any) -> Any:
    """Return whether an interval is to be rolled back, bool or [N].

    Args:
        first: Validation loss before training.
        before: Validation loss before the interval.
        after: Validation loss after it.
    """
    return ~np.isfinite(after) | (np.asarray(after) > SPIKE * np.maximum(before, FLOOR * first))


def starts_afresh(cut: Any, progress: Any, first: Any, now: Any) -> Any:
    """Return whether a training is to begin again with its first weights, bool or [N].

    A rate that is far too high ruins weights for good within a few steps, often without a rise of
    the loss that would be rolled back. Early in a training that has learned nothing there is
    nothing to lose: a lower rate gets the weights from before training.

    Args:
        cut: Whether a decision lowers the learning rate.
        progress: Part of the budget that is used.
        first: Validation loss before training.
        now: Validation loss now.
    """
    early = np.asarray(progress) < EARLY
    return early & cut & (np.asarray(now) >= LEARNED * np.asarray(first))
