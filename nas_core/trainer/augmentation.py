"""Pictures changed at random: drawn with NumPy, applied inside the graph with `keras.ops`."""

from typing import Any

import numpy as np
from keras import ops

SHIFT_SHARE = 8  # shifts reach an eighth of the side
MIRROR, DOWN, RIGHT, TURNS = range(4)


def draw_changes(
    kind: str, count: int, image_shape: tuple[int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw what is done to each of `count` images.

    Args:
        kind: A name of `recipe.AUGMENTATIONS`.
        count: Number of images.
        image_shape: Height, width, channels.
        rng: Where the draws come from.

    Returns:
        int32 [count, 4]: mirrored or not, pixels down, pixels right, quarter turns. Images that
        are not square are turned by half turns only.
    """
    height, width, _ = image_shape
    changes = np.zeros((count, 4), np.int32)
    if kind == "none":
        return changes
    changes[:, MIRROR] = rng.integers(0, 2, count)
    if kind in ("full", "leaf"):
        for column, side in ((DOWN, height), (RIGHT, width)):
            reach = side // SHIFT_SHARE
            changes[:, column] = rng.integers(-reach, reach + 1, count)
    if kind == "leaf":
        turns = rng.integers(0, 4, count)
        changes[:, TURNS] = turns if height == width else turns // 2 * 2
    return changes


def change_images(kind: str, images: Any, changes: Any) -> Any:
    """Apply `draw_changes` to a batch.

    Args:
        kind: As for `draw_changes`.
        images: uint8 [B, H, W, C]; H, W and C are known.
        changes: int32 [B, 4].

    Returns:
        uint8 [B, H, W, C]. Where a shift uncovers a border, the image is continued as in a mirror.
    """
    if kind == "none":
        return images
    if kind == "mirror":
        return _mirrored(images, changes[:, MIRROR])
    _, height, width, channels = images.shape
    rows, columns = _places(changes, height, width)  # [B, H, W] each
    batch = ops.shape(images)[0]
    first = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1))
    pixels = ops.reshape(images, (-1, channels))  # [B * H * W, C]
    return ops.take(pixels, first + rows * width + columns, axis=0)  # [B, H, W, C]


def _mirrored(images: Any, chosen: Any) -> Any:
    """Mirror the chosen images; selecting among rows is far quicker than among pixels."""
    _, height, width, channels = images.shape
    row = (-1, height * width * channels)
    flipped = ops.reshape(ops.flip(images, axis=2), row)
    kept = ops.reshape(images, row)
    picked = ops.where(ops.expand_dims(chosen > 0, 1), flipped, kept)  # [B, H * W * C]
    return ops.reshape(picked, (-1, height, width, channels))


def _places(changes: Any, height: int, width: int) -> tuple[Any, Any]:
    """Return the row and column, both int32 [B, H, W], that each new pixel is taken from."""
    mirror, down, right, turns = (
        ops.reshape(changes[:, column], (-1, 1, 1)) for column in range(4)
    )
    rows = ops.reshape(ops.arange(height, dtype="int32"), (1, -1, 1))
    columns = ops.reshape(ops.arange(width, dtype="int32"), (1, 1, -1))
    rows = _inside(rows - down, height) + columns * 0  # [B, H, W]
    columns = _inside(columns - right, width) + rows * 0
    columns = ops.where(mirror > 0, width - 1 - columns, columns)
    rows, columns = (
        ops.where(turns >= 2, height - 1 - rows, rows),
        ops.where(turns >= 2, width - 1 - columns, columns),
    )
    quarter = turns % 2 > 0  # drawn for square images only
    return ops.where(quarter, columns, rows), ops.where(quarter, width - 1 - rows, columns)


def _inside(place: Any, side: int) -> Any:
    """Reflect places beyond either border back inside."""
    place = ops.abs(place)
    return (side - 1) - ops.abs((side - 1) - place)
