"""A trainer that trains nothing: a smooth, noisy, repeatable surrogate in well under a millisecond.

Accuracy, curve and seconds are fitted to real trainings on leaves (see `surrogate`). For trying
agents, for tests and for comparisons; no TensorFlow is imported.
"""

from dataclasses import dataclass, replace
from math import log
from typing import Any, ClassVar

from nas_core.early_stopping import is_hopeless
from nas_core.errors import SpecError, UsageError
from nas_core.files import sha256_bytes
from nas_core.seeding import generator
from nas_core.spec import Spec, TableSpec
from nas_core.trainer import surrogate, table_surrogate
from nas_core.trainer.base import STOPPED, Epoch, Job, Result, Status, failed
from nas_core.trainer.features import features

# Of rows of tables, which have no layers to be costed.
ROW_NOISE, ROW_SECONDS, ROW_CURVE = 0.01, 1.5, (0.5, 0.75, 0.9, 1.0)
RATE = 1e-3


@dataclass(frozen=True)
class MockTrainer:
    """Answers with an accuracy that depends on the architecture, and a little on the seed.

    The same specification, job seed and mock seed give the same result on any machine.

    Attributes:
        image_shape: Height, width, channels that the networks are meant for.
        classes: Number of classes, at least 2.
        noise: Standard deviation of a score over job seeds, at least 0; None for what real
            trainings on leaves have.
        seed: Of the noise.
    """

    name: ClassVar[str] = "mock"
    preload: ClassVar[tuple[str, ...]] = ("nas_core.trainer.mock",)

    image_shape: tuple[int, int, int] = (32, 32, 3)
    classes: int = 10
    noise: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.classes < 2 or not (self.noise is None or 0.0 <= self.noise < 1.0):
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
            "calibration": _calibration_digest(),
        }

    def score(self, spec: Spec, job: Job) -> Result:
        """Return a simulated result: the best validation accuracy of a simulated curve."""
        if isinstance(spec, TableSpec):
            return self._score_row(spec, job)
        try:
            found, figures = features(spec, self.image_shape)
        except SpecError as error:
            return failed(Status.INVALID, str(error))
        fit = surrogate.fit_of(spec)
        target = surrogate.expected_accuracy(fit, found, self.classes)
        curve = self._curve(spec, job, target, fit.noise, fit.curve)
        result = Result(
            Status.OK,
            curve[-1].val_accuracy,
            curve,
            seconds=surrogate.expected_seconds(fit, figures),
            parameters=figures.parameters,
            macs=figures.macs,
        )
        return _stopped(result, job)

    def _score_row(self, spec: TableSpec, job: Job) -> Result:
        """Return a simulated result of a table's row, which has no layers to be costed."""
        target = table_surrogate.expected_accuracy(spec, self.classes)
        curve = self._curve(spec, job, target, ROW_NOISE, ROW_CURVE)
        return Result(Status.OK, curve[-1].val_accuracy, curve, seconds=ROW_SECONDS)

    def _curve(
        self, spec: Spec, job: Job, target: float, usual: float, shares: tuple[float, ...]
    ) -> tuple[Epoch, ...]:
        """Rise from chance to a noisy target, which the last epoch reaches and none exceeds."""
        noise, chance = usual if self.noise is None else self.noise, 1.0 / self.classes
        rng = generator(self.seed, f"mock {spec.digest}", job.seed)
        final = min(max(target + noise * rng.standard_normal(), 0.0), 1.0)
        jitter = 0.5 * noise * rng.standard_normal(len(shares) - 1)
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


def _stopped(result: Result, job: Job) -> Result:
    """Return what is left of a result when a hopeless child is not trained to its end."""
    accuracies = [epoch.val_accuracy for epoch in result.curve]
    for epochs, accuracy in enumerate(accuracies[:-1], start=1):
        if is_hopeless(epochs, accuracy, job.stops):
            return replace(
                result,
                score=max(accuracies[:epochs]),
                curve=result.curve[:epochs],
                seconds=result.seconds * epochs / len(accuracies),
                details={STOPPED: epochs},
            )
    return result


def _calibration_digest() -> str:
    """Return what tells one calibration from another: scores of two are not comparable."""
    return sha256_bytes(repr(sorted(surrogate.calibration().items())).encode())[:12]
