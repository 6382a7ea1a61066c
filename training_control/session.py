"""One live training whose seven hyperparameters are variables. TensorFlow only.

The training step is traced once. Batch size is the number of rows that a step gathers, the rates
and the kind of optimizer are variables (`live_optimizer`), dropout, layers and units are variables
of the model's live layers (`layers`). A new episode draws new weights for the same graph.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas_core.errors import UsageError
from nas_core.seeding import generator
from nas_core.trainer import runtime  # noqa: F401  # sets what TensorFlow reads when it starts

import tensorflow as tf  # isort: skip

from training_control.controls import OPTIMIZERS, Hyperparameters
from training_control.data import Examples, TrainingData
from training_control.initial import InitialWeights
from training_control.layers import LiveDropout, LiveStack
from training_control.live_optimizer import LiveOptimizer
from training_control.metrics import Evaluation, classification, regression

CHUNK = 512  # examples evaluated at a time


@dataclass(frozen=True)
class Progress:
    """What an interval of training has shown.

    Attributes:
        loss: Mean training loss of its steps; not finite where it diverged.
        gradient_norm: Mean Euclidean norm of the gradient.
        update_ratio: Mean norm of an update over that of the weights.
        steps: Steps taken; fewer than planned where it diverged.
        examples: Examples seen.
        seconds: Wall-clock time.
    """

    loss: float
    gradient_norm: float
    update_ratio: float
    steps: int
    examples: int
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether loss and gradient were finite all the time."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient_norm))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Weights, moments, switches and hyperparameters of a session, all in memory."""

    values: tuple[Any, ...]
    hyperparameters: Hyperparameters


