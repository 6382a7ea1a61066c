"""What a data source gives before a task takes its part of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Source:
    """Examples that are read when they are picked.

    Attributes:
        targets: Labels int [N].
        codes: Split of each, see `sizes.choose`.
        classes: Number of classes.
        pick: Returns the inputs at some places: an array of images, or a list of texts.
    """

    targets: np.ndarray
    codes: np.ndarray
    classes: int
    pick: Callable[[np.ndarray], Any]
