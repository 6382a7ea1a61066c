"""The trainer that trains: a specification becomes a Keras model and a validation accuracy."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nas_core.cost import cost
from nas_core.errors import DataError, SpecError
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Status, failed
from nas_core.trainer.recipe import Recipe

Build = Callable[[Spec, tuple[int, int, int], int], Any]
MEMORY_WORDS = ("resource_exhausted", "resource exhausted", "out of memory", "bad_alloc", "oom ")


@dataclass(frozen=True)
class KerasTrainer:
    """Trains networks on a data set's training split and scores them on its validation split.

    Attributes:
        data: The data set's folder.
        recipe: How networks are trained.
        data_fraction: Share of the training split, stratified, in (0, 1].
        build: The user's (spec, image shape, classes) -> model on pixels in [0, 255]; None for
            the project's own builder.
    """

    data: Path
    recipe: Recipe
    data_fraction: float = 1.0
    build: Build | None = None
    name: str = "real"
    # Imported once by the fork server, so that a child starts in a moment.
    preload: ClassVar[tuple[str, ...]] = (
        "keras",
        "nas_core.datasets",
        "nas_core.trainer.build",
        "nas_core.trainer.fitting",
        "nas_core.trainer.keras_trainer",
    )

    def score(self, spec: Spec, job: Job) -> Result:
        """Train `spec` and return its validation accuracy, or a typed failure; never raises."""
        started = time.monotonic()
        try:
            result = self._attempt(spec, job, self.recipe)
            if result.status is Status.OUT_OF_MEMORY and self.recipe.batch_size > 1:
                half = replace(self.recipe, batch_size=self.recipe.batch_size // 2)
                again = self._attempt(spec, job, half)
                result = replace(again, attempts=result.attempts + again.attempts)
        except (SpecError, DataError) as error:
            result = failed(Status.INVALID, str(error))
        except Exception as error:  # whatever a child does, the search must hear of it
            result = failed(Status.ERROR, f"{type(error).__name__}: {error}")
        return replace(result, seconds=time.monotonic() - started)

    def _attempt(self, spec: Spec, job: Job, recipe: Recipe) -> Result:
        """Train once; running out of memory is an answer, other errors are raised."""
        try:
            return self._train(spec, job, recipe)
        except Exception as error:
            if not _out_of_memory(error):
                raise
            line = f"batch of {recipe.batch_size}: {type(error).__name__}"
            return failed(Status.OUT_OF_MEMORY, line)

    def _train(self, spec: Spec, job: Job, recipe: Recipe) -> Result:
        from nas_core.datasets import load_split, open_dataset
        from nas_core.trainer.fitting import Pixels, fit
        from nas_core.trainer.runtime import precision_for, prepare_runtime
        from nas_core.trainer.schedule import score_of

        prepare_runtime(job.threads)
        info = open_dataset(self.data)
        shape = image_shape(info.image_shape, recipe)
        precision = precision_for(spec, recipe.precision)
        splits = []
        for split in (
            load_split(info, "train", self.data_fraction),
            load_split(info, "validation"),
        ):
            splits.append(Pixels(sized(split.images, shape), np.asarray(split.labels)))
        classes = len(info.classes)
        fitted = fit(
            lambda: self._build(spec, shape, classes, recipe, precision),
            splits[0], splits[1], recipe, seed=job.seed, classes=classes,
        )  # fmt: skip
        parameters, macs = self._size(spec, shape, fitted.model)
        known = Result(
            Status.DIVERGED, None, fitted.curve, 0.0, parameters, macs, fitted.failure,
            fitted.attempts,
            {"learning_rate": fitted.learning_rate, "batch_size": recipe.batch_size,
             "precision": precision},
        )  # fmt: skip
        if fitted.failure:
            return known
        if job.model_path is not None:
            save_model(fitted.model, job.model_path, info.image_shape)
        accuracies = [epoch.val_accuracy for epoch in fitted.curve]
        score = score_of(accuracies, recipe.score, recipe.score_epochs)
        return replace(known, status=Status.OK, score=score)

    def _build(
        self,
        spec: Spec,
        shape: tuple[int, int, int],
        classes: int,
        recipe: Recipe,
        precision: str,
    ) -> Any:
        from nas_core.trainer.build import build_model

        if self.build is not None:
            return self.build(spec, shape, classes)
        return build_model(spec, shape, initialiser=recipe.initialiser, precision=precision)

    def _size(
        self, spec: Spec, shape: tuple[int, int, int], model: Any
    ) -> tuple[int | None, int | None]:
        """Return parameters and MACs; of a user's network only the parameters are known."""
        if self.build is not None:
            return int(model.count_params()), None
        found = cost(spec, shape)
        return found.parameters, found.macs

    def config(self) -> dict[str, Any]:
        """Return what identifies the scores; the data set's digest is the search's to check."""
        build = self.build
        return {
            "trainer": self.name,
            "recipe": self.recipe.to_json(),
            "data_fraction": self.data_fraction,
            "build": None if build is None else f"{build.__module__}:{build.__qualname__}",
        }


def image_shape(stored: tuple[int, int, int], recipe: Recipe) -> tuple[int, int, int]:
    """Return the shape that networks see: the recipe's size, or as stored."""
    if recipe.image_size is None:
        return stored
    return recipe.image_size, recipe.image_size, stored[2]


def sized(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return uint8 images [N, *shape], resized as a saved model resizes them."""
    if images.shape[1:] == shape:
        return np.ascontiguousarray(images)
    from nas_core.trainer.build import resizing

    layer = resizing(shape[0], shape[1])
    small = np.empty((len(images), *shape), np.uint8)
    for start in range(0, len(images), 512):
        batch = np.asarray(layer(np.asarray(images[start : start + 512], np.float32)))
        small[start : start + 512] = np.clip(np.rint(batch), 0, 255)
    return small


def save_model(model: Any, path: Path, stored: tuple[int, int, int]) -> None:
    """Save a model that takes stored pixels and loads with plain Keras, atomically."""
    from nas_core.files import write_with
    from nas_core.trainer.build import with_stored_size

    write_with(path, with_stored_size(model, stored).save)


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    text = f"{type(error).__name__} {error}".lower().replace(
        "resourceexhausted", "resource exhausted"
    )
    return any(word in text for word in MEMORY_WORDS)
