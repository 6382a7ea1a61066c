"""What runs the steps of a training: on TensorFlow a compiled step, elsewhere Keras's `fit`."""

from collections.abc import Sequence
from typing import Protocol

import keras
import numpy as np

from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.recipe import Recipe


class Loop(Protocol):
    """Trains one model in place."""

    def restart(self) -> None:
        """Forget the optimizer's moments; the model's weights are the caller's to reset."""

    def train_epoch(
        self, order: np.ndarray, changes: np.ndarray, rate: float
    ) -> tuple[float, float]:
        """Train on one epoch's images.

        Args:
            order: Positions in the training split, int32 [N]; whole batches of them are used.
            changes: Augmentation of each, int32 [N, 4] (see `augmentation.draw_changes`).
            rate: Learning rate.

        Returns:
            Mean loss in nats and accuracy over the steps; the loss is not finite, and the epoch
            cut short, as soon as a step's was not.
        """

    def state(self) -> list[np.ndarray]:
        """Return copies of what the optimizer remembers: moments and steps."""

    def load_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Go on with what `state` returned, of a loop for the same network and recipe."""

    def validate(self) -> tuple[float, float]:
        """Return mean loss in nats and accuracy over the whole validation split."""


def make_loop(model: keras.Model, pixels: Pixels, recipe: Recipe, batch: int) -> Loop:
    """Return the loop for Keras's backend.

    Args:
        model: Built; its weights are trained in place.
        pixels: Data.
        recipe: Optimizer and augmentation.
        batch: Images per step, at most as many as there are.
    """
    if keras.backend.backend() == "tensorflow":
        from nas_core.trainer.tf_loop import TensorFlowLoop

        return TensorFlowLoop(model, pixels, recipe, batch)
    from nas_core.trainer.fit_loop import FitLoop

    return FitLoop(model, pixels, recipe, batch)
