"""What an architecture costs, from its specification alone: no Keras, microseconds."""

from nas_core.cost.cell import cell_cost
from nas_core.cost.chain import chain_cost, layer_cost
from nas_core.cost.model import BYTES, Cost, LayerCost, Limits, Shape
from nas_core.errors import SpecError
from nas_core.spec import CellSpec, ChainSpec, Spec


def cost(spec: Spec, image_shape: tuple[int, int, int]) -> Cost:
    """Return shapes, parameters, multiply-accumulates and activation memory.

    Args:
        spec: A chain or cell specification.
        image_shape: Height, width, channels of one image.

    Raises:
        SpecError: The image is too small for the layers.
    """
    if isinstance(spec, ChainSpec):
        return chain_cost(spec, image_shape)
    if isinstance(spec, CellSpec):
        return cell_cost(spec, image_shape)
    raise SpecError(f"expected a chain or cell specification, received {type(spec).__name__}")


__all__ = [
    "BYTES",
    "Cost",
    "LayerCost",
    "Limits",
    "Shape",
    "cell_cost",
    "chain_cost",
    "cost",
    "layer_cost",
]
