"""Finding the same picture twice: exact copies, and near-copies under flips and quarter turns.

Two pictures are near-duplicates when their pixels, reduced to 16x16, correlate above 0.98 in one
of the eight orientations of a square. Most pairs are ruled out cheaply: the mean of a picture over
the eight orientations moves no further than the picture does, and it has 36 free numbers a channel.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_core.files import sha256_bytes

SIDE = 16
CORRELATION = 0.98
# The same picture encoded twice: on average 3 levels apart, nowhere more than 32 (of 255).
MEAN_LEVELS = 3
MOST_LEVELS = 32
# Above this many images, or near-pairs for each image, only exact copies are looked for: the work
# grows with the square, and pictures of which all are alike are no copies of one another.
MOST_IMAGES = 50_000
MOST_PAIRS = 100
BLOCK = 1024
PAIRS = 1 << 12


@dataclass(frozen=True)
class Duplicates:
    """Pairs of images of the same thing.

    Attributes:
        pairs: int64 [P, 3]: indices i < j, and 1 where the two are one picture in one orientation
            (which may not carry two labels), else 0.
        near: Whether near-copies were looked for too, not only exact ones.
    """

    pairs: np.ndarray
    near: bool


def find_duplicates(images: np.ndarray) -> Duplicates:
    """Find exact and near-copies among images uint8 [N, H, W, C]."""
    exact = exact_pairs(images)
    if len(images) > MOST_IMAGES:
        return Duplicates(exact, near=False)
    starts = range(0, len(images), BLOCK)
    thumbs = np.concatenate([_thumbnails(images[i : i + BLOCK]) for i in starts])
    grid = _normalise(thumbs)
    turned = _orientations(grid)
    found, total = [exact], 0
    for i, j in _candidates(np.mean(turned, axis=0)):
        best = np.max([_products(grid[i], picture[j]) for picture in turned], axis=0)
        near = np.stack([i, j], axis=1)[best > CORRELATION]
        found.append(np.column_stack([near, _one_picture(images, near[:, 0], near[:, 1])]))
        total += len(near)
        if total > MOST_PAIRS * len(images):
            return Duplicates(exact, near=False)
    return Duplicates(np.unique(np.concatenate(found), axis=0), near=True)


def exact_pairs(images: np.ndarray) -> np.ndarray:
    """Return int64 [P, 3] as in `Duplicates`: every exact copy with the first of its kind."""
    first: dict[str, int] = {}
    pairs = []
    for number, image in enumerate(images):
        original = first.setdefault(sha256_bytes(image.tobytes()), number)
        if original != number:
            pairs.append((original, number, 1))
    return np.array(pairs, np.int64).reshape(-1, 3)


def groups(count: int, pairs: np.ndarray) -> np.ndarray:
    """Join pairs into groups: int64 [count], the smallest index of each image's group."""
    group = np.arange(count)
    first, second = pairs[:, 0], pairs[:, 1]
    while True:
        lowest = np.minimum(group[first], group[second])
        joined = group.copy()
        np.minimum.at(joined, first, lowest)
        np.minimum.at(joined, second, lowest)
        joined = joined[joined]
        if np.array_equal(joined, group):
            return group
        group = joined


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Reduce to SIDE x SIDE by averaging areas: float32 [N, SIDE, SIDE, C]."""
    reduced = images.astype(np.float32)
    for axis in (1, 2):
        length = images.shape[axis]
        starts = np.arange(SIDE) * length // SIDE
        ends = np.maximum(starts + 1, (np.arange(SIDE) + 1) * length // SIDE)
        parts = [
            np.take(reduced, range(start, end), axis=axis).mean(axis=axis, keepdims=True)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        reduced = np.concatenate(parts, axis=axis)
    return reduced


def _normalise(thumbs: np.ndarray) -> np.ndarray:
    """Give every picture mean 0 and length 1; a flat picture becomes all zeros."""
    centred = thumbs - thumbs.mean(axis=(1, 2, 3), keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=(1, 2, 3), keepdims=True))
    return np.where(length > 1, centred / np.maximum(length, 1), 0).astype(np.float32)


def _orientations(grid: np.ndarray) -> list[np.ndarray]:
    """Return the eight orientations of [N, SIDE, SIDE, C]; the first is the picture itself."""
    turned = [np.rot90(grid, k, axes=(1, 2)) for k in range(4)]
    return turned + [np.flip(picture, axis=2) for picture in turned]


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("phwc,phwc->p", a, b)


def _candidates(means: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield index pairs i < j that may correlate above CORRELATION in some orientation.

    `means` is symmetric, so one eighth of it, weighted by how often each cell occurs, keeps all
    distances; unit pictures correlating above r are closer than sqrt(2 - 2 r).
    """
    row, column = np.triu_indices(SIDE // 2)
    weight = np.sqrt(np.where(row == column, 4, 8)).astype(np.float32)
    vectors = (means[:, row, column] * weight[:, None]).reshape(len(means), -1)  # [N, 36 * C]
    squares = np.square(vectors).sum(axis=1)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        distance = -2 * vectors[block] @ vectors[start:].T
        distance += squares[block, None] + squares[None, start:]
        i, j = np.nonzero(distance < 2 - 2 * CORRELATION + 1e-4)
        i, j = i[i < j] + start, j[i < j] + start
        for part in range(0, len(i), PAIRS):
            yield i[part : part + PAIRS], j[part : part + PAIRS]


def _one_picture(images: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Tell where two images are one picture in the same orientation, at full resolution."""
    apart = np.abs(images[i].astype(np.int16) - images[j])
    axes = (1, 2, 3)
    alike = apart.mean(axis=axes) <= MEAN_LEVELS
    return alike & (apart.max(axis=axes) <= MOST_LEVELS)
