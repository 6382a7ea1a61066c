"""Growing a batch of leaves of one species: outlines and veins as points on the leaf.

A point on the leaf is (x, y) in 1/4096 of the leaf's length; x runs along the midrib. Every leaf
varies: width, the place of every lobe, the teeth, the number and the slant of the veins.
"""

from dataclasses import dataclass

import numpy as np

from nas_core.datasets.leaves.fixed import Draws
from nas_core.datasets.leaves.raster import FULL, normals
from nas_core.datasets.leaves.species import MARGINS, Species

LENGTH = 4096
# Points per stretch of the outline, and per vein.
STEPS = 10
POINTS = 5
LEAFLET = 1500


@dataclass(frozen=True)
class Plant:
    """A batch of leaves, B of them.

    Attributes:
        outlines: int64 [B, P, V, 2], polygons whose union is the blade.
        veins: int64 [B, S, POINTS, 2], polylines from the thick end to the thin one.
        thickness: int64 [B, S], 256 for the midrib, less for others, 0 for a vein that is absent.
        stalk: int64 [B, 1, POINTS, 2], the petiole (and rachis).
    """

    outlines: np.ndarray
    veins: np.ndarray
    thickness: np.ndarray
    stalk: np.ndarray


def grow(species: Species, draws: Draws) -> Plant:
    """Return a batch of leaves of `species`, one for each picture of `draws`."""
    width = 256 + draws.spread("width", 44)
    half = _half_outline(species, width, draws)  # [B, 2, V, 2]
    outline = np.concatenate([half[:, 0], half[:, 1, ::-1]], axis=1)
    veins, thickness = _veins(species, width, draws)
    if not species.leaflets:
        return Plant(outline[:, None], veins, thickness, _stalk(species, draws, 0))
    outlines, veins, thickness = _compound(species, outline, veins, draws)
    return Plant(outlines, veins, thickness, _stalk(species, draws, 7 * LENGTH // 10))


def _half_outline(species: Species, width: np.ndarray, draws: Draws) -> np.ndarray:
    """Return both sides of the outline, base to tip: int64 [B, 2, V, 2], y < 0 on the second."""
    keys = np.array([key[:2] for key in species.outline], np.int64) * LENGTH // 100
    corner = np.array([key[2] for key in species.outline]) == 1
    # Each lobe differs a little, alike on both sides, and a little less so between the sides.
    shift = draws.spread("lobes", 90, 1, *keys.shape) + draws.spread("sides", 60, 2, *keys.shape)
    shift[:, :, [0, -1]] = 0
    sides = keys + shift  # [B, 2, K, 2]
    sides[..., 1] = np.maximum(sides[..., 1], 0) * width[:, None, None] // 256
    curve = _smooth(sides, corner)
    curve = _with_teeth(curve, species, draws)
    curve[:, 1, :, 1] *= -1
    return curve


def _smooth(keys: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Join points [..., K, 2] by cubic Hermite curves that stop dead at corners.

    Returns:
        int64 [..., (K - 1) * STEPS + 1, 2].
    """
    slope = np.zeros_like(keys)
    slope[..., 1:-1, :] = (keys[..., 2:, :] - keys[..., :-2, :]) // 2
    slope[..., corner, :] = 0
    t, n = np.arange(STEPS)[:, None], STEPS
    start, end = keys[..., :-1, None, :], keys[..., 1:, None, :]
    leave, arrive = slope[..., :-1, None, :], slope[..., 1:, None, :]
    rise = 3 * n * t**2 - 2 * t**3
    curve = (n**3 - rise) * start + rise * end
    curve += (t**3 - 2 * n * t**2 + n * n * t) * leave + (t**3 - n * t**2) * arrive
    curve = curve // n**3  # [..., K - 1, STEPS, 2]
    curve = curve.reshape(*keys.shape[:-2], -1, 2)
    return np.concatenate([curve, keys[..., -1:, :]], axis=-2)


def _with_teeth(curve: np.ndarray, species: Species, draws: Draws) -> np.ndarray:
    """Push the margin of [B, 2, V, 2] outwards by the species' teeth."""
    if species.depth == 0:
        return curve
    step = np.diff(curve, axis=2, prepend=curve[:, :, :1])
    far = np.cumsum(np.abs(step).max(axis=3), axis=2)  # [B, 2, V], the way along the margin
    whole = np.maximum(far[:, :, -1:], 1)
    teeth = species.teeth + draws.integers("teeth", -1, 2, 1, 1)
    phase = 16 * teeth * far // whole + draws.integers("first tooth", 0, 4, 2, 1)
    height = np.array(MARGINS[species.margin])[phase % 16]
    # Teeth fade out towards both ends.
    fade = np.minimum(np.minimum(far, whole - far) * 8 * 64 // whole, 64)
    depth = species.depth * (256 + draws.spread("depth", 70, 1, 1)) * LENGTH // 256_000
    push = height * depth * fade // (64 * 64)
    tangent = np.roll(curve, -1, axis=2) - np.roll(curve, 1, axis=2)
    tangent[:, :, [0, -1]] = 0
    return curve + normals(tangent) * push[..., None] // FULL


def _veins(species: Species, width: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Return the midrib and side veins [B, S, POINTS, 2] with their thickness [B, S]."""
    base, tip = species.outline[0][0] * LENGTH // 100, species.outline[-1][0] * LENGTH // 100
    count = draws.count
    parts = []
    if species.veins != "fan":
        midrib = np.array([[base, 0], [tip, 0]]) + np.zeros((count, 1, 1, 1), np.int64)
        parts.append((_line(midrib[:, :, 0], midrib[:, :, 1], 0), 256))
    if species.tips:
        parts.append((_palmate(species, base, draws), 200 if species.veins == "palmate" else 110))
    if species.pairs:
        parts.append((_pinnate(species, base, tip, draws), 130))
    veins = np.concatenate([lines for lines, _ in parts], axis=1)
    veins[..., 1] = veins[..., 1] * width[:, None, None] // 256
    thickness = np.concatenate([np.full((count, part.shape[1]), t) for part, t in parts], axis=1)
    return veins, thickness


def _line(start: np.ndarray, end: np.ndarray, sag: int | np.ndarray) -> np.ndarray:
    """Return curves [..., POINTS, 2] from `start` to `end` that sag sideways by sag/256."""
    t, n = np.arange(POINTS)[:, None], POINTS - 1
    way = end - start
    across = np.stack([-way[..., 1], way[..., 0]], axis=-1)
    bow = 4 * t * (n - t) * np.asarray(sag)[..., None, None]
    along = start[..., None, :] + way[..., None, :] * t // n
    return along + across[..., None, :] * bow // (256 * n * n)


def _both_sides(lines: np.ndarray) -> np.ndarray:
    return np.concatenate([lines, lines * np.array([1, -1])], axis=1)


def _palmate(species: Species, base: int, draws: Draws) -> np.ndarray:
    ends = np.array(species.tips, np.int64) * LENGTH // 100
    ends = ends + draws.spread("palmate", 70, *ends.shape)
    start = np.zeros_like(ends) + np.array([base, 0])
    return _both_sides(_line(start, ends, draws.spread("palmate sag", 12, len(species.tips))))


def _pinnate(species: Species, base: int, tip: int, draws: Draws) -> np.ndarray:
    """Return pairs of veins that leave the midrib and run to the margin, curving forward."""
    pairs = species.pairs
    number = np.arange(pairs) * 2 + 1
    x = base + (tip - base) * number // (2 * pairs + 1) + draws.spread("nodes", 60, pairs)
    rise = species.rise * (256 + draws.spread("rise", 50, 1)) // 256
    keys = np.array([key[:2] for key in species.outline], np.int64) * LENGTH // 100
    reach = _half_width(keys, x)
    for _ in range(3):  # where the vein meets the margin depends on how far it runs
        reach = _half_width(keys, x + reach * rise // 100)
    start = np.stack([x, np.zeros_like(x)], axis=-1)
    end = np.stack([x + reach * rise // 100, reach * 15 // 16], axis=-1)
    return _both_sides(_line(start, end, -draws.integers("curl", 8, 36, 1)))


def _half_width(keys: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the largest y of the outline at x, between its points by straight lines."""
    widest = np.zeros_like(x)
    for (x0, y0), (x1, y1) in zip(keys[:-1].tolist(), keys[1:].tolist(), strict=True):
        if x0 != x1:
            inside = (np.minimum(x0, x1) <= x) & (x <= max(x0, x1))
            widest = np.maximum(widest, np.where(inside, y0 + (y1 - y0) * (x - x0) // (x1 - x0), 0))
    return widest


def _compound(
    species: Species, outline: np.ndarray, veins: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Set copies of the leaf as leaflets in pairs along a rachis, with one at its end."""
    places, slants = [], []
    for number, x in enumerate(species.leaflets):
        for side in (1, -1):
            shift = draws.spread(f"leaflet {number} {side}", 130)
            places.append(x * LENGTH // 100 + shift)
            slants.append(side * (256 + draws.spread(f"slant {number} {side}", 60)))
    outlines = [_leaflet(outline, p, s) for p, s in zip(places, slants, strict=True)]
    ribs = [_leaflet(veins[:, :1], p, s) for p, s in zip(places, slants, strict=True)]
    end = np.array([66 * LENGTH // 100, 0])
    outlines.append(outline * LEAFLET // LENGTH + end)
    ribs.append(veins[:, :1] * LEAFLET // LENGTH + end)
    thickness = np.full((len(outline), len(ribs)), 150)
    return np.stack(outlines, axis=1), np.concatenate(ribs, axis=1), thickness


def _leaflet(points: np.ndarray, place: np.ndarray, slant: np.ndarray) -> np.ndarray:
    """Turn [B, ..., 2] sideways (slant 256: about 55 degrees forward to one side) and move it."""
    shape = (-1,) + (1,) * (points.ndim - 2)
    place, slant = place.reshape(shape), slant.reshape(shape)
    x, y = points[..., 0] * LEAFLET // LENGTH, points[..., 1] * LEAFLET // LENGTH
    # (143, 212) / 256 is a unit vector; the slant scales its sideways part.
    forward = place + (x * 143 - y * slant * 212 // 256) // 256
    aside = (x * slant * 212 // 256 + y * 143) // 256
    return np.stack([forward, aside], axis=-1)


def _stalk(species: Species, draws: Draws, end: int) -> np.ndarray:
    """Return the petiole from its far end into the blade: int64 [B, 1, POINTS, 2]."""
    base = species.outline[0][0] * LENGTH // 100
    length = draws.integers("petiole", 350, 1100)
    start = np.stack([base - length, draws.spread("petiole bend", 260)], axis=-1)
    stop = np.zeros_like(start) + np.array([max(end, base + 100), 0])
    return _line(start, stop, draws.spread("petiole sag", 20))[:, None]
