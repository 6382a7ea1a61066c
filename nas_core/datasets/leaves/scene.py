"""Photographing a batch of leaves: pose, background, colour, blemishes, light and blur."""

import numpy as np

from nas_core.datasets.leaves.fixed import SINE_BITS, TURN, Draws, cosine, sine
from nas_core.datasets.leaves.plant import LENGTH, Plant
from nas_core.datasets.leaves.raster import FULL, PIXEL, fill, strokes

SIZE = 64

# Colours of blades and of what lies behind them, RGB. Every species wears every colour.
BLADES = np.array(
    [(52, 96, 38), (70, 122, 46), (98, 148, 62), (128, 160, 60), (150, 150, 54), (184, 168, 60),
     (196, 140, 48), (186, 98, 44), (160, 62, 40), (122, 50, 42), (118, 84, 52), (84, 110, 66)],
    np.int64,
)  # fmt: skip
GROUNDS = np.array(
    [(214, 208, 196), (236, 234, 228), (168, 160, 150), (120, 116, 112), (92, 74, 58), (62, 52, 46),
     (140, 110, 80), (170, 150, 118), (74, 92, 54), (104, 122, 78), (150, 172, 190), (46, 50, 56)],
    np.int64,
)  # fmt: skip


class Pose:
    """How leaves lie before the camera: bend, size, turn, tilt, perspective, place."""

    def __init__(self, draws: Draws) -> None:
        """Draw a pose for each picture."""
        self.bend = draws.spread("bend", 110)
        self.scale = draws.integers("scale", 46, 61)
        self.angle = draws.integers("angle", 0, TURN)
        self.tilt = draws.integers("tilt", 200, 257)
        self.tilt_angle = draws.integers("tilt angle", 0, TURN)
        self.perspective = draws.spread("perspective", 40, 2)
        self.place = draws.spread("place", 5 * PIXEL, 2) + SIZE * PIXEL // 2

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points on the leaf [B, ..., 2] to the picture, in 1/256 pixel."""

        def wide(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, *(1,) * (points.ndim - 2))

        x, y = points[..., 0] - LENGTH // 2, points[..., 1]
        y = y + wide(self.bend) * (x * x // LENGTH) // 256
        x, y = (part * wide(self.scale) * PIXEL // LENGTH for part in (x, y))
        x, y = _turn(x, y, wide(self.angle))
        x, y = _turn(x, y, wide(self.tilt_angle))
        x = x * wide(self.tilt) // 256
        x, y = _turn(x, y, -wide(self.tilt_angle))
        slant = x * wide(self.perspective[:, 0]) + y * wide(self.perspective[:, 1])
        depth = np.maximum(256 + slant // (SIZE * PIXEL // 2), 64)
        x, y = x * 256 // depth, y * 256 // depth
        return np.stack([x + wide(self.place[:, 0]), y + wide(self.place[:, 1])], axis=-1)


def _turn(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    c, s = cosine(angle), sine(angle)
    return (x * c - y * s) >> SINE_BITS, (x * s + y * c) >> SINE_BITS


def _per_picture(values: np.ndarray, axes: int) -> np.ndarray:
    """Give [B] or [B, 3] the axes of [B, SIZE, SIZE] or [B, 3, SIZE, SIZE]."""
    shape = (len(values), 1, 1) if axes == 3 else (len(values), -1, 1, 1)
    return values.astype(np.int32).reshape(shape)


def _mixed(low: np.ndarray, high: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return low + (high - low) * part / 256."""
    mixed = (high - low) * part
    mixed >>= 8
    mixed += low
    return mixed


def _noise(draws: Draws, purpose: str, cells: int) -> np.ndarray:
    """Return smooth noise int32 [B, SIZE, SIZE], 0 to 255: an interpolated random grid."""
    grid = draws.integers(purpose, 0, 256, cells + 1, cells + 1).astype(np.int32)
    position = np.arange(SIZE) * cells * 256 // SIZE
    cell, part = position // 256, (position % 256).astype(np.int32)
    rows = _mixed(grid[:, cell], grid[:, cell + 1], part[:, None])
    return _mixed(rows[:, :, cell], rows[:, :, cell + 1], part)


