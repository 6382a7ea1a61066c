"""Augmentation inside the graph, as a layer that only training passes through."""

from typing import Any

import keras
from keras import ops

SHIFT = 0.125  # of the side, at most


class Augment(keras.layers.Layer):
    """Mirrors, quarter turns and shifts; nothing at inference.

    Mirrors and turns are drawn per image. A shift is drawn per batch, as that costs one slice
    where a shift per image costs a gather; what is shifted in is the border repeated.
    """

    def __init__(self, kind: str, seed: int) -> None:
        """Take the recipe's kind (mirror, full or leaf) and a seed."""
        super().__init__(name="augment")
        self._kind = kind
        self._random = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """Return augmented images [B, H, W, C]."""
        if not training:
            return images
        images = self._some(images, lambda x: ops.flip(x, axis=2))
        if self._kind == "leaf":
            images = self._some(images, lambda x: ops.flip(x, axis=1))
            if images.shape[1] == images.shape[2]:
                images = self._some(images, lambda x: ops.transpose(x, (0, 2, 1, 3)))
        return images if self._kind == "mirror" else self._shifted(images)

    def _some(self, images: Any, change: Any) -> Any:
        """Change each image with probability one half."""
        shape = (ops.shape(images)[0], 1, 1, 1)
        chosen = keras.random.uniform(shape, seed=self._random) < 0.5
        return ops.where(chosen, change(images), images)

    def _shifted(self, images: Any) -> Any:
        height, width, channels = images.shape[1:]
        most = max(1, round(SHIFT * min(height, width)))
        padding = ((0, 0), (most, most), (most, most), (0, 0))
        padded = ops.pad(images, padding, mode="symmetric")
        offsets = keras.random.randint((2,), 0, 2 * most + 1, seed=self._random)
        zero = ops.zeros((1,), "int32")
        start = ops.concatenate([zero, ops.cast(offsets, "int32"), zero])
        return ops.slice(padded, start, (ops.shape(images)[0], height, width, channels))
