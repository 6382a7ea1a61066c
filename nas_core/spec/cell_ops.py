"""The 13 operations of NASNet cells, by short names (Zoph et al. 2018, section 3)."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What an operation is made of; the builder and the cost model dispatch on it."""

    IDENTITY = "identity"
    CONVOLUTION = "convolution"  # relu, convolution, batch norm
    FACTORISED = "factorised"  # the same for 1 x n and then for n x 1
    DILATED = "dilated"  # relu, convolution of every other pixel, batch norm
    SEPARABLE = "separable"  # relu, depthwise-separable convolution, batch norm: all twice
    AVERAGE_POOL = "average_pool"
    MAX_POOL = "max_pool"


@dataclass(frozen=True)
class Operation:
    """One operation; `size` is the side of its window in pixels (1 for the identity)."""

    family: Family
    size: int


OPERATIONS: dict[str, Operation] = {
    "identity": Operation(Family.IDENTITY, 1),
    "fact3": Operation(Family.FACTORISED, 3),
    "fact7": Operation(Family.FACTORISED, 7),
    "dil3": Operation(Family.DILATED, 3),
    "avg3": Operation(Family.AVERAGE_POOL, 3),
    "max3": Operation(Family.MAX_POOL, 3),
    "max5": Operation(Family.MAX_POOL, 5),
    "max7": Operation(Family.MAX_POOL, 7),
    "conv1": Operation(Family.CONVOLUTION, 1),
    "conv3": Operation(Family.CONVOLUTION, 3),
    "sep3": Operation(Family.SEPARABLE, 3),
    "sep5": Operation(Family.SEPARABLE, 5),
    "sep7": Operation(Family.SEPARABLE, 7),
}

# What spaces choose from: the published set, and five that a laptop can afford.
OPERATION_PRESETS: dict[str, tuple[str, ...]] = {
    "paper": tuple(OPERATIONS),
    "small": ("identity", "sep3", "sep5", "avg3", "max3"),
}