def _slope(draws: Draws, purpose: str) -> np.ndarray:
    """Return a ramp in a random direction: int32 [B, SIZE, SIZE], -256 to 256."""
    angle = draws.integers(purpose, 0, TURN)
    across = np.arange(SIZE) * 2 - SIZE + 1
    x = cosine(angle)[:, None, None] * across[None, None, :]
    y = sine(angle)[:, None, None] * across[None, :, None]
    return ((x + y) * 181 // (SIZE << SINE_BITS)).astype(np.int32)


def _colours(draws: Draws, purpose: str, table: np.ndarray, jitter: int) -> np.ndarray:
    """Return a colour between two random rows of `table`, int64 [B, 3]."""
    low, high = draws.choice(f"{purpose} a", table), draws.choice(f"{purpose} b", table)
    colour = _mixed(low, high, draws.integers(f"{purpose} mix", 0, 257, 1))
    return np.clip(colour + draws.spread(f"{purpose} jitter", jitter, 3), 8, 247)


def _ground(draws: Draws) -> np.ndarray:
    """Return a colour for the ground [B, 3]: of two, the one that the blade stands out from."""
    blade = _blade_colour(draws)
    one, two = (_colours(draws, f"ground {name}", GROUNDS, 14) for name in ("one", "two"))
    nearer = np.abs(one - blade).sum(axis=1) < np.abs(two - blade).sum(axis=1)
    return np.where(nearer[:, None], two, one)


def _blade_colour(draws: Draws) -> np.ndarray:
    return _colours(draws, "blade", BLADES, 16)


def _background(draws: Draws) -> np.ndarray:
    """Return what lies behind the leaves: int32 [B, 3, SIZE, SIZE]."""
    first = _ground(draws)
    second = np.clip(
        first + draws.spread("ground contrast", 60, 1) + draws.spread("tint", 14, 3), 0, 255
    )
    part = (_noise(draws, "coarse ground", 4) + _noise(draws, "fine ground", 16)) // 2
    part = np.clip(part + _slope(draws, "ground slope") // 4, 0, 256)
    picture = _mixed(_per_picture(first, 4), _per_picture(second, 4), part[:, None])
    for layer in range(3):
        shapes = _clutter(draws, f"clutter {layer}")
        cover = fill(shapes, SIZE)
        table = BLADES if layer == 1 else GROUNDS
        colour = _per_picture(_colours(draws, f"clutter colour {layer}", table, 12), 4)
        strength = _per_picture(draws.integers(f"clutter strength {layer}", 40, 180), 3)
        picture = _mixed(picture, colour, (cover * strength >> 8)[:, None])
    return picture


def _clutter(draws: Draws, purpose: str) -> np.ndarray:
    """Return twigs, pebbles and scraps: up to three twelve-sided shapes [B, 3, 12, 2]."""
    angle = np.arange(12) * TURN // 12
    long = draws.integers(f"{purpose} long", 2 * PIXEL, 16 * PIXEL, 3, 1)
    wide = draws.integers(f"{purpose} wide", PIXEL // 2, 6 * PIXEL, 3, 1)
    wobble = 256 + draws.spread(f"{purpose} wobble", 90, 3, 12)
    x = long * cosine(angle) * wobble >> (SINE_BITS + 8)
    y = wide * sine(angle) * wobble >> (SINE_BITS + 8)
    x, y = _turn(x, y, draws.integers(f"{purpose} turn", 0, TURN, 3, 1))
    place = draws.integers(f"{purpose} place", 0, SIZE * PIXEL, 3, 1, 2)
    return np.stack([x, y], axis=-1) + place


def _spots(draws: Draws, purpose: str, count: int, smallest: int, largest: int) -> np.ndarray:
    """Return roundish spots near the middle: cover int32 [B, SIZE, SIZE]."""
    angle = np.arange(8) * TURN // 8
    radius = draws.integers(f"{purpose} size", smallest, largest, count, 1)
    present = draws.integers(f"{purpose} present", 0, 3, count, 1) == 0
    radius = np.where(
        present, radius * (256 + draws.spread(f"{purpose} form", 80, count, 8)) // 256, 0
    )
    points = np.stack([radius * cosine(angle), radius * sine(angle)], axis=-1) >> SINE_BITS
    place = SIZE * PIXEL // 2 + draws.spread(f"{purpose} place", 22 * PIXEL, count, 1, 2)
    return fill(points + place, SIZE)


def _blur(picture: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Blur [B, 3, SIZE, SIZE] by (1, 2, 1) / 4 both ways, mixed in by strength [B] of 256."""
    soft = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    soft = soft[:, :, :-2] + 2 * soft[:, :, 1:-1] + soft[:, :, 2:]
    soft = soft[..., :-2] + 2 * soft[..., 1:-1] + soft[..., 2:]
    return _mixed(picture, soft >> 4, _per_picture(strength, 4))


def _blade(draws: Draws, pose: Pose, plant: Plant) -> np.ndarray:
    """Return the colours of the blade with veins, folds and blemishes: [B, 3, SIZE, SIZE]."""
    first = _blade_colour(draws)
    second = _colours(draws, "blade second", BLADES, 16)
    second = _mixed(first, second, draws.integers("variegation", 20, 150, 1))
    part = (_noise(draws, "coarse blade", 3) + _noise(draws, "fine blade", 8)) // 2
    blade = _mixed(_per_picture(first, 4), _per_picture(second, 4), part[:, None])
    spot = _per_picture(_colours(draws, "spot", BLADES[5:], 20) * 3 // 4, 4)
    blade = _mixed(blade, spot, _spots(draws, "spots", 6, 200, 620)[:, None] * 3 // 4)
    far = 3 * LENGTH // 2
    half = np.array([[[-LENGTH // 2, 0], [far, 0], [far, far], [-LENGTH // 2, far]]])
    side = fill(pose(np.broadcast_to(half, (draws.count, 1, 4, 2))), SIZE)
    fold = (2 * side - FULL) * _per_picture(draws.spread("fold", 36), 3) >> 8
    blade = blade * (256 + fold)[:, None] >> 8
    return _veined(blade, draws, pose, plant)


def _veined(blade: np.ndarray, draws: Draws, pose: Pose, plant: Plant) -> np.ndarray:
    """Draw the veins, lighter (seldom darker) than the blade, each with its shadow beside it."""
    lines = pose(plant.veins)
    points = lines.shape[2]
    taper = np.linspace(256, 90, points).astype(np.int64)
    bold = draws.integers("vein width", 130, 220, 1, 1) * pose.scale[:, None, None] // 51
    cover = fill(strokes(lines, plant.thickness[..., None] * taper * bold >> 16), SIZE)
    shadow = np.roll(cover, (1, 1), axis=(1, 2))
    tone = draws.integers("vein tone", 40, 92)
    tone = np.where(draws.integers("dark veins", 0, 5) == 0, -tone, tone)
    change = cover * _per_picture(tone, 3) - np.maximum(shadow - cover, 0) * 26
    return blade + (change >> 8)[:, None]


def photograph(plant: Plant, draws: Draws) -> np.ndarray:
    """Return pictures of a batch of leaves: uint8 [B, SIZE, SIZE, 3]."""
    pose = Pose(draws)
    cover = fill(pose(plant.outlines), SIZE)
    bites = _spots(draws, "bites", 3, 250, 900)
    cover = cover * (FULL - bites) >> 8
    stalk = strokes(pose(plant.stalk), np.full((draws.count, 1, plant.stalk.shape[2]), 150))
    stalk_cover = fill(stalk, SIZE)
    everything = np.maximum(cover, stalk_cover)
    picture = _shaded(_background(draws), everything, draws)
    stem = _per_picture(_colours(draws, "stem", BLADES, 10) * 4 // 5, 4)
    picture = _mixed(picture, stem, stalk_cover[:, None])
    picture = _mixed(picture, _blade(draws, pose, plant), cover[:, None])
    return _exposed(picture, draws)


def _shaded(picture: np.ndarray, cover: np.ndarray, draws: Draws) -> np.ndarray:
    """Let the leaf throw a soft shadow, two pixels down and right."""
    shadow = np.zeros_like(cover)
    shadow[:, 2:, 2:] = cover[:, :-2, :-2]
    shadow[:, 3:, 3:] += cover[:, :-3, :-3]
    depth = _per_picture(draws.integers("shadow", 10, 90), 3)
    return picture * (256 - (shadow * depth >> 9))[:, None] >> 8


def _exposed(picture: np.ndarray, draws: Draws) -> np.ndarray:
    """Apply light, blur and sensor noise, and cut to 0..255."""
    slope = _slope(draws, "light") * _per_picture(draws.integers("light fall", 0, 60), 3) >> 8
    gain = _per_picture(draws.integers("gain", 190, 310), 3) + slope
    tint = _per_picture(256 + draws.spread("white balance", 22, 3), 4)
    picture = (picture * gain[:, None] >> 8) * tint >> 8
    picture = _blur(picture, draws.integers("blur", 0, 257))
    grain = draws.integers("grain", 0, 256, SIZE, SIZE).astype(np.int32) - 128
    picture = picture + (grain * _per_picture(draws.integers("iso", 2, 14), 3) >> 7)[:, None]
    return np.clip(picture, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
