"""Adam, AdamW and SGD for the compiled step: one fused operation for each weight.

Keras's optimizers spend a dozen operations on each weight; tracing those takes half of a short
training of a network with many layers. The rules are the same (a test compares them).
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from nas_core.trainer.recipe import Recipe


class FusedOptimizer:
    """Updates variables in place.

    Attributes:
        rate: The learning rate, a variable that may be assigned between steps.
    """

    def __init__(self, recipe: Recipe, variables: Sequence[tf.Variable]) -> None:
        """Create the slots.

        Args:
            recipe: Its optimizer, moments and weight decay.
            variables: Float32 weights to be trained.
        """
        self._recipe = recipe
        self._variables = list(variables)
        slots = 1 if recipe.optimizer == "sgd" else 2
        self._slots = [
            [tf.Variable(tf.zeros(v.shape), trainable=False) for v in self._variables]
            for _ in range(slots)
        ]
        self._steps = tf.Variable(0.0, trainable=False)
        self.rate = tf.Variable(recipe.learning_rate, trainable=False, dtype=tf.float32)

    @property
    def variables(self) -> list[tf.Variable]:
        """What is remembered from step to step: the number of steps, then the moments."""
        return [self._steps, *(slot for slots in self._slots for slot in slots)]

    def reset(self) -> None:
        """Forget all moments and steps."""
        for variable in self.variables:
            variable.assign(tf.zeros(variable.shape))

    def apply(self, gradients: Sequence[Any]) -> None:
        """Take one step; weights without a gradient stay.

        Args:
            gradients: One per variable, or None.
        """
        decay = self._recipe.weight_decay
        step = self._sgd if self._recipe.optimizer == "sgd" else self._adam
        self._steps.assign_add(1.0)
        for index, (variable, gradient) in enumerate(zip(self._variables, gradients, strict=True)):
            if gradient is None:
                continue
            gradient = tf.convert_to_tensor(gradient)  # noqa: PLW2901  # an embedding's is sparse
            if decay > 0.0 and len(variable.shape) > 1:  # kernels; a bias has one dimension
                if self._recipe.optimizer == "adamw":
                    variable.assign_sub(self.rate * decay * variable)
                else:
                    gradient = gradient + decay * variable  # noqa: PLW2901
            step(index, variable, gradient)

    def _adam(self, index: int, variable: tf.Variable, gradient: Any) -> None:
        """Kingma & Ba 2015, algorithm 1 in the form of the end of their section 2."""
        recipe = self._recipe
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._slots[0][index].handle,
            v=self._slots[1][index].handle,
            beta1_power=tf.pow(recipe.beta_1, self._steps),
            beta2_power=tf.pow(recipe.beta_2, self._steps),
            lr=self.rate,
            beta1=recipe.beta_1,
            beta2=recipe.beta_2,
            epsilon=recipe.epsilon,
            grad=gradient,
        )

    def _sgd(self, index: int, variable: tf.Variable, gradient: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self._slots[0][index].handle,
            lr=self.rate,
            grad=gradient,
            momentum=self._recipe.momentum,
            use_nesterov=True,
        )
