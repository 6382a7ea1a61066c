"""Rewards made unreliable on purpose: how much an agent loses to chance."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nas_core.seeding import generator
from nas_core.space import SearchSpace, sample, spec_of
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Trainer, credits_repeats

DRAWN = 200  # networks whose scores say what a usual difference is


@dataclass(frozen=True)
class NoisyTrainer:
    """Adds a normal error to each score of another trainer.

    Attributes:
        trainer: The other one.
        deviation: Standard deviation of the error, 0 or more, on the scale of scores.
        repeats: As the other trainer's: whether a repeat is a draw of its own.
    """

    trainer: Trainer
    deviation: float
    repeats: bool

    @property
    def name(self) -> str:
        """Of the trainer below."""
        return self.trainer.name

    def score(self, spec: Spec, job: Job) -> Result:
        """Return the other's result with an error that the job's seed and trial decide."""
        result = self.trainer.score(spec, job)
        if result.score is None:
            return result
        error = generator(job.seed, "noise", job.trial).normal(0.0, self.deviation)
        return replace(result, score=result.score + error)

    def config(self) -> dict[str, Any]:
        """Return the other's values and the deviation."""
        return {**self.trainer.config(), "noise": self.deviation}


def with_noise(trainer: Trainer, space: SearchSpace[Any], noise: float) -> Trainer:
    """Return a trainer with an error of `noise` interquartile ranges of uniform networks' scores.

    Args:
        trainer: Answers at once.
        space: Where networks are drawn from.
        noise: 0 or more; 0 returns the trainer as it is.
    """
    if noise == 0.0:
        return trainer
    drawn = [spec_of(space, sample(space, generator(0, "noise", n))) for n in range(DRAWN)]
    scores = [trainer.score(spec, Job(trial, trial)).score for trial, spec in enumerate(drawn)]
    low, high = np.quantile([score for score in scores if score is not None], [0.25, 0.75])
    return NoisyTrainer(trainer, noise * float(high - low), not credits_repeats(trainer))
