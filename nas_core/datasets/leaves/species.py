"""The ten species as data: outline, margin and veins of each, for one half of the leaf.

Coordinates are hundredths of the leaf's length: x runs along the midrib from the base (0) to the
tip (100), y to one side. The species differ in shape, margin and venation, never in colour.
"""

from dataclasses import dataclass
from typing import Literal

Point = tuple[int, int]

# One tooth from its base to the next, in 1/64 of its height, at 16 even steps.
MARGINS: dict[str, tuple[int, ...]] = {
    "entire": (0,) * 16,
    "wavy": (0, 6, 18, 32, 46, 57, 63, 64, 64, 61, 54, 43, 31, 19, 9, 2),
    "serrate": (0, 4, 9, 14, 20, 26, 32, 38, 44, 50, 56, 62, 64, 46, 24, 6),
    "double": (0, 12, 24, 10, 18, 30, 42, 28, 36, 50, 64, 60, 48, 40, 18, 4),
    "spiny": (2, 0, 0, 0, 1, 2, 4, 8, 14, 24, 40, 64, 44, 20, 9, 4),
}


@dataclass(frozen=True)
class Species:
    """How one species grows.

    Attributes:
        name: The class's name.
        outline: Half of the outline from the base to the tip: (x, y, 1 at a corner or 0).
        margin: Which teeth, a key of `MARGINS`.
        teeth: Teeth on each side; a leaf may have one more or one less.
        depth: Their height in thousandths of the leaf's length.
        veins: "pinnate": pairs along the midrib; "palmate": from the base to `tips`; "fan": many
            from the base to the outer margin.
        pairs: Number of pairs of side veins.
        rise: How far a pinnate vein runs forward for each hundred sideways.
        tips: Ends of the palmate or fan veins.
        leaflets: Centres x of the pairs of leaflets of a compound leaf; () for a simple one.
    """

    name: str
    outline: tuple[tuple[int, int, int], ...]
    margin: str
    teeth: int
    depth: int
    veins: Literal["pinnate", "palmate", "fan"]
    pairs: int = 0
    rise: int = 0
    tips: tuple[Point, ...] = ()
    leaflets: tuple[int, ...] = ()


SPECIES = (
    Species(
        "ash",
        ((0, 0, 1), (18, 12, 0), (45, 19, 0), (72, 14, 0), (100, 0, 1)),
        "serrate", 7, 14, "pinnate", pairs=3, rise=80, leaflets=(22, 44, 66),
    ),
    Species(
        "beech",
        ((0, 0, 1), (9, 13, 0), (26, 26, 0), (46, 31, 0), (68, 26, 0), (87, 12, 0), (100, 0, 1)),
        "wavy", 7, 14, "pinnate", pairs=8, rise=75,
    ),
    Species(
        "birch",
        ((0, 0, 1), (3, 16, 0), (13, 31, 0), (28, 34, 0), (50, 25, 0), (76, 10, 0), (100, 0, 1)),
        "double", 8, 52, "pinnate", pairs=6, rise=95,
    ),
    Species(
        "ginkgo",
        ((0, 0, 1), (22, 16, 0), (46, 42, 0), (60, 58, 1), (78, 46, 0), (88, 24, 0), (84, 7, 0),
         (58, 0, 1)),
        "wavy", 9, 14, "fan",
        tips=((60, 56), (68, 51), (76, 45), (81, 38), (85, 31), (87, 23), (88, 15), (84, 7)),
    ),
    Species(
        "holly",
        ((0, 0, 1), (10, 12, 0), (28, 22, 0), (50, 25, 0), (72, 20, 0), (90, 8, 0), (100, 0, 1)),
        "spiny", 4, 125, "pinnate", pairs=4, rise=60,
    ),
    Species(
        "linden",
        ((12, 0, 1), (2, 10, 0), (3, 28, 0), (18, 43, 0), (40, 43, 0), (64, 28, 0), (84, 9, 0),
         (100, 0, 1)),
        "serrate", 11, 26, "palmate", pairs=4, rise=85, tips=((12, 40), (50, 37)),
    ),
    Species(
        "maple",
        ((16, 0, 1), (10, 12, 0), (2, 32, 1), (17, 31, 0), (24, 30, 1), (27, 44, 1), (37, 46, 0),
         (56, 62, 1), (55, 45, 1), (63, 40, 1), (53, 21, 1), (68, 23, 0), (74, 29, 1), (79, 15, 0),
         (100, 0, 1)),
        "entire", 6, 0, "palmate", pairs=2, rise=110, tips=((4, 31), (54, 59)),
    ),
    Species(
        "oak",
        ((0, 0, 1), (6, 5, 0), (15, 17, 0), (22, 16, 0), (24, 8, 0), (31, 22, 0), (39, 27, 0),
         (43, 21, 0), (44, 10, 0), (52, 30, 0), (61, 35, 0), (65, 27, 0), (65, 12, 0), (74, 29, 0),
         (82, 28, 0), (85, 17, 0), (93, 14, 0), (99, 7, 0), (100, 0, 0)),
        "entire", 6, 0, "pinnate", pairs=4, rise=70,
    ),
    Species(
        "sweetgum",
        ((16, 0, 1), (13, 12, 0), (3, 44, 1), (20, 36, 0), (33, 17, 1), (48, 42, 0), (68, 56, 1),
         (62, 36, 0), (53, 15, 1), (78, 13, 0), (100, 0, 1)),
        "serrate", 16, 12, "palmate", pairs=0, tips=((4, 43), (66, 54)),
    ),
    Species(
        "willow",
        ((0, 0, 1), (10, 6, 0), (30, 11, 0), (52, 11, 0), (78, 6, 0), (100, 0, 1)),
        "serrate", 12, 9, "pinnate", pairs=9, rise=190,
    ),
)  # fmt: skip
