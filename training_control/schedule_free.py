"""ScheduleFreeAdamW, Keras's own, in the place of a session's optimizer. TensorFlow only.

Weights, order of examples and evaluation are those of `Session`, so that it is compared with the
same luck. Between steps the network holds the point y where gradients are taken; it is evaluated
at the average x, as Defazio et al. 2024 (arXiv 2405.15682) say, which Keras leaves to its user.
"""

from collections.abc import Sequence
from typing import Any

import keras

from nas_core.errors import UsageError
from training_control.data import TrainingData
from training_control.metrics import Evaluation
from training_control.session import Session

import tensorflow as tf  # isort: skip

BETA = 0.9  # share of x in y


class ScheduleFree:
    """What a session asks of an optimizer, answered by Keras's ScheduleFreeAdamW.

    Attributes:
        rate: Learning rate, scalar float32 variable.
        decay: Weight decay, scalar float32 variable; decoupled, of kernels.
    """

    def __init__(self, variables: Sequence[Any], warm_up_steps: int) -> None:
        """Create the slots.

        Args:
            variables: The model's trainable `keras.Variable`s.
            warm_up_steps: Steps over which the rate rises to its value.
        """
        self._variables = list(variables)
        self._keras = keras.optimizers.ScheduleFreeAdamW(1e-3, BETA, warmup_steps=warm_up_steps)
        self._keras.build(self._variables)
        self.rate = self._keras._learning_rate.value
        self.decay = tf.Variable(0.0, trainable=False)
        # The averages start at the weights; everything else starts at nothing.
        self._fast = [m.value for m in self._keras._momentums]
        fast = {id(m) for m in self._fast}
        self._slots = [v.value for v in self._keras.variables if id(v.value) not in fast]
        self._slots = [v for v in self._slots if v is not self.rate]

    @property
    def variables(self) -> list[Any]:
        """Everything that a snapshot must hold."""
        return [*self._fast, *self._slots, self.rate, self.decay]

    def choose(self, optimizer: str) -> None:
        """Do nothing: there is only this one."""

    def reset(self) -> None:
        """Start at the weights as they are now."""
        for slot in self._slots:
            slot.assign(tf.zeros(slot.shape, slot.dtype))
        for fast, variable in zip(self._fast, self._variables, strict=True):
            fast.assign(variable.value)

    def apply(self, gradients: Sequence[Any], share: Any = 1.0) -> tuple[Any, Any]:
        """Take one step.

        Returns:
            The gradient's Euclidean norm, and 0 for the update's share, which is not measured.
        """
        dense = [
            tf.zeros(v.shape) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, self._variables, strict=True)
        ]
        for fast in self._fast:
            if len(fast.shape) > 1:
                fast.assign_sub(self.rate * self.decay * fast)
        self._keras.apply(dense, self._variables)
        return tf.linalg.global_norm(dense), tf.constant(0.0)

    def averages(self) -> list[Any]:
        """Return x = (y - (1 - BETA) z) / BETA for each variable."""
        pairs = zip(self._variables, self._fast, strict=True)
        return [(v.value - (1.0 - BETA) * fast) / BETA for v, fast in pairs]


class ScheduleFreeSession(Session):
    """A session that trains with ScheduleFreeAdamW; learning rate and decay are live."""

    def __init__(
        self,
        model: keras.Model,
        data: TrainingData,
        *,
        pretrained: Sequence[str] = (),
        warm_up_steps: int = 0,
    ) -> None:
        """Take a model that is built; call `reset` before training.

        Args:
            model: As for `Session`.
            data: The task.
            pretrained: As for `Session`.
            warm_up_steps: As for `Session`.

        Raises:
            UsageError: As for `Session`, or this Keras has no ScheduleFreeAdamW.
        """
        if not hasattr(keras.optimizers, "ScheduleFreeAdamW"):
            raise UsageError(
                f"expected a Keras with ScheduleFreeAdamW, received {keras.__version__}: "
                "pip install 'keras>=3.15', or leave schedule-free out"
            )
        super().__init__(model, data, optimizers=("sgd",), pretrained=pretrained)
        self._free = ScheduleFree(model.trainable_variables, warm_up_steps)
        self._optimizer: Any = self._free
        self._all = [variable.value for variable in model.variables]
        self._all += [*self._free.variables, self._taken]

    def evaluate(self, split: str = "validation") -> Evaluation:
        """Return loss and metrics of the averaged weights."""
        held = [tf.identity(variable) for variable in self._weights]
        for variable, average in zip(self._weights, self._free.averages(), strict=True):
            variable.assign(average)
        try:
            return super().evaluate(split)
        finally:
            for variable, value in zip(self._weights, held, strict=True):
                variable.assign(value)
