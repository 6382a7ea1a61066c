"""SGD, Adam, AdamW and RMSprop in one: which of them, its rate and its decay are variables.

All weights are treated as one vector, so that a step takes a few operations whatever the network.

Slot policy: every optimizer's slots stand side by side and all of them follow every gradient, so a
switch finds moments that are up to date, and nothing jumps because they were empty. The price is
four vectors of the network's size; `optimizers` leaves out those that are never switched to.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from nas_core.errors import UsageError
from training_control.controls import OPTIMIZERS
from training_control.optimizer_rules import BETA_1, BETA_2, EPSILON, MOMENTUM, RHO

SLOTS = {"sgd": ("velocity",), "adam": ("first", "second"), "rmsprop": ("square",)}
SLOTS["adamw"] = SLOTS["adam"]


class LiveOptimizer:
    """Updates variables in place.

    Attributes:
        rate: Learning rate, scalar float32 variable.
        decay: Weight decay of kernels (two dimensions or more), scalar float32 variable.
        kind: Index into `OPTIMIZERS`, scalar int32 variable.
    """

    def __init__(self, variables: Sequence[Any], optimizers: Sequence[str] = OPTIMIZERS) -> None:
        """Create the slots.

        Args:
            variables: float32 tf.Variables to be trained.
            optimizers: Those that may be used.

        Raises:
            UsageError: An unknown optimizer, or none.
        """
        unknown = set(optimizers) - set(OPTIMIZERS)
        if not optimizers or unknown:
            raise UsageError(
                f"expected optimizers among {', '.join(OPTIMIZERS)}, received "
                f"{', '.join(sorted(map(str, unknown))) or 'none'}: name at least one"
            )
        self._variables = list(variables)
        self._usable = tuple(optimizers)
        self._sizes = [int(tf.size(v)) for v in self._variables]
        self._decayed = tf.concat(
            [
                tf.fill([size], float(len(v.shape) > 1))
                for size, v in zip(self._sizes, self._variables, strict=True)
            ],
            0,
        )
        names = dict.fromkeys(slot for name in optimizers for slot in SLOTS[name])
        self._slots = {
            name: tf.Variable(tf.zeros([sum(self._sizes)]), trainable=False) for name in names
        }
        self._steps = tf.Variable(0.0, trainable=False)
        self.rate = tf.Variable(1e-3, trainable=False, dtype=tf.float32)
        self.decay = tf.Variable(0.0, trainable=False, dtype=tf.float32)
        self.kind = tf.Variable(OPTIMIZERS.index(optimizers[0]), trainable=False, dtype=tf.int32)

    @property
    def variables(self) -> list[Any]:
        """Everything that a snapshot must hold."""
        return [*self._slots.values(), self._steps, self.rate, self.decay, self.kind]

    def choose(self, optimizer: str) -> None:
        """Switch to an optimizer.

        Raises:
            UsageError: It was not among those given.
        """
        if optimizer not in self._usable:
            raise UsageError(
                f"expected an optimizer among {', '.join(self._usable)}, received {optimizer!r}: "
                "name it when the session is made"
            )
        self.kind.assign(OPTIMIZERS.index(optimizer))

    def reset(self) -> None:
        """Forget all moments and steps."""
        for variable in (*self._slots.values(), self._steps):
            variable.assign(tf.zeros(variable.shape))

    def forget(self, changed: Any) -> None:
        """Empty the slots of weights that were set from outside.

        Args:
            changed: bool [P], in the order of `flat`.
        """
        for slot in self._slots.values():
            slot.assign(tf.where(changed, 0.0, slot))

    def flat(self, values: Sequence[Any] | None = None) -> Any:
        """Return the weights, or values of the same shapes, as one float32 vector [P]."""
        return tf.concat(
            [tf.reshape(v, [-1]) for v in (self._variables if values is None else values)], 0
        )

    def apply(self, gradients: Sequence[Any], share: Any = 1.0) -> tuple[Any, Any]:
        """Take one step; weights without a gradient count as having zero.

        Args:
            gradients: One for each variable, or None.
            share: Part of the rate that this step takes, for warming up.

        Returns:
            The gradient's Euclidean norm, and the norm of the update over that of the weights.
        """
        dense = [
            tf.zeros(v.shape) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, self._variables, strict=True)
        ]
        gradient, weights = self.flat(dense), self.flat()
        kernels = self.decay * self._decayed * weights
        decoupled = tf.equal(self.kind, OPTIMIZERS.index("adamw"))
        direction = self._direction(gradient + tf.where(decoupled, 0.0, kernels))
        update = self.rate * share * (direction + tf.where(decoupled, kernels, 0.0))
        parts = zip(self._variables, tf.split(update, self._sizes), strict=True)
        for variable, part in parts:
            variable.assign_sub(tf.reshape(part, variable.shape))
        return tf.norm(gradient), tf.norm(update) / (tf.norm(weights) + EPSILON)

    def _direction(self, gradient: Any) -> Any:
        """Follow the gradient with all slots; return the chosen one's step for a rate of 1."""
        steps = self._steps.assign_add(1.0)
        slots = {name: self._followed(name, gradient) for name in self._slots}

        def sgd() -> Any:  # Keras's momentum, at a constant rate
            return slots["velocity"]

        def adam() -> Any:  # Kingma & Ba 2015, the form at the end of their section 2
            scale = tf.sqrt(1.0 - tf.pow(BETA_2, steps)) / (1.0 - tf.pow(BETA_1, steps))
            return scale * slots["first"] / (tf.sqrt(slots["second"]) + EPSILON)

        def rmsprop() -> Any:
            return gradient / tf.sqrt(slots["square"] + EPSILON)

        rules = {"sgd": sgd, "adam": adam, "adamw": adam, "rmsprop": rmsprop}
        unused = rules[self._usable[0]]
        return tf.switch_case(
            self.kind.value(),
            [rules[name] if name in self._usable else unused for name in OPTIMIZERS],
        )

    def _followed(self, name: str, gradient: Any) -> Any:
        slot = self._slots[name]
        if name == "velocity":
            return slot.assign(MOMENTUM * slot + gradient)
        share = {"first": BETA_1, "second": BETA_2, "square": RHO}[name]
        new = gradient if name == "first" else tf.square(gradient)
        return slot.assign(share * slot + (1.0 - share) * new)
