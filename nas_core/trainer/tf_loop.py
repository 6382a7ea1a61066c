"""Training steps on TensorFlow: data on the device, one compiled step, fused updates.

A short training through `model.fit` spends much of its time on tracing twice and on bookkeeping.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from nas_core.trainer.augmentation import change_images
from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.losses import accuracy_head, right_answers, total_loss
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.tf_optimizer import FusedOptimizer

VALIDATION_BATCH = 256


@lru_cache(maxsize=1)
def _on_device(pixels: Pixels) -> tuple[tf.Tensor, ...]:
    """Return images and labels of train and validation, once for a process and data set."""
    train, held = pixels.train, pixels.validation
    arrays = (train.images, train.labels, held.images, held.labels)
    return tuple(tf.constant(array) for array in arrays)


class TensorFlowLoop:
    """Trains and validates one model; see `loop.Loop`."""

    def __init__(self, model: keras.Model, pixels: Pixels, recipe: Recipe, batch: int) -> None:
        """Compile nothing yet; the first step traces.

        Args:
            model: Built; its weights are trained in place.
            pixels: Data.
            recipe: Optimizer and augmentation.
            batch: Images per step.
        """
        self._model, self._batch, self._kind = model, batch, recipe.augmentation
        self._images, self._labels, self._held, self._held_labels = _on_device(pixels)
        self._weights = [variable.value for variable in model.trainable_variables]
        self._optimizer = FusedOptimizer(recipe, self._weights)
        compiled = bool(model.jit_compile)  # Keras decides: never on a CPU
        rows = tf.TensorSpec([batch], tf.int32)
        changes = tf.TensorSpec([batch, 4], tf.int32)
        self._step = tf.function(
            self._train, [rows, changes], autograph=False, jit_compile=compiled
        )
        # One trace for whole batches and the rest: without XLA, which would compile both.
        self._check = tf.function(
            self._validate, [tf.TensorSpec([None], tf.int32)], autograph=False, jit_compile=False
        )

    def restart(self) -> None:
        """Forget the optimizer's moments."""
        self._optimizer.reset()

    def state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""
        return [variable.numpy() for variable in self._optimizer.variables]

    def load_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Set the optimizer's variables."""
        for variable, array in zip(self._optimizer.variables, arrays, strict=True):
            variable.assign(array)

    def train_epoch(
        self, order: np.ndarray, changes: np.ndarray, rate: float
    ) -> tuple[float, float]:
        """Train on whole batches of `order`; see `loop.Loop`."""
        self._optimizer.rate.assign(rate)
        losses: list[tf.Tensor] = []
        hits: list[tf.Tensor] = []
        for start in range(0, len(order) - self._batch + 1, self._batch):
            rows = slice(start, start + self._batch)
            loss, right = self._step(tf.constant(order[rows]), tf.constant(changes[rows]))
            # The loss before this one: on an accelerator it is known without waiting.
            if losses and not math.isfinite(float(losses[-1])):
                return math.nan, 0.0
            losses.append(loss)
            hits.append(right)
        seen = len(losses) * self._batch
        return float(np.mean([float(v) for v in losses])), sum(float(v) for v in hits) / seen

    def validate(self) -> tuple[float, float]:
        """Return mean loss and accuracy on the validation split."""
        count = int(self._held.shape[0])
        loss = right = 0.0
        for start in range(0, count, VALIDATION_BATCH):
            rows = tf.range(start, min(start + VALIDATION_BATCH, count))
            part_loss, part_right = self._check(rows)
            loss, right = loss + float(part_loss), right + float(part_right)
        return loss / count, right / count

    def _train(self, rows: tf.Tensor, changes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = change_images(self._kind, tf.gather(self._images, rows), changes)
        labels = tf.gather(self._labels, rows)
        with tf.GradientTape() as tape:
            outputs = self._model(images, training=True)
            loss = total_loss(labels, outputs)
        self._optimizer.apply(tape.gradient(loss, self._weights))
        return loss, right_answers(labels, outputs)

    def _validate(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        labels = tf.gather(self._held_labels, rows)
        outputs = self._model(tf.gather(self._held, rows), training=False)
        losses = keras.losses.sparse_categorical_crossentropy(labels, accuracy_head(outputs))
        return tf.reduce_sum(losses), right_answers(labels, outputs)
