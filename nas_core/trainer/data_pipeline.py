"""The images of one training: read once, resized once, uint8 in memory."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets import Split, load_split, open_dataset
from nas_core.trainer.build import resizing

CHUNK = 512  # images resized at a time


@dataclass(frozen=True, eq=False)
class Pixels:
    """What a network is trained on; the test split is never among it.

    Attributes:
        train: Images uint8 [N, H, W, C] and labels int32 [N], resized; of texts, tokens int32
            [N, length, 1, 1].
        validation: Likewise.
        classes: Number of classes.
        stored_shape: Height, width, channels of the images before resizing.
    """

    train: Split
    validation: Split
    classes: int
    stored_shape: tuple[int, int, int]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels after resizing."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels


def trained_shape(stored: tuple[int, int, int], image_size: int | None) -> tuple[int, int, int]:
    """Return the shape of the images that a recipe's networks see."""
    return stored if image_size is None else (image_size, image_size, stored[2])


@lru_cache(maxsize=1)
def load_pixels(path: Path, _digest: str, image_size: int | None, fraction: float) -> Pixels:
    """Return both splits, kept for the next child of the same process.

    Args:
        path: The data set's folder.
        _digest: The data set's; another data set in the same folder is read anew.
        image_size: Side in pixels; None for the images as they are.
        fraction: Part of the training split, in (0, 1], the same images for every child. The
            validation split is whole, so that scores stay comparable.

    Raises:
        DataError: The data set cannot be read.
    """
    info = open_dataset(path)
    shape = trained_shape(info.image_shape, image_size)
    train = load_split(info, "train", fraction)
    validation = load_split(info, "validation")
    ready = _resized if info.words is None else _tokens
    return Pixels(
        Split(ready(train.images, shape), train.labels),
        Split(ready(validation.images, shape), validation.labels),
        len(info.classes),
        info.image_shape,
    )


def _tokens(images: np.ndarray, _shape: tuple[int, int, int]) -> np.ndarray:
    """Return tokens as int32, which every device looks up; they are never resized."""
    return np.asarray(images, np.int32)


def _resized(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return uint8 [N, *shape], by the same layer that the saved model begins with."""
    if images.shape[1:] == shape:
        return np.asarray(images)
    layer: Any = resizing(shape)
    parts = [
        np.asarray(layer(images[start : start + CHUNK])) for start in range(0, len(images), CHUNK)
    ]
    return np.concatenate(parts)
