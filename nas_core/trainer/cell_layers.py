"""The parts of a cell as Keras layers; `nas_core.cost.cell_parts` counts the same parts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import layers

from nas_core.spec.cell_ops import Family, Operation
from nas_core.trainer.drop_path import drop_path

Pair = tuple[int, int]
BATCH_NORM_EPSILON = 1e-3


@dataclass
class State:
    """A hidden state [B, H, W, C]; its relu is computed once, however many operations read it."""

    tensor: Any
    name: str

    @cached_property
    def relu(self) -> Any:
        """The state's positive part."""
        return layers.ReLU(name=f"{self.name}_relu")(self.tensor)

    @property
    def sides(self) -> Pair:
        """Height and width."""
        return self.tensor.shape[1], self.tensor.shape[2]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.tensor.shape[3])


def batch_norm(tensor: Any, momentum: float, name: str) -> Any:
    """Normalise over channels; `momentum` is the decay of the moving statistics."""
    return layers.BatchNormalization(
        momentum=momentum, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn"
    )(tensor)


def convolution(tensor: Any, filters: int, kernel: Pair, name: str, **options: Any) -> Any:
    """Convolution without a bias, for a batch normalisation follows.

    SAME padding and stride 1, unless `options` say otherwise (as for `keras.layers.Conv2D`).
    """
    settings = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal", **options}
    return layers.Conv2D(filters, kernel, name=f"{name}_conv", **settings)(tensor)


@dataclass(frozen=True)
class CellLayers:
    """Makes the parts of one cell.

    Attributes:
        filters: Output channels of every operation.
        momentum: Of batch normalisation.
        keep: Probability of keeping a path.
        total_steps: Steps over which drop-path grows; None for a fixed rate.
    """

    filters: int
    momentum: float
    keep: float = 1.0
    total_steps: int | None = None

    def conv_bn(self, tensor: Any, kernel: Pair, name: str, stride: Pair = (1, 1)) -> Any:
        """Convolution (of a relu's output) and batch normalisation."""
        done = convolution(tensor, self.filters, kernel, name, strides=stride)
        return batch_norm(done, self.momentum, name)

    def separable(self, positive: Any, size: int, stride: int, name: str) -> Any:
        """Depthwise and pointwise convolution with nothing between, batch normalisation."""
        done = layers.SeparableConv2D(
            self.filters,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            depthwise_initializer="he_normal",
            pointwise_initializer="he_normal",
            name=f"{name}_sep",
        )(positive)
        return batch_norm(done, self.momentum, name)

    def shrink(self, tensor: Any, name: str) -> Any:
        """Halve the resolution without losing pixels to the stride (factorised reduction).

        Every other pixel goes to one half of the filters, the pixels diagonally between them to
        the other half.
        """
        shifted = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(tensor)
        shifted = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_shift")(shifted)
        halves = []
        half = self.filters // 2
        for number, (source, filters) in enumerate(
            ((tensor, half), (shifted, self.filters - half))
        ):
            if filters > 0:
                picked = layers.AveragePooling2D(1, 2, "valid", name=f"{name}_pick{number}")(source)
                halves.append(convolution(picked, filters, (1, 1), f"{name}_half{number}"))
        joined = layers.Concatenate(name=f"{name}_join")(halves) if len(halves) > 1 else halves[0]
        return batch_norm(joined, self.momentum, name)  # [B, ceil(H/2), ceil(W/2), filters]

    def operation(self, kind: Operation, state: State, stride: int, name: str) -> Any:
        """Apply one of the 13 operations; paths other than the identity may be dropped."""
        size, strides = kind.size, (stride, stride)
        match kind.family:
            case Family.IDENTITY:
                same = stride == 1 and state.channels == self.filters
                return state.tensor if same else self.conv_bn(state.relu, (1, 1), name, strides)
            case Family.CONVOLUTION:
                result = self.conv_bn(state.relu, (size, size), name, strides)
            case Family.DILATED:
                result = self._dilated(state.relu, size, stride, name)
            case Family.FACTORISED:
                half = self.conv_bn(state.relu, (1, size), f"{name}_row", (1, stride))
                positive = layers.ReLU(name=f"{name}_relu")(half)
                result = self.conv_bn(positive, (size, 1), f"{name}_column", (stride, 1))
            case Family.SEPARABLE:
                half = self.separable(state.relu, size, stride, f"{name}_first")
                positive = layers.ReLU(name=f"{name}_relu")(half)
                result = self.separable(positive, size, 1, f"{name}_second")
            case _:
                result = self._pool(kind, state, stride, name)
        dropping = drop_path(self.keep, self.total_steps, f"{name}_drop")
        return result if dropping is None else dropping(result)

    def _dilated(self, positive: Any, size: int, stride: int, name: str) -> Any:
        """Convolution with rate 2; with stride 2 its taps all fall on every other pixel."""
        if stride == 1:
            done = convolution(positive, self.filters, (size, size), name, dilation_rate=2)
            return batch_norm(done, self.momentum, name)
        picked = layers.AveragePooling2D(1, stride, "valid", name=f"{name}_pick")(positive)
        return self.conv_bn(picked, (size, size), name)

    def _pool(self, kind: Operation, state: State, stride: int, name: str) -> Any:
        average = kind.family is Family.AVERAGE_POOL
        pool = layers.AveragePooling2D if average else layers.MaxPooling2D
        pooled = pool(kind.size, stride, "same", name=f"{name}_pool")(state.tensor)
        fits = state.channels == self.filters
        return pooled if fits else self.conv_bn(pooled, (1, 1), name)


def classifier(features: Any, classes: int, name: str) -> Any:
    """Class probabilities in float32, whatever precision the layers before have."""
    return layers.Dense(classes, activation="softmax", dtype="float32", name=name)(features)


def rescaled(image: Any) -> Any:
    """Bring pixels from [0, 255] to [-1, 1]."""
    return keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="rescale")(image)
