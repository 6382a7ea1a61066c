"""Every random draw comes from a generator that is derived from (seed, purpose, numbers)."""

import hashlib

import numpy as np


def _entropy(seed: int, purpose: str, numbers: tuple[int, ...]) -> np.random.SeedSequence:
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    return np.random.SeedSequence([seed, word, *numbers])


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return the generator that belongs to one purpose of one seed.

    Args:
        seed: The run's seed, 0 or above.
        purpose: What the numbers are for, such as ``"suggest"``; purposes are independent.
        *numbers: Non-negative integers that single out the draw, such as the trial's number.
    """
    return np.random.default_rng(_entropy(seed, purpose, numbers))


def derived_seed(seed: int, purpose: str, *numbers: int) -> int:
    """Return a seed in [0, 2**31) for libraries that take an integer (Keras, TensorFlow)."""
    return int(_entropy(seed, purpose, numbers).generate_state(1)[0] >> 1)
