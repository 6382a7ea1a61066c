"""What layers of chains cost, for whole arrays of layers at once.

The figures are those of `nas_core.cost`; that of a layer is spread over its convolution,
normalisation, activation, pooling and dropout (see `chain_layers`). Numbers are int64 throughout.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nas_core.cost import BYTES, Limits
from nas_net_architecture.chain_config import ChainSpaceConfig, Option

IMPOSSIBLE = 1 << 56  # parameters of what cannot be built: above every limit, and safe to add to
STRIDES = ("stride height", "stride width")
Whole = np.ndarray | int


class Maps(NamedTuple):
    """Sizes of maps; of none, all are 0.

    Attributes:
        height: In pixels.
        width: In pixels.
        channels: Of each pixel.
    """

    height: Whole
    width: Whole
    channels: Whole

    def joined(self, other: "Maps") -> "Maps":
        """Return what is read where both are: the smaller padded, channels side by side."""
        return Maps(
            np.maximum(self.height, other.height),
            np.maximum(self.width, other.width),
            self.channels + other.channels,
        )

    def where(self, chosen: np.ndarray, other: "Maps") -> "Maps":
        """Return these maps where `chosen`, elsewhere the others."""
        return Maps(
            np.where(chosen, self.height, other.height),
            np.where(chosen, self.width, other.width),
            np.where(chosen, self.channels, other.channels),
        )

    @property
    def numbers(self) -> Whole:
        """How many there are in a map."""
        return self.height * self.width * self.channels


class Sums(NamedTuple):
    """What layers cost together.

    Attributes:
        parameters: Weights.
        macs: Multiply-accumulates.
        kept: Numbers kept for the backward pass.
    """

    parameters: Whole
    macs: Whole
    kept: Whole

    def plus(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(
            self.parameters + other.parameters, self.macs + other.macs, self.kept + other.kept
        )

    def within(self, limits: Limits) -> np.ndarray:
        """Return where all three are within the limits."""
        most = IMPOSSIBLE - 1 if limits.parameters is None else limits.parameters
        fits = np.asarray(self.parameters <= most)
        if limits.macs is not None:
            fits = fits & (self.macs <= limits.macs)
        if limits.activation_bytes is not None:
            fits = fits & (BYTES * self.kept <= limits.activation_bytes)
        return fits


def numbers(kind: str, options: tuple[Option, ...]) -> np.ndarray:
    """Return what a choice's options count as in `layer`: rates and names by whether they cost."""
    if kind == "activations":
        return np.zeros(len(options), np.int64)
    if kind == "dropouts":
        return np.array([float(rate) > 0.0 for rate in options], np.int64)
    return np.array(options, np.int64)


def layer(own: dict[str, Whole], read: Maps) -> tuple[Sums, Maps]:
    """Return what layers add and put out; of pooling more than there is, maps of side 0.

    Args:
        own: Their `numbers` by kind of choice.
        read: The maps that they read, joined.
    """
    filters, pool, norms = own["filters"], own["pools"], own["batch_norms"]
    height = _strided(read.height, own["stride height"])
    width = _strided(read.width, own["stride width"])
    weights = own["heights"] * own["widths"] * filters * read.channels
    positions = height * width
    out = Maps(height // pool, width // pool, filters)
    # Normalisation and activation, pooling and dropout each keep what they put out.
    behind = (pool > 1) + own["dropouts"]
    kept = (positions * (1 + 2 * norms) + out.height * out.width * behind) * filters
    return Sums(weights + filters * (1 + 4 * norms), positions * weights, kept), out


def _strided(side: Whole, stride: Whole) -> Whole:
    """Return a map's side after padded steps of `stride`; nearly always that is 1."""
    return side if isinstance(stride, int) and stride == 1 else -(-side // stride)


def classifier(read: Maps, several: Whole, classes: int, average: bool) -> Sums:
    """Return what the end of networks adds.

    Args:
        read: The maps that nobody else reads, joined.
        several: 1 where they are more than one, else 0.
        classes: Of the classifier.
        average: Whether maps are averaged over their positions before it.
    """
    joined = read.numbers
    features = read.channels if average else joined
    kept = joined * several + classes + (read.channels if average else 0)
    return Sums(features * classes + classes, features * classes, kept)


@dataclass(frozen=True)
class Tails:
    """The plainest layers behind any layer, each of which reads the one before.

    Attributes:
        row_of: Number of each height among those that occur, [image height + 1].
        column_of: Number of each width, [image width + 1].
        filters: Those that occur, ascending.
        shape: How many heights and widths occur.
        figures: By number of layers, height, width and filters before them, as one index: what
            they add (three rows) and put out (three rows) [6, ...]. Behind a map of side 0, and
            where there is one among them, `IMPOSSIBLE` is added.
    """

    row_of: np.ndarray
    column_of: np.ndarray
    filters: np.ndarray
    shape: tuple[int, int]
    figures: np.ndarray

    @classmethod
    def of(
        cls, config: ChainSpaceConfig, plain: dict[str, Whole], image: tuple[int, int, int]
    ) -> "Tails":
        """Count the layers of a space's plainest kind, `plain` by kind of choice."""
        rows, columns = (_reached(side, config) for side in image[:2])
        filters = np.array(sorted(config.filters), np.int64)
        grid = np.meshgrid(rows, columns, filters, indexing="ij")
        maps = Maps(*(part.ravel() for part in grid))
        found = []
        sums = Sums(IMPOSSIBLE * ((maps.height == 0) | (maps.width == 0)), 0, 0)
        for _ in range(config.depths[-1]):
            found.append(np.stack(np.broadcast_arrays(*sums, *maps)))
            added, maps = layer(plain, maps)
            gone = IMPOSSIBLE * ((maps.height == 0) | (maps.width == 0))
            sums = sums.plus(added).plus(Sums(gone, 0, 0))
        return cls(
            _numbering(rows, image[0]), _numbering(columns, image[1]), filters,
            (len(rows), len(columns)), np.concatenate(found, axis=1),
        )  # fmt: skip

    def behind(self, maps: Maps, count: Whole) -> tuple[Sums, Maps]:
        """Return what `count` layers behind `maps` add, and what comes out of the last."""
        rows = self.row_of.take(maps.height)
        columns = self.column_of.take(maps.width)
        place = (count * self.shape[0] + rows) * self.shape[1] + columns
        place = place * len(self.filters) + np.searchsorted(self.filters, maps.channels)
        found = self.figures.take(place, axis=1)
        return Sums(*found[:3]), Maps(*found[3:])


def _reached(side: int, config: ChainSpaceConfig) -> list[int]:
    """Return all sides of maps that strides and pools can lead to, 0 (pooled away) included."""
    found, waiting = {0}, [side]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            strided = {-(-here // stride) for stride in config.strides} | {here}
            waiting += [size // pool for size in strided for pool in (1, *config.pools)]
    return sorted(found)


def _numbering(sides: list[int], largest: int) -> np.ndarray:
    """Return the place of each side among `sides` [largest + 1]; 0 for what does not occur."""
    found = np.zeros(largest + 1, np.int64)
    found[sides] = np.arange(len(sides))
    return found
