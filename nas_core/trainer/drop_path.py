"""Drop-path: a whole path of a cell is zeroed for some examples of a batch (Zoph et al. 2018).

At a fixed rate it is Keras's own `Dropout` with one draw per example, so that a saved model opens
without this project. `ScheduledDropPath` raises the rate while it trains; it exists in the training
model only, and `nas_core.trainer.build_cell.plain_model` leaves it out of what is saved.
"""

from typing import Any

import keras
from keras import ops

ONE_DRAW_PER_EXAMPLE = (None, 1, 1, 1)  # the mask's shape, [B, 1, 1, 1]


@keras.saving.register_keras_serializable(package="nas_core")
class ScheduledDropPath(keras.layers.Layer):
    """Drop-path whose rate grows linearly over the steps of a training.

    keep(step) = 1 - min(1, step / total_steps) * (1 - keep): everything is kept at first. Counts
    its own training calls, so that no callback is needed.

    Args:
        keep: Probability of keeping a path at the end, in (0, 1].
        total_steps: Steps after which `keep` is reached, at least 1.
    """

    def __init__(self, keep: float, total_steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep = keep
        self.total_steps = total_steps
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the step counter."""
        self.step = self.add_weight(
            name="step", shape=(), initializer="zeros", trainable=False, dtype="float32"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Zero or rescale each example's path; pass everything on outside training."""
        if not training:
            return inputs
        done = ops.minimum(1.0, self.step / self.total_steps)
        keep = 1.0 - done * (1.0 - self.keep)
        self.step.assign(self.step + 1.0)
        draw = keras.random.uniform(
            (ops.shape(inputs)[0], 1, 1, 1), dtype="float32", seed=self.seed_generator
        )
        mask = ops.cast(draw < keep, "float32") / keep  # [B, 1, 1, 1]
        return inputs * ops.cast(mask, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {**super().get_config(), "keep": self.keep, "total_steps": self.total_steps}


def drop_path(keep: float, total_steps: int | None, name: str) -> keras.layers.Layer | None:
    """Return the layer for a path kept with probability `keep`; None where nothing is dropped.

    Args:
        keep: Probability in (0, 1].
        total_steps: Steps over which the rate grows from zero; None for a fixed rate.
        name: Of the layer.
    """
    if keep >= 1.0:
        return None
    if total_steps is None:
        return keras.layers.Dropout(1.0 - keep, noise_shape=ONE_DRAW_PER_EXAMPLE, name=name)
    return ScheduledDropPath(keep, total_steps, name=name)
