"""One training from first weights to a curve: MetaQNN's ladder, the schedule, the best weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas_core.seeding import derived_seed, generator
from nas_core.trainer.augmentation import draw_changes
from nas_core.trainer.base import Epoch
from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.loop import Loop, make_loop
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.schedule import better_than_random, ladder_rates, rate_at

Weights = list[np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """How a training went.

    Attributes:
        curve: One entry per finished epoch of the last attempt.
        attempts: Trainings started on the ladder, at least 1.
        rate: Starting learning rate of the last attempt.
        problem: Why there is no score; empty if there is one.
    """

    curve: tuple[Epoch, ...]
    attempts: int
    rate: float
    problem: str = ""


def score_of(curve: tuple[Epoch, ...], recipe: Recipe) -> float:
    """Return the mean of the best, or the last, `recipe.score_epochs` validation accuracies."""
    accuracies = [epoch.val_accuracy for epoch in curve]
    if recipe.score == "best":
        accuracies.sort()
    return sum(accuracies[-recipe.score_epochs :]) / recipe.score_epochs


def train(
    build: Callable[[int], keras.Model],
    pixels: Pixels,
    recipe: Recipe,
    seed: int,
    *,
    batch: int | None = None,
    keep_best: bool = False,
) -> tuple[keras.Model, Outcome]:
    """Train one architecture.

    Sets Keras's global seed, so it belongs into a process of its own, or into one whose other
    parts draw from generators of their own.

    Args:
        build: Number of training steps -> an untrained model; called again for each restart.
        pixels: Data.
        recipe: How to train.
        seed: Decides weights, dropout, the order of images and their augmentation.
        batch: Images per step; None for the recipe's.
        keep_best: Whether the model ends with the weights of the epoch of best validation
            accuracy (the first of equals) rather than the last epoch's; for recipes with score
            "best".

    Returns:
        The trained model and how the training went.
    """
    size = min(recipe.batch_size if batch is None else batch, len(pixels.train.labels))
    steps = len(pixels.train.labels) // size * recipe.epochs
    model = _fresh(build, steps, seed, 0)
    loop = make_loop(model, pixels, recipe, size)
    best = _Best(model) if keep_best and recipe.score == "best" else None
    rates = ladder_rates(recipe)
    for attempt, rate in enumerate(rates):
        if attempt > 0:
            model.set_weights(_fresh(build, steps, seed, attempt).get_weights())
            loop.restart()
        rng = generator(seed, "images", attempt)
        outcome = _attempt(loop, pixels, recipe, rng, rate, attempt, best)
        if outcome is not None:
            break
    else:
        problem = f"never better than random, at {len(rates)} learning rates down to {rate:.3g}"
        return model, Outcome((), len(rates), rate, problem)
    if best is not None:
        best.restore()
    return model, outcome


def _fresh(build: Callable[[int], keras.Model], steps: int, seed: int, attempt: int) -> keras.Model:
    keras.utils.set_random_seed(derived_seed(seed, "weights", attempt))
    return build(steps)


def _attempt(
    loop: Loop,
    pixels: Pixels,
    recipe: Recipe,
    rng: np.random.Generator,
    rate: float,
    attempt: int,
    best: "_Best | None",
) -> Outcome | None:
    """Return one training's outcome, or None if its first epoch was not better than random."""
    curve: list[Epoch] = []
    for epoch in range(recipe.epochs):
        finished = _epoch(loop, pixels, recipe, rng, rate_at(recipe, epoch, rate))
        if not _finite(finished):
            problem = f"the loss was not finite in epoch {epoch + 1}"
            return Outcome(tuple(curve), attempt + 1, rate, problem)
        curve.append(finished)
        if epoch == 0 and recipe.restarts > 0:
            accuracy, margin = finished.val_accuracy, recipe.random_margin
            if not better_than_random(accuracy, pixels.classes, margin):
                return None
        if best is not None:
            best.consider(finished.val_accuracy)
    return Outcome(tuple(curve), attempt + 1, rate)


def _epoch(
    loop: Loop, pixels: Pixels, recipe: Recipe, rng: np.random.Generator, rate: float
) -> Epoch:
    count = len(pixels.train.labels)
    order = rng.permutation(count).astype(np.int32)
    changes = draw_changes(recipe.augmentation, count, pixels.image_shape, rng)
    loss, accuracy = loop.train_epoch(order, changes, rate)
    if not math.isfinite(loss):
        return Epoch(loss, accuracy, math.nan, 0.0, rate)
    return Epoch(loss, accuracy, *loop.validate(), rate)


def _finite(epoch: Epoch) -> bool:
    return math.isfinite(epoch.loss) and math.isfinite(epoch.val_loss)


class _Best:
    """Remembers the weights of the best epoch."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._accuracy = -math.inf
        self._weights: Any = None

    def consider(self, accuracy: float) -> None:
        """Keep the present weights if no epoch before was as good."""
        if accuracy > self._accuracy:
            self._accuracy, self._weights = accuracy, self._model.get_weights()

    def restore(self) -> None:
        """Give the model the best weights back."""
        if self._weights is not None:
            self._model.set_weights(self._weights)
