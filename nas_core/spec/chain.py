"""A network as a chain of layers, with optional skip inputs: frozen, checked, named by digest."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from nas_core.errors import SpecError
from nas_core.spec.digest import canonical_digest
from nas_core.spec.layers import (
    LAYER_TYPES,
    Conv,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Layer,
    Pool,
    Recurrent,
    Softmax,
)

MOST_LAYERS = 512
TO_VECTOR = (Dense, GlobalAveragePool, Recurrent)


@dataclass(frozen=True)
class ChainSpec:
    """Layers from the image to the classifier.

    Attributes:
        layers: At least the final `Softmax`; convolutions and pooling come before dense and
            recurrent layers. A network for texts begins with `Embedding`.

    Raises:
        SpecError: On construction, if the layers cannot form a network.
    """

    type: ClassVar[str] = "chain"
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        _check_end(self.layers)
        _check_order(self.layers)

    @cached_property
    def digest(self) -> str:
        """The name shared by every chain that computes the same function family."""
        return canonical_digest(_to_json(_canonical(self.layers)))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that `from_json` reads back to an equal specification."""
        return _to_json(self.layers)

    @classmethod
    def from_json(cls, value: Any) -> "ChainSpec":
        """Build a chain from `to_json`'s values.

        Raises:
            SpecError: An unknown or missing key, layer or value.
        """
        rows = value.get("layers") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            raise SpecError(f"expected {{'type': 'chain', 'layers': [...]}}, received {value!r}")
        return cls(tuple(_layer_from_json(row) for row in rows))

    def to_text(self) -> str:
        """Return MetaQNN's notation, such as ``[C(64,3,1), P(2,2), GAP, SM(10)]``."""
        from nas_core.spec.text import chain_to_text

        return chain_to_text(self)

    @classmethod
    def from_text(cls, text: str) -> "ChainSpec":
        """Read MetaQNN's notation (see `nas_core.spec.text`)."""
        from nas_core.spec.text import chain_from_text

        return chain_from_text(text)

    @property
    def reads_text(self) -> bool:
        """Whether the input is a text's tokens rather than an image."""
        return isinstance(self.layers[0], Embedding)

    def sources(self, position: int) -> tuple[int, ...]:
        """Return the positions that the layer at `position` reads, -1 for the image."""
        return self.layers[position].inputs or (position - 1,)


def _check_end(layers: tuple[Layer, ...]) -> None:
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise SpecError(f"expected 1 to {MOST_LAYERS} layers, received {len(layers)}")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise SpecError(f"expected layers from nas_core.spec, received {layer!r}")
    ends = [index for index, layer in enumerate(layers) if isinstance(layer, Softmax)]
    if ends != [len(layers) - 1]:
        raise SpecError("expected exactly one Softmax, as the last layer: end with SM(classes)")


def _check_embedding(index: int, layers: tuple[Layer, ...], sources: tuple[int, ...]) -> None:
    """Refuse an embedding that is not first, and layers that read tokens as if they were pixels."""
    if isinstance(layers[index], Embedding) and index > 0:
        raise SpecError(f"expected an embedding as the first layer, received one at {index}")
    if index > 0 and isinstance(layers[0], Embedding) and -1 in sources:
        raise SpecError(
            f"expected layer {index} to read the embedding, received the tokens: read 0"
        )


def _check_order(layers: tuple[Layer, ...]) -> None:
    flat: list[bool] = []
    for index, layer in enumerate(layers):
        _check_embedding(index, layers, layer.inputs)
        is_flat = index > 0 and flat[index - 1]
        if layer.inputs:
            is_flat = _reads_vectors(index, layer.inputs, flat)
        if is_flat and isinstance(layer, (Conv, Pool, Recurrent)):
            raise SpecError(
                f"expected no {type(layer).__name__} after a layer of vectors, received one at "
                f"position {index}: move it to the front"
            )
        flat.append(is_flat or isinstance(layer, (*TO_VECTOR, Softmax)))


def _reads_vectors(index: int, sources: tuple[int, ...], flat: list[bool]) -> bool:
    """Return whether what a layer reads are vectors, not maps."""
    if max(sources) >= index or len(set(sources)) != len(sources):
        raise SpecError(
            f"expected layer {index} to read earlier layers once each, received {sources}"
        )
    source_flat = {position >= 0 and flat[position] for position in sources}
    if len(source_flat) > 1:
        raise SpecError(f"layer {index} joins a vector and a map: pool the map first")
    return source_flat == {True}


def _changes_nothing(layer: Layer, flat_input: bool) -> bool:
    if len(layer.inputs) > 1:
        return False
    if isinstance(layer, Dropout):
        return layer.rate == 0.0
    if isinstance(layer, Pool):
        return layer.size == (1, 1) and layer.stride == (1, 1)
    return isinstance(layer, GlobalAveragePool) and flat_input


def _canonical(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Drop layers that do nothing or that nobody reads; sort inputs; renumber."""
    alias: dict[int, int] = {-1: -1}
    flat: dict[int, bool] = {-1: False}
    sources: dict[int, tuple[int, ...]] = {}
    for index, layer in enumerate(layers):
        read = tuple(alias[position] for position in layer.inputs or (index - 1,))
        # Concatenation is commutative up to a permutation of the next layer's weights.
        sources[index] = tuple(sorted(read))
        alias[index] = read[0] if _changes_nothing(layer, flat[read[0]]) else index
        flat[index] = flat[read[0]] or isinstance(layer, TO_VECTOR)
    alive: set[int] = set()
    waiting = [len(layers) - 1]
    while waiting:
        position = waiting.pop()
        if position >= 0 and position not in alive:
            alive.add(position)
            waiting.extend(sources[position])
    kept = sorted(alive)
    number = {old: new for new, old in enumerate(kept)} | {-1: -1}
    return tuple(
        replace(layers[old], inputs=_short(tuple(number[p] for p in sources[old]), number[old]))
        for old in kept
    )


def _short(inputs: tuple[int, ...], position: int) -> tuple[int, ...]:
    return () if inputs == (position - 1,) else inputs


def _layer_to_json(layer: Layer) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": layer.kind}
    for item in fields(layer):
        value = getattr(layer, item.name)
        if item.name != "inputs" or value:
            row[item.name] = list(value) if isinstance(value, tuple) else value
    return row


def _to_json(layers: Iterable[Layer]) -> dict[str, Any]:
    return {"type": ChainSpec.type, "layers": [_layer_to_json(layer) for layer in layers]}


def _layer_from_json(row: Any) -> Layer:
    kind = row.get("layer") if isinstance(row, dict) else None
    if not isinstance(kind, str) or kind not in LAYER_TYPES:
        known = ", ".join(LAYER_TYPES)
        raise SpecError(f"expected a layer among {known}, received {row!r}: correct the file")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in row.items()}
    del values["layer"]
    try:
        return LAYER_TYPES[kind](**values)
    except TypeError as error:
        raise SpecError(f"expected the fields of {kind}, received {row!r} ({error})") from error
