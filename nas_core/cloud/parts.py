"""Large files as parts: their ranges, the threads that move them, and how long to wait."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas_core.cloud.address import S3Address

PART = 8 << 20  # bytes; S3 takes no smaller parts than 5 MiB
MOST_PARTS = 9000  # S3 takes 10,000
THREADS = 10  # parts at a time, of all files together
FILES = 4  # files at a time
Count = Callable[[int], None]
_jitter = random.SystemRandom()  # several machines must not wait alike


@dataclass(frozen=True)
class Item:
    """A file here and an object there.

    Attributes:
        path: The file.
        address: The object.
        size: Bytes.
        sha256: Hexadecimal digest of the content.
    """

    path: Path
    address: S3Address
    size: int
    sha256: str

    @property
    def where(self) -> dict[str, str]:
        """Bucket and key as S3's calls name them."""
        return {"Bucket": self.address.bucket, "Key": self.address.key}


@dataclass(frozen=True)
class Part:
    """A range of a file.

    Attributes:
        number: From 1.
        start: Offset of the first byte.
        size: Bytes, at least 1.
    """

    number: int
    start: int
    size: int


def parts_of(size: int) -> list[Part]:
    """Return a file's parts: of 8 MiB, or larger where there would be too many."""
    step = PART
    while step * MOST_PARTS < size:
        step *= 2
    return [
        Part(number, start, min(step, size - start))
        for number, start in enumerate(range(0, size, step), start=1)
    ]


def pause(attempt: int, longest: float = 20.0) -> float:
    """Return seconds to wait before the next attempt: up to twice as long each time, at random.

    Args:
        attempt: Attempts that have failed, from 1.
        longest: Never more, seconds.
    """
    return _jitter.uniform(0.0, min(longest, 0.5 * 2**attempt))