class Session:
    """Trains one model on one task, again and again."""

    def __init__(
        self,
        model: keras.Model,
        data: TrainingData,
        *,
        optimizers: Sequence[str] = OPTIMIZERS,
        pretrained: Sequence[str] = (),
        warm_up_steps: int = 0,
    ) -> None:
        """Take a model that is built; call `reset` before training.

        Args:
            model: From inputs to logits [B, classes], or [B, 1] of a regression. `LiveDropout`
                and `LiveStack` layers in it offer dropout, layers and units to control.
            data: The task.
            optimizers: Those that may be switched to; each costs memory.
            pretrained: Names of layers that restart with the weights they have now.
            warm_up_steps: Steps over which the rate rises linearly to its value, 0 for none.

        Raises:
            UsageError: Another backend than TensorFlow, or a model with another number of outputs.
        """
        _check(model, data)
        self.model, self.data = model, data
        self.traces = 0  # how often the training step was traced
        self.hyperparameters = Hyperparameters()
        layers = list(model._flatten_layers())
        self._stacks = [layer for layer in layers if isinstance(layer, LiveStack)]
        live = (LiveStack, LiveDropout)
        self._rates = [layer.rate for layer in layers if isinstance(layer, live)]
        self._initial = InitialWeights(model, pretrained)
        self._weights = [variable.value for variable in model.trainable_variables]
        self._optimizer = LiveOptimizer(self._weights, optimizers)
        self._warm_up = warm_up_steps
        self._taken = tf.Variable(0.0, trainable=False)
        self._all = [variable.value for variable in model.variables]
        self._all += [*self._optimizer.variables, self._taken]
        self._tensors = tuple(tf.constant(a) for a in (data.train.inputs, data.train.targets))
        self._order, self._seed, self._epoch = np.empty(0, np.int32), 0, 0
        self._growths = 0
        self._chunks: dict[str, list[Any]] = {}
        rows = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)]
        self._train = tf.function(self._steps, rows, autograph=False, jit_compile=False)
        shape = [None, *data.train.inputs.shape[1:]]
        inputs = [tf.TensorSpec(shape, data.train.inputs.dtype)]
        self._predict = tf.function(self._outputs, inputs, autograph=False, jit_compile=False)
        # One call instead of one for each variable, before every interval.
        self._copies = tf.function(lambda: [tf.identity(v) for v in self._all], autograph=False)
        self._flat = tf.function(self._optimizer.flat, autograph=False)
        self._forget = tf.function(self._forget_changed, autograph=False)

    @property
    def available(self) -> tuple[str, ...]:
        """The controls that act on this model."""
        names = ["learning_rate", "weight_decay", "optimizer", "batch_size"]
        names += ["dropout"] if self._rates else []
        return (*names, "layers", "units") if self._stacks else tuple(names)

    @property
    def room(self) -> tuple[int, int]:
        """Layers and units at most; without a stack, as many as anyone may ask for."""
        if not self._stacks:
            return sys.maxsize, sys.maxsize
        return (
            min(stack.max_layers for stack in self._stacks),
            min(stack.max_units for stack in self._stacks),
        )

    def reset(self, seed: int, start: Hyperparameters | None = None) -> None:
        """Start a new training: fresh weights, moments and order of examples, the same graph.

        Args:
            seed: Of everything random in it.
            start: First hyperparameters; they may lie outside the ranges of the controls.

        Raises:
            UsageError: The model's stack has no room for the layers or units.
        """
        start = Hyperparameters() if start is None else start
        self._initial.draw(seed)
        for number, stack in enumerate(self._stacks):
            stack.restart(start.layers, start.units, generator(seed, "stack", number))
        self._optimizer.reset()
        self._taken.assign(0.0)
        self._seed, self._epoch, self._growths = seed, 0, 0
        self._order = np.empty(0, np.int32)
        self.hyperparameters = start
        self._set(start)

    def apply(self, values: Hyperparameters) -> None:
        """Set the hyperparameters; the next step uses them.

        Raises:
            UsageError: The model's stack has no room for the layers or units.
        """
        now = self.hyperparameters
        if (values.layers, values.units) != (now.layers, now.units) and self._stacks:
            before = self._flat()
            for number, stack in enumerate(self._stacks):
                rng = generator(self._seed, "growth", self._growths, number)
                stack.resize(values.layers, values.units, rng)
            self._growths += 1
            self._forget(before)
        self._set(values)
        self.hyperparameters = values

    def _set(self, values: Hyperparameters) -> None:
        self._optimizer.choose(values.optimizer)
        self._optimizer.rate.assign(values.learning_rate)
        self._optimizer.decay.assign(values.weight_decay)
        for rate in self._rates:
            rate.assign(values.dropout)

    def train(self, examples: int) -> Progress:
        """Train on the next examples of the shuffled training split.

        Args:
            examples: How many, at least 1; divided into equal steps of at most the batch size.
        """
        started = time.perf_counter()
        order = self._next(examples)
        batch = tf.constant(self.hyperparameters.batch_size)
        steps, seen, loss, norm, ratio = (
            float(value) for value in self._train(tf.constant(order), batch)
        )
        return Progress(
            loss / steps,
            norm / steps,
            ratio / steps,
            round(steps),
            round(seen),
            time.perf_counter() - started,
        )

    def evaluate(self, split: str = "validation") -> Evaluation:
        """Return loss and metrics on "train", "validation" or "test"."""
        examples: Examples = getattr(self.data, split)
        if split not in self._chunks:
            starts = range(0, len(examples), CHUNK)
            self._chunks[split] = [tf.constant(examples.inputs[k : k + CHUNK]) for k in starts]
        outputs = np.concatenate([self._predict(c).numpy() for c in self._chunks[split]])
        if self.data.classes is None:
            return regression(outputs, examples.targets)
        losses = _cross_entropy(outputs, examples.targets)
        return classification(float(losses.mean()), outputs, examples.targets)

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that training changes, but for the order of examples."""
        return Snapshot(tuple(self._copies()), self.hyperparameters)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this session; the order of examples goes on."""
        for variable, value in zip(self._all, snapshot.values, strict=True):
            variable.assign(value)
        self.hyperparameters = snapshot.hyperparameters

    def _next(self, examples: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        missing = examples
        while missing > 0:
            if len(self._order) == 0:
                rng = generator(self._seed, "order", self._epoch)
                self._order = rng.permutation(len(self.data.train)).astype(np.int32)
                self._epoch += 1
            parts.append(self._order[:missing])
            self._order = self._order[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _steps(self, order: Any, batch: Any) -> tuple[Any, ...]:
        """Train on equal parts of `order`, the fewest that are no larger than a batch.

        Ends early where a loss is not finite. Returns steps, examples, and the sums over steps.
        """
        self.traces += 1
        count = tf.shape(order, tf.int64)[0]
        planned = -tf.math.floordiv(-count, tf.cast(batch, tf.int64))

        def goes_on(number: Any, loss: Any, norm: Any, _ratio: Any) -> Any:
            return (number < planned) & tf.math.is_finite(loss) & tf.math.is_finite(norm)

        def step(number: Any, *sums: Any) -> tuple[Any, ...]:
            start, stop = number * count // planned, (number + 1) * count // planned
            added = self._step(order[start:stop])
            return number + 1, *(s + a for s, a in zip(sums, added, strict=True))

        zero = tf.constant(0.0)
        first = (tf.constant(0, tf.int64), zero, zero, zero)
        steps, *sums = tf.while_loop(goes_on, step, first, parallel_iterations=1)
        return steps, steps * count // planned, *sums

    def _step(self, rows: Any) -> tuple[Any, Any, Any]:
        """Take one step on some rows; return loss, gradient norm and update ratio."""
        inputs, targets = (tf.gather(tensor, rows) for tensor in self._tensors)
        with tf.GradientTape() as tape:
            outputs = self.model(inputs, training=True)
            loss = _loss(outputs, targets, self.data.classes)
        gradients = tape.gradient(loss, self._weights)
        taken = self._taken.assign_add(1.0)
        share = tf.minimum(1.0, taken / max(self._warm_up, 1))
        return loss, *self._optimizer.apply(gradients, share)

    def _forget_changed(self, before: Any) -> None:
        """Empty the slots of weights that differ from `before` [P]."""
        self._optimizer.forget(tf.not_equal(before, self._optimizer.flat()))

    def _outputs(self, inputs: Any) -> Any:
        return tf.cast(self.model(inputs, training=False), tf.float32)


def _check(model: keras.Model, data: TrainingData) -> None:
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            "expected the Keras backend tensorflow to train under control, received "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
        )
    wanted = 1 if data.classes is None else data.classes
    if model.output_shape[-1] != wanted:
        raise UsageError(
            f"expected a model with {wanted} outputs, received {model.output_shape[-1]}"
        )


def _loss(outputs: Any, targets: Any, classes: int | None) -> Any:
    outputs = tf.cast(outputs, tf.float32)
    if classes is None:
        return tf.reduce_mean(tf.square(outputs[:, 0] - targets))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
    return tf.reduce_mean(losses)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropies [N] in nats; not finite where the logits are not."""
    with np.errstate(all="ignore"):
        shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
        chosen = shifted[np.arange(len(labels)), labels]
        losses: np.ndarray = np.log(np.exp(shifted).sum(-1)) - chosen
    return losses
