"""A trainer that trains nothing: a smooth, noisy, repeatable surrogate in well under a millisecond.

For trying agents, for tests and for comparisons; no TensorFlow is imported.
"""

from dataclasses import dataclass
from math import exp, log
from typing import Any, ClassVar

import numpy as np

from nas_core.cost import Cost
from nas_core.errors import SpecError, UsageError
from nas_core.seeding import generator
from nas_core.spec import Spec
from nas_core.trainer import surrogate
from nas_core.trainer.base import Epoch, Job, Result, Status, failed
from nas_core.trainer.features import features

EPOCHS = 4
IMAGES = 2800
MACS_PER_SECOND = 2e10  # of one thread, forwards and backwards
START_SECONDS = 1.5  # building and tracing
RATE = 1e-3


@dataclass(frozen=True)
class MockTrainer:
    """Answers with an accuracy that depends on the architecture, and a little on the seed.

    The same specification, job seed and mock seed give the same result on any machine.

    Attributes:
        image_shape: Height, width, channels that the networks are meant for.
        classes: Number of classes, at least 2.
        noise: Standard deviation of a score over job seeds, at least 0.
        seed: Of the noise.
    """

    name: ClassVar[str] = "mock"
    preload: ClassVar[tuple[str, ...]] = ("nas_core.trainer.mock",)

    image_shape: tuple[int, int, int] = (32, 32, 3)
    classes: int = 10
    noise: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.classes < 2 or not 0.0 <= self.noise < 1.0:
            raise UsageError(
                f"expected at least 2 classes and noise in [0, 1), received {self.classes} and "
                f"{self.noise}: change them"
            )

    def config(self) -> dict[str, Any]:
        """Return JSON values that scores depend on."""
        return {
            "trainer": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            "noise": self.noise,
            "seed": self.seed,
            "version": surrogate.VERSION,
        }

    def score(self, spec: Spec, job: Job) -> Result:
        """Return a simulated result: the best validation accuracy of a simulated curve."""
        try:
            found, figures = features(spec, self.image_shape)
        except SpecError as error:
            return failed(Status.INVALID, str(error))
        rng = generator(self.seed, f"mock {spec.digest}", job.seed)
        target = surrogate.expected_accuracy(spec, found, self.classes)
        curve = self._curve(target + self.noise * rng.standard_normal(), found["depth"], rng)
        return Result(
            Status.OK,
            max(epoch.val_accuracy for epoch in curve),
            curve,
            seconds=simulated_seconds(figures),
            parameters=figures.parameters,
            macs=figures.macs,
        )

    def _curve(self, final: float, depth: float, rng: np.random.Generator) -> tuple[Epoch, ...]:
        """Rise from chance to `final`, more slowly the deeper the network is."""
        chance, pace = 1.0 / self.classes, 0.8 + 0.15 * depth
        final = min(max(final, 0.0), 1.0)
        shares = [
            (1.0 - exp(-(epoch + 1) / pace)) / (1.0 - exp(-EPOCHS / pace))
            for epoch in range(EPOCHS)
        ]
        jitter = 0.5 * self.noise * rng.standard_normal(EPOCHS - 1)
        values = [
            min(max(chance + (final - chance) * share + wobble, 0.0), final)
            for share, wobble in zip(shares[:-1], jitter.tolist(), strict=True)
        ]
        return tuple(self._epoch(value) for value in (*values, final))

    def _epoch(self, accuracy: float) -> Epoch:
        """Return an epoch of that validation accuracy; losses are those of a calibrated net."""
        seen = min(1.0, accuracy * 1.05)
        return Epoch(
            self._loss(seen), seen, val_loss=self._loss(accuracy), val_accuracy=accuracy,
            learning_rate=RATE,
        )  # fmt: skip

    def _loss(self, accuracy: float) -> float:
        return log(self.classes) * (1.0 - accuracy) / (1.0 - 1.0 / self.classes)


def simulated_seconds(figures: Cost) -> float:
    """Return the seconds that a training would take on one thread, from its multiply-adds."""
    return START_SECONDS + EPOCHS * IMAGES * 3 * figures.macs / MACS_PER_SECOND
