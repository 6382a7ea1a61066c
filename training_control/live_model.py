"""What can be turned and measured in a user's Keras model, without rebuilding or recompiling it."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas_core.errors import RunError, UsageError
from training_control.controls import OPTIMIZERS, Hyperparameters

PREPARED = "_training_control"  # attribute of a prepared model, and of its optimizer

ACCURACY = "acc"  # part of the names of metrics that are one


@dataclass
class Parts:
    """What `prepare` has added to a model.

    Attributes:
        dropout: Variable that all its Dropout layers read; None without such layers.
        optimizer: The one that reads weight decay and adds up norms; not another that the model
            has been compiled with since.
        weight_decay: Variable that the optimizer reads.
        norms: Sum of gradient norms since the last reading, and their number.
    """

    dropout: Any
    optimizer: Any
    weight_decay: Any
    norms: list[Any]


def prepare(model: keras.Model) -> keras.Model:
    """Make dropout and weight decay of a compiled model live, and measure its gradients.

    The layers, the optimizer and what is saved stay as they are: only what they do in a training
    step is replaced, by something that reads variables. Weight decay is decoupled, whatever the
    optimizer. Call it after `compile` and before `fit`; after another `compile` once more.

    Args:
        model: Compiled, on TensorFlow.

    Returns:
        The same model.

    Raises:
        UsageError: It is not compiled, its learning rate is a schedule, or the backend is another.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"expected the backend tensorflow, received {keras.backend.backend()}: use the model "
            "without prepare; the learning rate is controlled on every backend"
        )
    optimizer = optimizer_of(model)
    parts: Parts | None = getattr(model, PREPARED, None)
    if parts is not None and parts.optimizer is optimizer:
        return model
    rate = _live_dropout(model) if parts is None else parts.dropout
    decay, norms = _live_optimizer(optimizer)
    # Set past Keras, which would count these variables among the model's weights and save them.
    object.__setattr__(model, PREPARED, Parts(rate, optimizer, decay, norms))
    model.train_function = None  # traced again, with the new parts
    return model


def _live_dropout(model: keras.Model) -> Any:
    """Let all Dropout layers read one variable and return it; None if there are none."""
    from training_control.layers import dropped

    found = [layer for layer in model._flatten_layers() if type(layer) is keras.layers.Dropout]
    found = [layer for layer in found if layer.noise_shape is None and layer.rate > 0]
    if not found:
        return None
    rate = keras.Variable(float(np.mean([x.rate for x in found])), trainable=False, dtype="float32")

    def live_call(layer: Any) -> Any:
        def call(inputs: Any, training: bool = False) -> Any:
            return dropped(inputs, rate, layer.seed_generator) if training else inputs

        return call

    for layer in found:
        object.__setattr__(layer, "call", live_call(layer))
    return rate


def _live_optimizer(optimizer: Any) -> tuple[Any, list[Any]]:
    """Let an optimizer read its weight decay from a variable and add up gradient norms, once.

    Returns:
        The variable; the sum and the number of norms.
    """
    present: tuple[Any, list[Any]] | None = getattr(optimizer, PREPARED, None)
    if present is not None:
        return present
    before = optimizer.weight_decay  # None, and False, where there is none
    decay = keras.Variable(
        0.0 if before is None else float(before), trainable=False, dtype="float32"
    )
    norms = [keras.Variable(0.0, trainable=False, dtype="float32") for _ in range(2)]
    _patch(optimizer, decay, norms)
    object.__setattr__(optimizer, PREPARED, (decay, norms))
    return decay, norms


def _patch(optimizer: Any, decay: Any, norms: list[Any]) -> None:
    update = optimizer._backend_apply_gradients

    def apply_gradients(gradients: Any, variables: Any) -> None:
        squares = [keras.ops.sum(keras.ops.square(keras.ops.cast(g, "float32"))) for g in gradients]
        norms[0].assign_add(keras.ops.sqrt(sum(squares[1:], squares[0])))
        norms[1].assign_add(1.0)
        for variable in variables:
            if optimizer._use_weight_decay(variable):
                factor = keras.ops.cast(decay * optimizer.learning_rate, variable.dtype)
                variable.assign(variable - variable * factor)
        update(gradients, variables)

    object.__setattr__(optimizer, "_backend_apply_gradients", apply_gradients)
    object.__setattr__(optimizer, "_apply_weight_decay", lambda variables: None)


