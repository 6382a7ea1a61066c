"""Filling polygons with smooth edges, in whole numbers.

Each edge is cut by 4 scanlines in every row of pixels. Where it crosses one, everything to the
right gains or loses cover; a running sum along the row then gives the covered part of each pixel.
"""

import numpy as np

from nas_core.datasets.leaves.fixed import root

PIXEL = 256
FULL = 256
LINES = 4
_STEP = PIXEL // LINES


def fill(polygons: np.ndarray, size: int) -> np.ndarray:
    """Return how much of each pixel a union of polygons covers.

    Args:
        polygons: int64 [B, P, V, 2], the corners (x, y) of P closed polygons in each of B
            pictures, in 1/256 pixel; either direction; none may cross itself.
        size: Side of the pictures in pixels.

    Returns:
        int32 [B, size, size], 0 to 256.
    """
    start = polygons.reshape(-1, *polygons.shape[2:])  # [B * P, V, 2]
    end = np.roll(start, -1, axis=1)
    twice_area = (start[..., 0] * end[..., 1] - end[..., 0] * start[..., 1]).sum(axis=1)
    sign = np.where(twice_area < 0, -1, 1)[:, None] * np.where(end[..., 1] > start[..., 1], -1, 1)
    picture = np.repeat(np.arange(len(polygons)), polygons.shape[1])
    picture = np.broadcast_to(picture[:, None], sign.shape)
    edges = [part.reshape(-1) for part in (*_upwards(start, end), sign, picture)]
    return _accumulate(*_crossings(edges, size), len(polygons), size)


def _upwards(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, ...]:
    """Order every edge by y: (x0, y0, x1, y1) with y0 <= y1."""
    swap = start[..., 1] > end[..., 1]
    low = np.where(swap[..., None], end, start)
    high = np.where(swap[..., None], start, end)
    return low[..., 0], low[..., 1], high[..., 0], high[..., 1]


def _crossings(edges: list[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (row of a picture in the batch, x, sign) for every crossing of edge and scanline."""
    x0, y0, x1, y1, sign, picture = edges
    first = np.clip(-((_STEP // 2 - y0) // _STEP), 0, size * LINES)
    last = np.clip(-((_STEP // 2 - y1) // _STEP), 0, size * LINES)
    times = last - first
    edge = np.repeat(np.arange(len(times)), times)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times) + first[edge]
    rise = line * _STEP + _STEP // 2 - y0[edge]
    x = x0[edge] + (x1 - x0)[edge] * rise // (y1 - y0)[edge]
    return picture[edge] * size + line // LINES, x, sign[edge]


def _accumulate(
    row: np.ndarray, x: np.ndarray, sign: np.ndarray, count: int, size: int
) -> np.ndarray:
    x = np.clip(x, 0, size * PIXEL)
    cell = row * (size + 2) + x // PIXEL
    right = x % PIXEL
    total = count * size * (size + 2)
    # Sums of whole numbers far below 2**53: the float weights of bincount are exact.
    change = np.bincount(cell, sign * (PIXEL - right), total)
    change += np.bincount(cell + 1, sign * right, total)
    cover = np.cumsum(change.astype(np.int32).reshape(count, size, size + 2), axis=2)[:, :, :size]
    return np.clip(cover, 0, PIXEL * LINES) // (PIXEL * LINES // FULL)


def strokes(lines: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Turn polylines into the polygons of strokes.

    Args:
        lines: int64 [B, S, P, 2], S polylines of P points, in 1/256 pixel.
        widths: int64 [B, S, P], half the stroke's width at each point; 0 draws nothing.

    Returns:
        int64 [B, S, 2 P, 2] for `fill`.
    """
    ahead = np.concatenate([lines[:, :, 1:], lines[:, :, -1:]], axis=2)
    behind = np.concatenate([lines[:, :, :1], lines[:, :, :-1]], axis=2)
    offset = normals(ahead - behind) * widths[..., None] // FULL
    return np.concatenate([lines + offset, (lines - offset)[:, :, ::-1]], axis=2)


def normals(direction: np.ndarray) -> np.ndarray:
    """Return vectors of length 256 to the left of `direction` [..., 2], or 0 where that is 0."""
    x, y = direction[..., 0], direction[..., 1]
    length = np.maximum(root(x * x + y * y), 1)
    return np.stack([-y, x], axis=-1) * FULL // length[..., None]
