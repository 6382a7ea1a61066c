"""Masks of legal decisions: the transition rules, and cost limits in a few vector comparisons."""

from dataclasses import dataclass

import numpy as np

from metaqnn.config import SpaceConfig
from nas_core.cost import BYTES, LayerCost, Shape, layer_cost
from nas_core.errors import SpecError
from nas_core.spec import Conv, Dense, GlobalAveragePool, Layer, Pool, Softmax
from nas_core.summed import IMPOSSIBLE

# An action's layer; None ends with softmax on the flattened map, GAP ends with GAP and softmax.
ActionLayer = Layer | None


def action_layers(config: SpaceConfig) -> tuple[ActionLayer, ...]:
    """Return one layer per action, in the order of the action numbers."""
    return (
        *(Conv(filters, kernel) for filters in config.filters for kernel in config.kernels),
        *(Pool(size, stride) for size, stride in config.pools),
        *(Dense(units) for units in config.dense),
        GlobalAveragePool(),
        None,
    )


def representation_bin(size: int) -> int:
    """Return the bin of a representation size: 8 for 8 and above, 4 for 4 to 7, else 1.

    The paper's bins (∞, 8], (8, 4], (4, 1] with the boundaries of the authors' code.
    """
    return 8 if size > 7 else 4 if size > 3 else 1


def side(pair: tuple[int, int] | int) -> int:
    """Return the side of a square kernel, pool or stride."""
    return pair if isinstance(pair, int) else pair[0]


def rule_allows(config: SpaceConfig, kind: str, dense: int, shape: Shape, layer: Layer) -> bool:
    """Whether the paper's transition rules let `layer` follow; depth, ends and limits aside.

    Args:
        config: The space.
        kind: Type of the last layer, ``start`` before the first.
        dense: Consecutive dense layers so far.
        shape: Output shape of the last layer.
        layer: A convolution, pooling or dense layer.
    """
    if isinstance(layer, Dense):
        if kind == "dense":  # rule 5: at most so many, never wider than the one before
            return dense < config.most_dense and layer.units <= shape[0]
        return config.most_dense > 0 and representation_bin(shape[0]) < 8  # rule 6
    if kind == "dense":  # rule 5: only dense layers follow a dense layer
        return False
    smallest = min(shape[:2])
    if isinstance(layer, Pool):  # rules 4 and 7
        first_may = kind != "start" or config.initial_pooling
        return kind != "pool" and first_may and side(layer.size) <= smallest
    return isinstance(layer, Conv) and side(layer.kernel) <= smallest  # rules 3 and 7


@dataclass(frozen=True)
class Figures:
    """What ending right after each action adds, by [action, way to end].

    Attributes:
        parameters: Weights, int64 [A, 2].
        macs: Multiply-accumulates, int64 [A, 2].
        activation_bytes: Bytes kept for the backward pass, int64 [A, 2].
    """

    parameters: np.ndarray
    macs: np.ndarray
    activation_bytes: np.ndarray


def _ending(shape: Shape, classes: int, gap: bool) -> LayerCost:
    end = layer_cost(Softmax(classes), (shape[-1],) if gap else shape)
    extra = shape[-1] if gap else 0
    return LayerCost(end.shape, end.parameters, end.macs, end.activations + extra)


def figures(config: SpaceConfig, shape: Shape, classes: int) -> Figures:
    """Return what each action and the shortest end after it would cost from a map of `shape`."""
    table = np.full((3, len(action_layers(config)), 2), IMPOSSIBLE, np.int64)
    copies = kept_copies(config)
    for action, layer in enumerate(action_layers(config)):
        for way, gap in enumerate((False, True)):
            if layer is None or isinstance(layer, GlobalAveragePool):
                # GAP on a vector changes nothing: one way to end is enough.
                if gap != (layer is not None) or (gap and len(shape) == 1):
                    continue
                row, after = LayerCost(shape, 0, 0, 0), shape
            else:
                try:
                    row = layer_cost(layer, shape)
                except SpecError:
                    continue
                after = row.shape
            end = _ending(after, classes, gap)
            kept = BYTES * (copies * row.activations + end.activations)
            table[:, action, way] = (
                row.parameters + end.parameters, row.macs + end.macs, kept,
            )  # fmt: skip
    return Figures(*table)


def kept_copies(config: SpaceConfig) -> int:
    """Return how often a layer's output is kept at most: once more where dropout may follow."""
    return 2 if config.dropout else 1


def within_limits(
    config: SpaceConfig, added: Figures, parameters: int, macs: int, kept: int
) -> np.ndarray:
    """Return bools [A]: after which actions some way to end stays within the limits."""
    limits = config.limits
    fits = added.parameters < IMPOSSIBLE  # [A, 2]
    if limits.parameters is not None:
        fits = fits & (parameters + added.parameters <= limits.parameters)
    if limits.macs is not None:
        fits = fits & (macs + added.macs <= limits.macs)
    if limits.activation_bytes is not None:
        before = BYTES * kept_copies(config) * kept
        fits = fits & (before + added.activation_bytes <= limits.activation_bytes)
    return np.asarray(fits.any(axis=1))