def optimizer_of(model: keras.Model) -> Any:
    """Return the optimizer whose learning rate can be set.

    Raises:
        UsageError: The model is not compiled, or the rate is a schedule.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise UsageError("expected a compiled model, received one without: call model.compile")
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = optimizer._learning_rate
    if not isinstance(rate, keras.Variable):
        raise UsageError(
            f"expected a number as learning rate, received {type(rate).__name__}: a schedule and a "
            "controller cannot both decide; compile with a float"
        )
    return optimizer


class LiveModel:
    """Reads and sets the hyperparameters of a model in training.

    Attributes:
        available: Controls that act.
        known: Hyperparameters whose values are true ones.
        measured: What it shows beside losses: "gradient norms" after `prepare`, "accuracy" if it
            is compiled with one.
        stale: Whether the model was compiled again since `prepare`, with another optimizer: then
            only its dropout is live.
    """

    def __init__(self, model: keras.Model) -> None:
        """Look at a compiled model.

        Raises:
            UsageError: See `optimizer_of`.
        """
        self._model, self._optimizer = model, optimizer_of(model)
        parts: Parts | None = getattr(model, PREPARED, None)
        self.stale = parts is not None and parts.optimizer is not self._optimizer
        self._dropout = None if parts is None else parts.dropout
        self._decay = None if parts is None or self.stale else parts.weight_decay
        self._norms = None if parts is None or self.stale else parts.norms
        kind = type(self._optimizer).__name__.lower()
        self._kind = kind if kind in OPTIMIZERS else None
        added = {"dropout": self._dropout, "weight_decay": self._decay}
        self.available = ("learning_rate", *(n for n, v in added.items() if v is not None))
        norms = () if self._norms is None else ("gradient norms",)
        self.measured = (*norms, *(("accuracy",) if _has_accuracy(model) else ()))
        self.known = (*self.available, *(() if self._kind is None else ("optimizer",)))

    def values(self) -> Hyperparameters:
        """Return the present values; those that are not known take the usual ones."""
        given: dict[str, Any] = {"learning_rate": float(self._optimizer.learning_rate)}
        if self._decay is not None:
            given["weight_decay"] = float(self._decay)
        if self._dropout is not None:
            given["dropout"] = float(self._dropout)
        if self._kind is not None:
            given["optimizer"] = self._kind
        return Hyperparameters(**given)

    def set(self, values: Hyperparameters) -> None:
        """Set what can be set."""
        self._optimizer.learning_rate = values.learning_rate
        if self._decay is not None:
            self._decay.assign(values.weight_decay)
        if self._dropout is not None:
            self._dropout.assign(values.dropout)

    def gradient_norm(self) -> float | None:
        """Return the mean gradient norm since the last call; None if it is not measured."""
        if self._norms is None:
            return None
        total, count = (float(variable) for variable in self._norms)
        for variable in self._norms:
            variable.assign(0.0)
        return total / count if count > 0 else math.nan

    def first_snapshot(self) -> list[np.ndarray] | None:
        """Return the snapshot before training; None for a model that its data still has to build.

        Builds the optimizer, which `fit` would do next.
        """
        if not self._model.built:
            return None
        if not self._model.optimizer.built:
            self._model.optimizer.build(self._model.trainable_variables)
        return self.snapshot()

    def shows_first_loss(self) -> bool:
        """Return whether `fit`'s loss after its first batch will be the one before training.

        Keras reports the loss from before a batch's update, but only after `steps_per_execution`
        batches; and what an optimizer with steps behind it goes on with has been trained already.
        """
        return self._model.steps_per_execution == 1 and int(self._optimizer.iterations) == 0

    def snapshot(self) -> list[np.ndarray]:
        """Return copies of all weights and of everything the optimizer remembers."""
        return [keras.ops.convert_to_numpy(v).copy() for v in self._variables()]

    def restore(self, snapshot: list[np.ndarray]) -> None:
        """Go back to a snapshot; the optimizer's count of steps goes back too."""
        for variable, value in zip(self._variables(), snapshot, strict=True):
            variable.assign(value)

    def check(self, snapshot: list[np.ndarray]) -> None:
        """Refuse a snapshot of another model.

        Raises:
            RunError: Its arrays have other shapes.
        """
        ours = [tuple(v.shape) for v in self._variables()]
        theirs = [value.shape for value in snapshot]
        if ours != theirs:
            first = next((a for a, b in zip(theirs, ours, strict=False) if a != b), "none")
            raise RunError(
                f"expected a controller's backup of this model and optimizer, {len(ours)} arrays, "
                f"received {len(theirs)}, the first difference {first}: delete the backup, or name "
                "another"
            )

    def _variables(self) -> list[Any]:
        # Seeds are left alone: a training that is repeated is to meet another dropout.
        seeds = {id(v) for layer in self._model._flatten_layers() for v in _seeds(layer)}
        both = [*self._model.variables, *self._model.optimizer.variables]
        return [v for v in both if id(v) not in seeds]


def _has_accuracy(model: keras.Model) -> bool:
    """Return whether a model is compiled with an accuracy, also before its metrics are built."""
    given = getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)
    found = keras.tree.flatten(given)
    names = [
        m if isinstance(m, str) else getattr(m, "name", getattr(m, "__name__", "")) for m in found
    ]
    return any(ACCURACY in str(name) for name in names)


def _seeds(layer: Any) -> list[Any]:
    generators = getattr(layer, "_seed_generators", [])
    return [generator.state for generator in generators]
