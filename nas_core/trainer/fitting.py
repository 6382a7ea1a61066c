"""Training one network: data on the device, the ladder of restarts, and an early end on NaN."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas_core.seeding import derived_seed
from nas_core.trainer.augment import Augment
from nas_core.trainer.base import Epoch
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.runtime import has_gpu
from nas_core.trainer.schedule import ladder, learning_rate_at, random_accuracy

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Pixels:
    """Images and labels as a training takes them.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int32 [N].
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Attributes:
        model: Trained; with the best epoch's weights if the recipe says so.
        curve: One entry per epoch of the last attempt.
        attempts: Trainings started.
        learning_rate: Initial rate of the last attempt.
        failure: Why there is no score, in one line; empty if there is one.
    """

    model: keras.Model
    curve: tuple[Epoch, ...]
    attempts: int
    learning_rate: float
    failure: str = ""


def fit(
    make_model: Callable[[], keras.Model],
    train: Pixels,
    validation: Pixels,
    recipe: Recipe,
    *,
    seed: int,
    classes: int,
) -> Fitted:
    """Train down the ladder until a network is better than random after its first epoch.

    Args:
        make_model: Builds a fresh network that takes pixels in [0, 255].
        train: What is learned from.
        validation: What is scored on; never the test split.
        recipe: How.
        seed: Seed of weights, order, dropout and augmentation.
        classes: Number of classes, for the level of chance.
    """
    threshold = random_accuracy(classes, recipe.random_margin)
    rates = ladder(recipe)
    for attempt, rate in enumerate(rates):
        keras.utils.set_random_seed(derived_seed(seed, "attempt", attempt))
        watch = _Watch(recipe, rate, threshold if recipe.restarts > 0 else -1.0)
        model = make_model()
        _train(model, train, validation, recipe, watch, seed)
        fitted = Fitted(model, tuple(watch.curve), attempt + 1, rate, watch.failure)
        if not watch.restart:
            return fitted
    return fitted


class _Watch(keras.callbacks.Callback):
    """Sets each epoch's learning rate, keeps the curve and the best weights, ends bad trainings."""

    def __init__(self, recipe: Recipe, rate: float, threshold: float) -> None:
        super().__init__()
        self._recipe = recipe
        self._rate = rate
        self._threshold = threshold
        self._best: tuple[float, list[np.ndarray]] | None = None
        self.curve: list[Epoch] = []
        self.failure = ""
        self.restart = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.optimizer.learning_rate = learning_rate_at(self._recipe, self._rate, epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        found = {} if logs is None else logs
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        values = [float(found[name]) for name in names]
        rate = learning_rate_at(self._recipe, self._rate, epoch)
        self.curve.append(Epoch(*values, rate))
        if not all(math.isfinite(value) for value in values):
            self._end(f"loss {values[0]} and validation loss {values[2]} in epoch {epoch + 1}")
            # A rate that blows up may still be one that a lower rung cures.
            self.restart = epoch == 0
        elif epoch == 0 and values[3] <= self._threshold:
            self._end(f"not better than random after one epoch: {values[3]:.3f}")
            self.restart = True
        elif self._recipe.restore_best and (self._best is None or values[3] > self._best[0]):
            self._best = values[3], self.model.get_weights()

    def _end(self, failure: str) -> None:
        self.failure = failure
        self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._best is not None:
            self.model.set_weights(self._best[1])


def _train(
    model: keras.Model,
    train: Pixels,
    validation: Pixels,
    recipe: Recipe,
    watch: _Watch,
    seed: int,
) -> None:
    learner = model
    if recipe.augmentation != "none":
        augment = Augment(recipe.augmentation, derived_seed(seed, "augment"))
        learner = keras.Sequential([keras.Input(model.input_shape[1:]), augment, model])
    optimizer = make_optimizer(recipe)
    # Built now, its slots are not made inside the first trace, which would then be traced again.
    optimizer.build(learner.trainable_variables)
    learner.compile(
        optimizer,
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile="auto" if has_gpu() else False,
    )
    learner.fit(
        train.images,
        train.labels,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_data=(validation.images, validation.labels),
        validation_batch_size=EVALUATION_BATCH,
        callbacks=[watch],
        verbose=0,
    )


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return a fresh optimizer of the recipe."""
    decay = recipe.weight_decay if recipe.weight_decay > 0.0 else None
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(
            recipe.learning_rate, recipe.momentum, nesterov=True, weight_decay=decay
        )
    kind = keras.optimizers.AdamW if recipe.optimizer == "adamw" else keras.optimizers.Adam
    options = {} if decay is None else {"weight_decay": decay}
    return kind(
        recipe.learning_rate,
        beta_1=recipe.beta_1,
        beta_2=recipe.beta_2,
        epsilon=recipe.epsilon,
        **options,
    )
