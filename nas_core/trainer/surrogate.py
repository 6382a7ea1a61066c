"""A smooth guess of an architecture's accuracy: one response for each feature, multiplied.

Because responses are multiplied, a good network needs several right decisions at once, and no
single feature at its extreme makes one. All numbers are in `TABLE`, so that they can be fitted
to real trainings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

from nas_core.spec import CellSpec, Spec

VERSION = 1  # of `TABLE`: scores of different versions are not comparable


@dataclass(frozen=True)
class Response:
    """How one feature acts on the quality in [0, 1].

    Attributes:
        feature: Its name (see `features.features`).
        shape: "peak" (best at `centre`) or "rise" (better above `centre`, then no more).
        centre: Where the peak is, or where half of the rise is reached.
        width: Standard deviation of the peak, or a quarter of the rise's span; above 0.
        floor: What is left far away, in [0, 1].
    """

    feature: str
    shape: str
    centre: float
    width: float
    floor: float

    def __call__(self, value: float) -> float:
        """Return the factor, in [floor, 1]."""
        distance = (value - self.centre) / self.width
        if self.shape == "peak":
            height = exp(-0.5 * distance**2)
        else:
            height = 1.0 / (1.0 + exp(-max(-50.0, min(50.0, distance))))
        return self.floor + (1.0 - self.floor) * height


@dataclass(frozen=True)
class Table:
    """All coefficients.

    Attributes:
        ceiling: Accuracy of the best conceivable network after a short training, below 1.
        sharpness: Power that the product is raised to: the higher, the further scores spread.
        chain: Responses of chains.
        cell: Responses of cell networks.
    """

    ceiling: float
    sharpness: float
    chain: tuple[Response, ...]
    cell: tuple[Response, ...]


TABLE = Table(
    ceiling=0.8,
    sharpness=0.45,
    chain=(
        Response("depth", "peak", 4.5, 2.2, 0.45),
        Response("width", "rise", 4.2, 0.6, 0.4),
        Response("width", "peak", 6.0, 2.0, 0.8),
        Response("growth", "peak", 1.5, 2.0, 0.75),
        Response("field", "peak", -0.2, 1.0, 0.45),
        Response("map", "peak", 2.0, 1.6, 0.6),
        Response("dense", "peak", 0.4, 1.1, 0.75),
        Response("dropout", "peak", 0.2, 0.3, 0.85),
        Response("norm", "rise", -0.3, 0.35, 0.7),
        Response("skips", "peak", 2.0, 3.0, 0.9),
        Response("parameters", "peak", 5.3, 0.9, 0.7),
    ),
    cell=(
        Response("depth", "peak", 9.0, 5.0, 0.45),
        Response("width", "rise", 3.0, 0.8, 0.5),
        Response("separable", "peak", 0.6, 0.25, 0.5),
        Response("pool", "peak", 0.2, 0.25, 0.7),
        Response("identity", "peak", 0.15, 0.2, 0.7),
        Response("spread", "rise", 0.2, 0.15, 0.7),
        Response("field", "peak", 5.0, 1.2, 0.6),
        Response("parameters", "peak", 5.2, 1.2, 0.7),
    ),
)


def expected_accuracy(spec: Spec, found: Mapping[str, float], classes: int) -> float:
    """Return the accuracy before noise: from chance, 1 / classes, to the table's ceiling.

    Args:
        spec: Decides which responses are used.
        found: Its features.
        classes: Number of classes; chance is what a useless network reaches.
    """
    quality = 1.0
    for response in TABLE.cell if isinstance(spec, CellSpec) else TABLE.chain:
        quality *= response(found[response.feature])
    chance = 1.0 / classes
    return chance + (max(TABLE.ceiling, chance) - chance) * quality**TABLE.sharpness
