"""Whole-number mathematics for drawing: the same bits on every machine and library version.

Angles count 4096 to a turn, sines are scaled by 2**14, and random numbers are a hash of what they
are for. Floating-point sines and NumPy's distributions may change from one build to the next, and
a data set whose SHA-256 is pinned may not: so this room does not use `nas_core.seeding`.
"""

import hashlib
import math
from functools import cache

import numpy as np

TURN = 4096
SINE_BITS = 14
_BITS = 80
# pi * 2**80, rounded.
_PI = 3797952473636338580787994
_TERMS = 20
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@cache
def _sines() -> np.ndarray:
    """Return round(2**14 sin(2 pi i / 4096)), i = 0..4095, by Taylor's series in integers."""
    quarter = []
    for step in range(TURN // 4 + 1):
        x = 2 * _PI * step // TURN
        term = total = x
        for k in range(1, _TERMS):
            term = -(((term * x >> _BITS) * x >> _BITS) // (2 * k * (2 * k + 1)))
            total += term
        quarter.append((total + (1 << (_BITS - SINE_BITS - 1))) >> (_BITS - SINE_BITS))
    rise = np.array(quarter, np.int64)
    half = np.concatenate([rise, rise[-2:0:-1]])
    return np.concatenate([half, -half])


def sine(angle: np.ndarray) -> np.ndarray:
    """Return 2**14 times the sine of an angle of 4096 to a turn, as int64."""
    return _sines()[angle & (TURN - 1)]


def cosine(angle: np.ndarray) -> np.ndarray:
    """Return 2**14 times the cosine of an angle of 4096 to a turn, as int64."""
    return sine(angle + TURN // 4)


def root(square: np.ndarray) -> np.ndarray:
    """Return the whole part of the square root of integers in [0, 2**52), as int64.

    IEEE 754 fixes the result of a square root to the last bit, so the float in between is exact.
    """
    return np.sqrt(square.astype(np.float64)).astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble uint64 (the finaliser of SplitMix64; Steele, Lea, Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


class Draws:
    """Random integers for a batch of pictures: a function of (seed, picture, purpose) alone.

    So a picture looks the same in whatever batch, and however many others, it is drawn.
    """

    def __init__(self, seed: int, pictures: np.ndarray) -> None:
        """Remember the seed (0 or above) and the pictures' numbers, int64 [B]."""
        self.count = len(pictures)
        self._keys = _mix(_mix(pictures.astype(np.uint64) * _GOLDEN) + np.uint64(seed))

    def integers(self, purpose: str, low: int, high: int, *shape: int) -> np.ndarray:
        """Return int64 [B, *shape], uniform in [low, high)."""
        word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
        places = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * _GOLDEN
        bits = _mix(_mix(self._keys ^ np.uint64(word))[:, None] + places)  # [B, numbers]
        scaled = (bits >> np.uint64(32)) * np.uint64(high - low) >> np.uint64(32)
        return scaled.astype(np.int64).reshape(self.count, *shape) + low

    def spread(self, purpose: str, amount: int, *shape: int) -> np.ndarray:
        """Return int64 [B, *shape] in [-amount, amount], most often near 0 (triangular)."""
        pair = self.integers(purpose, 0, amount + 1, *shape, 2)
        return pair[..., 0] - pair[..., 1]

    def choice(self, purpose: str, table: np.ndarray, *shape: int) -> np.ndarray:
        """Return random rows of `table` [K, ...]: [B, *shape, ...]."""
        return table[self.integers(purpose, 0, len(table), *shape)]
