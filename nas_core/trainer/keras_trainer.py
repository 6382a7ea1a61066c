"""The real trainer: builds the network with Keras, trains it on real images, answers typed.

Keras is imported when the first child is scored, not when this module is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from nas_core.datasets import open_dataset
from nas_core.errors import NasError, SpecError
from nas_core.spec import Spec
from nas_core.trainer import runtime
from nas_core.trainer.base import Job, Result, Status, failed
from nas_core.trainer.recipe import Recipe

Build = Callable[[Spec, tuple[int, int, int], int], Any]
# How Keras, TensorFlow, XLA and C++ say that memory has run out.
MEMORY_WORDS = ("resource_exhausted", "resourceexhausted", "out of memory", "bad_alloc", "oom when")


@dataclass(frozen=True)
class KerasTrainer:
    """Trains every child and scores it on the validation split.

    Weights are fresh, unless a job names a model to inherit from: then what fits is copied (see
    `inherit`), the recipe is the same, and the result's details list the layers.

    Meant for a process per child: it sets Python's, NumPy's and Keras's global seeds and clears
    Keras's session before each.

    Attributes:
        data: Folder of the data set (see `nas_core.datasets`).
        recipe: How to train.
        data_fraction: Part of the training split that children see, in (0, 1].
        build: Your own function (spec, image shape, classes) -> `keras.Model` with probabilities
            [B, classes] as output, importable by name; None for `build.build_model`.
    """

    name: ClassVar[str] = "real"
    # What a fork server imports once for all children; runtime comes before Keras.
    preload: ClassVar[tuple[str, ...]] = ("nas_core.trainer.runtime", "nas_core.trainer.child")

    data: Path
    recipe: Recipe
    data_fraction: float = 1.0
    build: Build | None = None

    def config(self) -> dict[str, Any]:
        """Return JSON values that scores depend on: recipe, data digest and fraction, builder."""
        own = None if self.build is None else f"{self.build.__module__}.{self.build.__qualname__}"
        return {
            "trainer": self.name,
            "recipe": self.recipe.to_json(),
            "data_digest": open_dataset(self.data).digest,
            "data_fraction": self.data_fraction,
            "build": own,
        }

    def score(self, spec: Spec, job: Job) -> Result:
        """Train `spec` and return its validation score; never raises for a bad child.

        When memory runs out it is trained once more with half the batch.
        """
        started = time.perf_counter()
        batch = self.recipe.batch_size
        result = self._attempt(spec, job, batch)
        if result.status is Status.OUT_OF_MEMORY and batch > 1:
            again = self._attempt(spec, job, batch // 2)
            result = replace(again, attempts=result.attempts + again.attempts)
        # What a killed process spent on the same training, up to its last checkpoint, counts.
        return replace(result, seconds=result.seconds + time.perf_counter() - started)

    def _attempt(self, spec: Spec, job: Job, batch: int) -> Result:
        try:
            runtime.prepare(job.threads)
            from nas_core.trainer.child import run_child

            return run_child(
                spec, job, self.data, self.recipe, batch, self.data_fraction, self.build
            )
        except Exception as error:  # whatever happens to a child is its result
            return failed(_status_of(error), _describe(error))


def _status_of(error: Exception) -> Status:
    if isinstance(error, SpecError):
        return Status.INVALID
    text = f"{type(error).__name__} {error}".lower()
    if isinstance(error, MemoryError) or any(word in text for word in MEMORY_WORDS):
        return Status.OUT_OF_MEMORY
    return Status.ERROR


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"
