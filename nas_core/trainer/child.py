"""One child from specification to result, in the process that trains it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from nas_core.cost import cost
from nas_core.datasets import open_dataset
from nas_core.errors import SpecError
from nas_core.files import sha256_file, write_with
from nas_core.saved_models import check_saved_model
from nas_core.spec import ChainSpec, SepConv, Spec
from nas_core.trainer import runtime
from nas_core.trainer.base import STOPPED, WARNINGS, Job, Result, Status, failed
from nas_core.trainer.build import build_model, servable_model
from nas_core.trainer.checkpoint import Checkpoints
from nas_core.trainer.control import CONTROLLED
from nas_core.trainer.data_pipeline import load_pixels, trained_shape
from nas_core.trainer.inherit import InheritingBuilder
from nas_core.trainer.losses import accuracy_head
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.training import Outcome, score_of, train


@dataclass(frozen=True)
class Builder:
    """Makes untrained models of one specification.

    Attributes:
        spec: What to build.
        shape: Height, width, channels of the images.
        classes: Of the data set.
        initialiser: Of kernels.
        precision: "float32" or "mixed_bfloat16".
        own: A user's function (spec, shape, classes) -> model; None for the project's.
    """

    spec: Spec
    shape: tuple[int, int, int]
    classes: int
    initialiser: str
    precision: str
    own: Callable[..., Any] | None = None

    def __call__(self, total_steps: int) -> keras.Model:
        """Build one, for so many training steps.

        Raises:
            SpecError: It cannot be built, or not for these classes.
        """
        try:
            model = self._build(total_steps)
        except ValueError as error:
            raise SpecError(f"expected a network that Keras can build: {error}") from error
        shape = getattr(accuracy_head(model.output), "shape", None)
        if shape != (None, self.classes):
            raise SpecError(
                f"expected an output of {self.classes} classes, as the data has, received "
                f"{shape}: end with SM({self.classes})"
            )
        return model

    def _build(self, total_steps: int) -> keras.Model:
        if self.own is not None:
            return self.own(self.spec, self.shape, self.classes)
        return build_model(
            self.spec,
            self.shape,
            initialiser=self.initialiser,
            precision=self.precision,
            total_steps=total_steps,
        )


def run_child(
    spec: Spec,
    job: Job,
    data: Path,
    recipe: Recipe,
    batch: int,
    fraction: float,
    own: Callable[..., Any] | None,
) -> Result:
    """Train one child; see `keras_trainer.KerasTrainer` for the arguments.

    Raises:
        SpecError: The network cannot be built on these images.
        Exception: Whatever else goes wrong, memory included.
    """
    # Collecting garbage takes 0.2 s, which a process that has not trained before can save.
    keras.backend.clear_session(free_memory=load_pixels.cache_info().currsize > 0)
    info = open_dataset(data)
    shape = trained_shape(info.image_shape, recipe.image_size)
    # An impossible network is refused before any image is read; a user's function may differ.
    figures = cost(spec, shape) if own is None else None
    precision = _precision(spec, recipe, own is None)
    builder = Builder(spec, shape, len(info.classes), recipe.initialiser, precision, own)
    pixels = load_pixels(data, info.digest, recipe.image_size, fraction)
    keep = job.model_path is not None
    heir = None if job.init_from is None else InheritingBuilder(builder, _source(job.init_from))
    build = builder if heir is None else heir
    checkpoints = _checkpoints(spec, job, recipe, batch, fraction, info.digest, precision, own)
    model, outcome = train(
        build, pixels, recipe, job.seed,
        batch=batch, keep_best=keep, checkpoints=checkpoints, stops=job.stops,
    )  # fmt: skip
    warnings = [] if checkpoints is None else checkpoints.warnings
    result = replace(
        _result(outcome, recipe),
        attempts=outcome.attempts,
        seconds=0.0 if checkpoints is None else checkpoints.seconds_before,
        parameters=model.count_params() if figures is None else figures.parameters,
        macs=None if figures is None else figures.macs,
        details={"learning_rate": outcome.rate, "batch_size": batch, "precision": precision}
        | ({} if heir is None else {"copied": heir.copied, "fresh": heir.fresh})
        | ({WARNINGS: warnings} if warnings else {})
        | _steered(recipe, outcome)
        | ({STOPPED: len(outcome.curve)} if _stopped(outcome, recipe) else {}),
    )
    if job.model_path is not None and result.status is Status.OK:
        saved = servable_model(model, spec if own is None else None, shape, info.image_shape)
        write_with(job.model_path, saved.save)
    return result


def _steered(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    if outcome.interventions is None:
        return {}
    return {CONTROLLED: {"brain": recipe.controller, "interventions": outcome.interventions}}


def _checkpoints(
    spec: Spec,
    job: Job,
    recipe: Recipe,
    batch: int,
    fraction: float,
    data_digest: str,
    precision: str,
    own: Callable[..., Any] | None,
) -> Checkpoints | None:
    """Return the job's checkpoints, which only the very same training may go on from."""
    if job.checkpoint is None:
        return None
    identity = {
        "spec": spec.to_json(),
        "seed": job.seed,
        "threads": job.threads,
        "best": job.model_path is not None,
        "stops": list(job.stops),
        "init_from": None if job.init_from is None else sha256_file(job.init_from),
        "recipe": recipe.to_json(),
        "batch": batch,
        "fraction": fraction,
        "data": data_digest,
        "precision": precision,
        "build": None if own is None else f"{own.__module__}.{own.__qualname__}",
        "keras": f"{keras.__version__} {keras.backend.backend()}",
    }
    return Checkpoints(job.checkpoint, identity)


def _source(path: Path) -> keras.Model:
    check_saved_model(path)
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _stopped(outcome: Outcome, recipe: Recipe) -> bool:
    return not outcome.problem and len(outcome.curve) < recipe.epochs


def _result(outcome: Outcome, recipe: Recipe) -> Result:
    if outcome.problem:
        return replace(failed(Status.DIVERGED, outcome.problem), curve=outcome.curve)
    return Result(Status.OK, score_of(outcome.curve, recipe), outcome.curve)


def _precision(spec: Spec, recipe: Recipe, ours: bool) -> str:
    """Return Keras's dtype policy for this network on this machine."""
    if recipe.precision != "auto":
        return recipe.precision
    dense = ours and isinstance(spec, ChainSpec)  # cells are made of separable convolutions
    if not dense or any(isinstance(layer, SepConv) for layer in spec.layers):  # type: ignore[attr-defined]
        return "float32"
    return "mixed_bfloat16" if runtime.computes_in_bfloat16() else "float32"
