"""CNN specifications: frozen data, JSON, text notation, canonical digest. No Keras here."""

from typing import Any, ClassVar, Protocol, runtime_checkable

from nas_core.errors import SpecError
from nas_core.spec.cell import CellSpec, filters_for
from nas_core.spec.cell_blocks import Block, Cell
from nas_core.spec.cell_ops import OPERATION_PRESETS, OPERATIONS
from nas_core.spec.chain import ChainSpec
from nas_core.spec.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Layer,
    Pool,
    Recurrent,
    SepConv,
    Softmax,
)
from nas_core.spec.table import TableSpec


@runtime_checkable
class Spec(Protocol):
    """What every specification offers. Equal digests mean the same architecture."""

    type: ClassVar[str]

    @property
    def digest(self) -> str:
        """Versioned SHA-256 of the canonical form."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, ``type`` among them, that `spec_from_json` reads back."""

    def to_text(self) -> str:
        """Return a one-line notation for people."""


def spec_from_json(value: Any) -> Spec:
    """Read any specification back from its `to_json` values.

    Raises:
        SpecError: The type is unknown or the values do not form a network.
    """
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == ChainSpec.type:
        return ChainSpec.from_json(value)
    if kind == CellSpec.type:
        return CellSpec.from_json(value)
    if kind == TableSpec.type:
        return TableSpec.from_json(value)
    raise SpecError(
        f"expected a specification of type 'chain', 'cell' or 'table', received {kind!r}: "
        "check the file"
    )


__all__ = [
    "OPERATIONS",
    "OPERATION_PRESETS",
    "Activation",
    "BatchNorm",
    "Block",
    "Cell",
    "CellSpec",
    "ChainSpec",
    "Conv",
    "Dense",
    "Dropout",
    "Embedding",
    "GlobalAveragePool",
    "Layer",
    "Pool",
    "Recurrent",
    "SepConv",
    "Softmax",
    "Spec",
    "SpecError",
    "TableSpec",
    "filters_for",
    "spec_from_json",
]
