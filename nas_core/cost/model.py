"""The figures that a cost estimate returns, and the limits that a search sets on them."""

from dataclasses import dataclass

# (height, width, channels) of a map, or (units,) of a vector; the batch is left out.
Shape = tuple[int, ...]
BYTES = 4  # of one float32


@dataclass(frozen=True)
class LayerCost:
    """One layer's share.

    Attributes:
        shape: Output shape.
        parameters: Weights as Keras counts them, moving statistics included.
        macs: Multiply-accumulates of one image, of convolutions, dense and recurrent layers.
        activations: Numbers (not bytes) that the layer keeps for the backward pass.
    """

    shape: Shape
    parameters: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """The whole network's figures for one image.

    Attributes:
        layers: One entry per layer of the specification.
        parameters: Sum of the layers, equal to Keras's `count_params()`.
        macs: Multiply-accumulates of one forward pass.
        peak_activation_bytes: What one image holds in float32 when the backward pass starts,
            the input included; a training step needs this times the batch.
    """

    layers: tuple[LayerCost, ...]
    parameters: int
    macs: int
    peak_activation_bytes: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Every layer's output shape."""
        return tuple(layer.shape for layer in self.layers)


@dataclass(frozen=True)
class Limits:
    """Upper limits that a space masks by, so that no proposal ever exceeds them.

    Attributes:
        parameters: Most weights; None for no limit.
        macs: Most multiply-accumulates of one image.
        activation_bytes: Most float32 bytes of one image's activations.
    """

    parameters: int | None = None
    macs: int | None = None
    activation_bytes: int | None = None

    def allow_cost(self, found: Cost) -> bool:
        """Return whether a network's cost is within the limits."""
        return self.allow(found.parameters, found.macs, found.peak_activation_bytes)

    def allow(self, parameters: int, macs: int, activation_bytes: int) -> bool:
        """Return whether all three figures are within the limits."""
        return (
            (self.parameters is None or parameters <= self.parameters)
            and (self.macs is None or macs <= self.macs)
            and (self.activation_bytes is None or activation_bytes <= self.activation_bytes)
        )
