"""Keras layers whose dropout, depth and width are variables: they change without a new trace.

Growing a `LiveStack` preserves its function: new units start without influence on what follows,
new layers start as the identity. Shrinking switches units and layers off.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from nas_core.errors import UsageError

PACKAGE = "training_control"


def dropped(inputs: Any, rate: Any, seeds: keras.random.SeedGenerator) -> Any:
    """Return inverted dropout of `inputs` at a rate that is a scalar tensor."""
    keep = ops.cast(1.0 - rate, inputs.dtype)
    drawn = keras.random.uniform(ops.shape(inputs), dtype=inputs.dtype, seed=seeds)
    return ops.where(drawn < keep, inputs / keep, ops.zeros_like(inputs))


@keras.saving.register_keras_serializable(package=PACKAGE)
class LiveDropout(keras.layers.Layer):
    """Dropout whose rate is a variable.

    Attributes:
        rate: Scalar float32 variable in [0, 1), once built.
    """

    def __init__(self, initial_rate: float = 0.5, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_rate, self.seed = initial_rate, seed
        self._seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the rate."""
        initial = keras.initializers.Constant(self.initial_rate)
        self.rate = self.add_weight(name="rate", shape=(), initializer=initial, trainable=False)
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return `inputs`, with values dropped while training."""
        return dropped(inputs, self.rate, self._seeds) if training else inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "initial_rate": self.initial_rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package=PACKAGE)
class LiveStack(keras.layers.Layer):
    """Dense ReLU layers with dropout, then a linear layer; depth, width and rate are variables.

    h_1 = m * relu(x W_1 + b_1), h_k = g_k m * relu(h_{k-1} W_k + b_k) + (1 - g_k) h_{k-1}, where m
    masks units and g_k is 1 for layers that are on.

    Attributes:
        rate: Scalar variable, the dropout rate behind each hidden layer.
        mask: float32 [max_units]: 1 for units that are on, the first ones.
        gates: float32 [max_layers]: 1 for layers that are on, the first ones.
    """

    def __init__(
        self,
        outputs: int,
        max_layers: int = 4,
        max_units: int = 256,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Describe the stack; `restart` sets its depth and width.

        Args:
            outputs: Width of the linear layer.
            max_layers: Hidden layers at most.
            max_units: Their width at most.
            seed: Of the dropout.
            **kwargs: Of every Keras layer.
        """
        super().__init__(**kwargs)
        self.outputs, self.max_layers, self.max_units = outputs, max_layers, max_units
        self.seed = seed
        self._seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: the first hidden layer and the linear one are always there."""
        width = self.max_units
        ins = [input_shape[-1], *[width] * self.max_layers]
        outs = [*[width] * self.max_layers, self.outputs]
        self.kernels = [
            self.add_weight(name=f"kernel_{k}", shape=pair, initializer="glorot_uniform")
            for k, pair in enumerate(zip(ins, outs, strict=True))
        ]
        self.biases = [
            self.add_weight(name=f"bias_{k}", shape=(n,), initializer="zeros")
            for k, n in enumerate(outs)
        ]
        self.mask = self._switch("mask", (width,))
        self.gates = self._switch("gates", (self.max_layers,))
        self.rate = self._switch("rate", (), "zeros")
        super().build(input_shape)

    def _switch(self, name: str, shape: tuple[int, ...], value: str = "ones") -> Any:
        return self.add_weight(name=name, shape=shape, initializer=value, trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return logits [B, outputs] of inputs [B, features]."""
        hidden = self._hidden(inputs, 0, training)
        for k in range(1, self.max_layers):
            gate = self.gates[k]
            hidden = gate * self._hidden(hidden, k, training) + (1.0 - gate) * hidden
        return ops.matmul(hidden, self.kernels[-1]) + self.biases[-1]

    def _hidden(self, inputs: Any, k: int, training: bool) -> Any:
        values = ops.relu(ops.matmul(inputs, self.kernels[k]) + self.biases[k]) * self.mask
        return dropped(values, self.rate, self._seeds) if training else values

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return [B, outputs]."""
        return (*input_shape[:-1], self.outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("outputs", "max_layers", "max_units", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @property
    def depth(self) -> int:
        """Hidden layers that are on."""
        return round(float(np.sum(ops.convert_to_numpy(self.gates))))

    @property
    def width(self) -> int:
        """Units that are on in each."""
        return round(float(np.sum(ops.convert_to_numpy(self.mask))))

    def restart(self, layers: int, units: int, rng: np.random.Generator) -> None:
        """Draw new weights for a depth and width.

        Kernels are He-uniform and the last one is Glorot-uniform for the width that is on.

        Raises:
            UsageError: More layers or units than there is room for.
        """
        self._check(layers, units)
        for k, kernel in enumerate(self.kernels):
            kernel.assign(self._drawn(k, units, rng))
        for bias in self.biases:
            bias.assign(np.zeros(bias.shape, np.float32))
        self._switch_on(layers, units)

    def resize(self, layers: int, units: int, rng: np.random.Generator) -> None:
        """Change depth and width; growth leaves the outputs as they are, without dropout exactly.

        Raises:
            UsageError: More layers or units than there is room for.
        """
        self._check(layers, units)
        depth, width = self.depth, self.width
        if units > width:
            self._add_units(slice(width, units), units, rng)
        for k in range(depth, layers):  # relu(h I) is h: what a ReLU gave is not negative
            self.kernels[k].assign(np.eye(self.max_units, dtype=np.float32))
            self.biases[k].assign(np.zeros(self.max_units, np.float32))
        self._switch_on(layers, units)

    def _add_units(self, new: slice, units: int, rng: np.random.Generator) -> None:
        """Give new units fresh weights from what precedes and zero weights to what follows."""
        for k in range(self.max_layers + 1):
            kernel = ops.convert_to_numpy(self.kernels[k]).copy()
            if k < self.max_layers:
                kernel[:, new] = self._drawn(k, units, rng)[:, new]
                bias = ops.convert_to_numpy(self.biases[k]).copy()
                bias[new] = 0.0
                self.biases[k].assign(bias)
            if k > 0:
                kernel[new] = 0.0
            self.kernels[k].assign(kernel)

    def _drawn(self, k: int, units: int, rng: np.random.Generator) -> np.ndarray:
        shape = tuple(self.kernels[k].shape)
        into = shape[0] if k == 0 else units
        last = k == self.max_layers
        limit = np.sqrt(6.0 / (into + self.outputs if last else into))
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    def _switch_on(self, layers: int, units: int) -> None:
        self.mask.assign((np.arange(self.max_units) < units).astype(np.float32))
        self.gates.assign((np.arange(self.max_layers) < layers).astype(np.float32))

    def _check(self, layers: int, units: int) -> None:
        if not (1 <= layers <= self.max_layers and 1 <= units <= self.max_units):
            raise UsageError(
                f"expected 1 to {self.max_layers} layers of 1 to {self.max_units} units, received "
                f"{layers} of {units}: build the model's stack with more room"
            )


def trimmed(model: keras.Model, depth: int, width: int) -> keras.Model:
    """Return the same network, untrained, whose stacks have room for one depth and width only.

    Units and layers that are off cost as much time as those that are on.

    Args:
        model: Built; returned as it is if it has no `LiveStack`.
        depth: Hidden layers of each stack, at least 1.
        width: Their units, at least 1.
    """
    if not any(isinstance(layer, LiveStack) for layer in model._flatten_layers()):
        return model

    def copied(layer: Any) -> Any:
        sizes = {"max_layers": depth, "max_units": width} if isinstance(layer, LiveStack) else {}
        return type(layer).from_config({**layer.get_config(), **sizes})

    return keras.models.clone_model(model, clone_function=copied)
