"""Parameters, MACs and activations of the parts that cells are made of, one by one.

Each method stands for the same-named part of the network builder and returns its output shape.
"""

from dataclasses import dataclass
from math import prod

from nas_core.cost.model import LayerCost, Shape
from nas_core.spec.cell_ops import Family, Operation
from nas_core.spec.cell_plan import Map

Pair = tuple[int, int]
BATCH_NORM_WEIGHTS = 4  # per channel: scale, offset, moving mean, moving variance


@dataclass
class Tally:
    """A running sum over parts (fields as in `LayerCost`)."""

    parameters: int = 0
    macs: int = 0
    activations: int = 0

    def row(self, shape: Shape) -> LayerCost:
        """Return the sums as the cost of a part with output `shape`."""
        return LayerCost(shape, self.parameters, self.macs, self.activations)

    def kept(self, shape: Map) -> Map:
        """Count one tensor that the backward pass needs."""
        self.activations += prod(shape)
        return shape

    def batch_norm(self, shape: Map) -> Map:
        """Batch normalisation over channels."""
        self.parameters += BATCH_NORM_WEIGHTS * shape[2]
        return self.kept(shape)

    def convolution(self, shape: Map, filters: int, kernel: Pair, stride: Pair = (1, 1)) -> Map:
        """Convolution with SAME padding and no bias."""
        weights = kernel[0] * kernel[1] * shape[2] * filters
        out = (-(-shape[0] // stride[0]), -(-shape[1] // stride[1]), filters)
        self.parameters += weights
        self.macs += weights * out[0] * out[1]
        return self.kept(out)

    def relu_conv_bn(self, shape: Map, filters: int, kernel: Pair, stride: Pair = (1, 1)) -> Map:
        """Relu, convolution, batch normalisation."""
        return self.batch_norm(self.convolution(self.kept(shape), filters, kernel, stride))

    def separable(self, shape: Map, filters: int, size: int, stride: int) -> Map:
        """Relu, depthwise and pointwise convolution, batch normalisation."""
        self.kept(shape)
        out = (-(-shape[0] // stride), -(-shape[1] // stride), shape[2])
        weights = size * size * shape[2]
        self.parameters += weights
        self.macs += weights * out[0] * out[1]
        # Keras runs both convolutions as one layer; the tensor between them is kept as well.
        return self.batch_norm(self.convolution(self.kept(out), filters, (1, 1)))

    def shrink(self, shape: Map, filters: int) -> Map:
        """Factorised reduction: every other pixel and those between, each to half the filters."""
        halves = filters // 2, filters - filters // 2
        self.kept(shape)  # the shifted copy
        out = (-(-shape[0] // 2), -(-shape[1] // 2), shape[2])
        for half in halves:
            if half > 0:
                self.convolution(self.kept(out), half, (1, 1))
        return self.batch_norm(self.kept((out[0], out[1], filters)))

    def operation(self, kind: Operation, shape: Map, filters: int, stride: int) -> Map:
        """One of the 13 operations; the output has `filters` channels."""
        size, strides = kind.size, (stride, stride)
        out = (-(-shape[0] // stride), -(-shape[1] // stride), shape[2])
        match kind.family:
            case Family.IDENTITY:
                plain = stride == 1 and shape[2] == filters
                return shape if plain else self.relu_conv_bn(shape, filters, (1, 1), strides)
            case Family.CONVOLUTION:
                return self.relu_conv_bn(shape, filters, (size, size), strides)
            case Family.DILATED:
                # A stride of 2 meets every other pixel only, so those are picked first.
                self.kept(shape)
                picked = self.kept(out) if stride > 1 else shape
                return self.batch_norm(self.convolution(picked, filters, (size, size)))
            case Family.FACTORISED:
                half = self.relu_conv_bn(shape, filters, (1, size), (1, stride))
                return self.relu_conv_bn(half, filters, (size, 1), (stride, 1))
            case Family.SEPARABLE:
                return self.separable(
                    self.separable(shape, filters, size, stride), filters, size, 1
                )
        self.kept(out)
        fits = shape[2] == filters
        return out if fits else self.batch_norm(self.convolution(out, filters, (1, 1)))
