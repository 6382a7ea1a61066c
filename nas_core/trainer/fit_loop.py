"""Training steps by Keras's `fit`, for every backend: slower to start, the same results."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nas_core.trainer.augmentation import change_images
from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.losses import AUXILIARY, CLASSIFIER
from nas_core.trainer.recipe import Recipe

VALIDATION_BATCH = 256


class _KernelDecay:
    """Mixed into an optimizer: adds the derivative of 0.5 * decay * w^2 to kernels' gradients."""

    kernel_decay = 0.0
    _trainable_variables: Sequence[Any]

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Take one step."""
        weights = self._trainable_variables if trainable_variables is None else trainable_variables
        decayed = [
            gradient
            if gradient is None or len(weight.shape) < 2
            else gradient + self.kernel_decay * ops.convert_to_tensor(weight)
            for gradient, weight in zip(grads, weights, strict=True)
        ]
        super().apply(decayed, trainable_variables)  # type: ignore[misc]


class _Adam(_KernelDecay, keras.optimizers.Adam):
    pass


class _SGD(_KernelDecay, keras.optimizers.SGD):
    pass


def make_optimizer(recipe: Recipe, weights: Sequence[Any]) -> keras.optimizers.Optimizer:
    """Return Keras's optimizer of a recipe, built for `weights`."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    moments = {"beta_1": recipe.beta_1, "beta_2": recipe.beta_2, "epsilon": recipe.epsilon}
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay, **moments)
        optimizer.exclude_from_weight_decay([w for w in weights if len(w.shape) < 2])
    elif recipe.optimizer == "adam":
        optimizer = _Adam(rate, name="adam", **moments)
        optimizer.kernel_decay = decay
    else:
        optimizer = _SGD(rate, momentum=recipe.momentum, nesterov=True, name="sgd")
        optimizer.kernel_decay = decay
    optimizer.build(weights)
    return optimizer


class FitLoop:
    """Trains and validates one model; see `loop.Loop`."""

    def __init__(self, model: keras.Model, pixels: Pixels, recipe: Recipe, batch: int) -> None:
        """Compile the model.

        Args:
            model: Built; its weights are trained in place.
            pixels: Data.
            recipe: Optimizer and augmentation.
            batch: Images per step.
        """
        self._model, self._pixels, self._batch = model, pixels, batch
        self._kind = recipe.augmentation
        self._heads = sorted(model.output) if isinstance(model.output, dict) else []
        weights = None
        if AUXILIARY in self._heads:
            from nas_core.trainer.build_cell import AUXILIARY_WEIGHT

            weights = {CLASSIFIER: 1.0, AUXILIARY: AUXILIARY_WEIGHT}
        model.compile(
            optimizer=make_optimizer(recipe, model.trainable_variables),
            loss=self._for_heads("sparse_categorical_crossentropy"),
            loss_weights=weights,
            metrics=self._for_heads("accuracy") if self._heads else ["accuracy"],
        )

    def restart(self) -> None:
        """Forget the optimizer's moments."""
        for variable in self._model.optimizer.variables:
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""
        return [ops.convert_to_numpy(v).copy() for v in self._model.optimizer.variables]

    def load_state(self, arrays: Sequence[np.ndarray]) -> None:
        """Set the optimizer's variables."""
        for variable, array in zip(self._model.optimizer.variables, arrays, strict=True):
            variable.assign(array)

    def train_epoch(
        self, order: np.ndarray, changes: np.ndarray, rate: float
    ) -> tuple[float, float]:
        """Train on whole batches of `order`; see `loop.Loop`."""
        whole = len(order) - len(order) % self._batch
        rows, train = order[:whole], self._pixels.train
        images = change_images(
            self._kind, ops.convert_to_tensor(train.images[rows]), changes[:whole]
        )
        self._model.optimizer.learning_rate = rate
        history = self._model.fit(
            ops.convert_to_numpy(images),
            self._for_heads(train.labels[rows]),
            batch_size=self._batch,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.TerminateOnNaN()],
        ).history
        return self._figures({name: values[-1] for name, values in history.items()})

    def validate(self) -> tuple[float, float]:
        """Return mean loss and accuracy on the validation split."""
        held = self._pixels.validation
        found = self._model.evaluate(
            held.images,
            self._for_heads(held.labels),
            batch_size=VALIDATION_BATCH,
            verbose=0,
            return_dict=True,
        )
        if self._heads:
            found["loss"] = found[f"{CLASSIFIER}_loss"]
        return self._figures(found)

    def _for_heads(self, value: Any) -> Any:
        """Return `value` once for each output of the model."""
        return {head: value for head in self._heads} if self._heads else value

    def _figures(self, found: dict[str, float]) -> tuple[float, float]:
        name = f"{CLASSIFIER}_accuracy" if self._heads else "accuracy"
        return float(found["loss"]), float(found[name])
