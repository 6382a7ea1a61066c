"""A trainer without training: a smooth surrogate of accuracy, curve and seconds, in microseconds.

The accuracy rises with depth, width and receptive field and falls where a network is too large to
learn in a few epochs, keeps too large a map, or ends on too few features. The effects multiply, so
that a good network needs several right decisions. One noise per (architecture, seed).
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from nas_core.cost import cost
from nas_core.cost.model import Cost
from nas_core.errors import SpecError
from nas_core.seeding import generator
from nas_core.spec import Spec
from nas_core.trainer.base import Epoch, Job, Result, Status, failed

EPOCHS = 4


@dataclass(frozen=True)
class Coefficients:
    """Where the surrogate's optimum lies, and how wide it is.

    Attributes:
        ceiling: Accuracy of a perfect network.
        macs: log10 of the best number of multiply-accumulates, and its width.
        layers: Best number of layers with weights, and its width.
        last_map: log2 of the best side of the last map, and its width.
        features: log2 of the best number of features before the classifier, and its width.
        noise: Standard deviation of a training's luck, in accuracy.
        macs_per_second: Speed of the simulated machine, for one image forwards and back.
        start_seconds: Building and tracing.
        images: Training images of the simulated data set.
    """

    ceiling: float = 0.93
    macs: tuple[float, float] = (7.05, 1.5)
    layers: tuple[float, float] = (6.0, 4.0)
    last_map: tuple[float, float] = (2.0, 2.2)
    features: tuple[float, float] = (7.0, 3.5)
    noise: float = 0.01
    macs_per_second: float = 6e10
    start_seconds: float = 1.5
    images: int = 2800


def _bump(value: float, best: tuple[float, float]) -> float:
    """Return a factor in (0, 1], 1 at the best value."""
    centre, width = best
    return math.exp(-(((value - centre) / width) ** 2))


@dataclass(frozen=True)
class MockTrainer:
    """Scores any specification without Keras.

    Attributes:
        image_shape: Height, width, channels of the simulated images.
        classes: Number of classes: chance is 1 / classes.
        coefficients: The surrogate.
    """

    image_shape: tuple[int, int, int] = (32, 32, 3)
    classes: int = 10
    coefficients: Coefficients = Coefficients()
    name: str = "mock"
    preload: ClassVar[tuple[str, ...]] = ("nas_core.trainer.mock",)

    def score(self, spec: Spec, job: Job) -> Result:
        """Return the surrogate's answer; the same specification and seed give the same one."""
        try:
            found = cost(spec, self.image_shape)
        except SpecError as error:
            return failed(Status.INVALID, str(error))
        noise = generator(job.seed, f"mock {spec.digest}").normal(0.0, self.coefficients.noise)
        expected = self.expected(found)
        score = min(1.0, max(0.0, expected + noise))
        seconds = self.coefficients.start_seconds + (
            3.0 * found.macs * self.coefficients.images * EPOCHS / self.coefficients.macs_per_second
        )
        return Result(
            Status.OK, score, self._curve(score), seconds, found.parameters, found.macs,
            details={"simulated": True},
        )  # fmt: skip

    def expected(self, found: Cost) -> float:
        """Return the accuracy without noise, in [1 / classes, ceiling]."""
        numbers, chance = self.coefficients, 1.0 / self.classes
        weighted = sum(row.parameters > 0 for row in found.layers) - 1
        maps = [row.shape for row in found.layers if len(row.shape) == 3] or [self.image_shape]
        features = max((row.shape[-1] for row in found.layers[:-1]), default=maps[-1][-1])
        quality = (
            _bump(math.log10(max(found.macs, 1)), numbers.macs)
            * _bump(float(weighted), numbers.layers)
            * _bump(math.log2(maps[-1][0]), numbers.last_map)
            * _bump(math.log2(features), numbers.features)
        )
        return chance + (numbers.ceiling - chance) * quality**0.5

    def _curve(self, score: float) -> tuple[Epoch, ...]:
        chance = 1.0 / self.classes
        reached = [chance + (score - chance) * (1 - 0.35**epoch) for epoch in range(1, EPOCHS + 1)]
        scale = score / reached[-1] if reached[-1] > 0 else 1.0
        return tuple(
            Epoch(-math.log(max(a * scale, 1e-3)), a * scale, -math.log(max(a * scale, 1e-3)),
                  a * scale, 1e-3)
            for a in reached
        )  # fmt: skip

    def config(self) -> dict[str, Any]:
        """Return what identifies the scores."""
        return {
            "trainer": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
        }
