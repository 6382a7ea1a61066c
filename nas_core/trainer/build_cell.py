"""From a cell specification to a Keras model of standard layers (Zoph et al. 2018, appendix A).

Follows the authors' released network where the paper is silent: the first cell takes the stem as
both inputs; a cell input that ends up in the output is matched to it; with ImageNet stems the two
stem cells have a quarter and half of the filters.
"""

from dataclasses import replace
from typing import Any

import keras
from keras import layers

from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS
from nas_core.spec.cell_ops import OPERATIONS
from nas_core.spec.cell_plan import AUXILIARY_FILTERS, PlacedCell, Plan, plan_cells
from nas_core.trainer.cell_layers import (
    CellLayers,
    State,
    batch_norm,
    classifier,
    convolution,
    rescaled,
)

AUXILIARY_WEIGHT = 0.4  # of the auxiliary loss beside the classifier's


def build_cell_model(
    spec: CellSpec, image_shape: tuple[int, int, int], total_steps: int | None = None
) -> keras.Model:
    """Build an untrained model.

    Args:
        spec: What to build.
        image_shape: Height, width, channels; the model takes pixels in [0, 255], uint8 or float.
        total_steps: Training steps over which drop-path grows to its full rate; None for a fixed
            rate and standard layers only.

    Returns:
        A model whose output is probabilities [B, classes] in float32. With an auxiliary head the
        outputs are a dictionary of ``classifier`` and ``auxiliary``, both [B, classes].

    Raises:
        SpecError: The image is too small for the stem.
    """
    image = keras.Input(image_shape, name="image")
    outputs = connect_cells(spec, rescaled(image), total_steps)
    return keras.Model(image, outputs if len(outputs) > 1 else outputs["classifier"], name="cells")


def connect_cells(spec: CellSpec, images: Any, total_steps: int | None = None) -> dict[str, Any]:
    """Apply the network to preprocessed images [B, H, W, C].

    Returns:
        ``classifier`` and, where the specification has an auxiliary head, ``auxiliary``.
    """
    height, width, channels = images.shape[1:]
    plan = plan_cells(spec, (height, width, channels))
    tensors = _run_cells(spec, plan, _stem(spec, images, plan), total_steps)
    features = layers.ReLU(name="features_relu")(tensors[len(plan.cells)])
    features = layers.GlobalAveragePooling2D(name="features")(features)
    if spec.dropout > 0.0:
        features = layers.Dropout(spec.dropout, name="features_drop")(features)
    outputs = {"classifier": classifier(features, spec.classes, "classifier")}
    if plan.auxiliary is not None:
        outputs["auxiliary"] = _auxiliary(spec, tensors[plan.auxiliary])
    return outputs


def plain_model(
    model: keras.Model, spec: CellSpec, image_shape: tuple[int, int, int]
) -> keras.Model:
    """Return a copy for use and sharing: same weights, standard layers, no auxiliary head.

    Args:
        model: As built (and then trained) by `build_cell_model` for `spec`.
        spec: The specification it was built from.
        image_shape: As it was built for.
    """
    plain = build_cell_model(replace(spec, auxiliary_head=False), image_shape)
    for layer in plain.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return plain


def _stem(spec: CellSpec, images: Any, plan: Plan) -> Any:
    stride, padding = (1, "same") if spec.stem == "cifar" else (2, "valid")
    filters = plan.shapes[0][2]
    stem = convolution(images, filters, (3, 3), "stem", strides=stride, padding=padding)
    return batch_norm(stem, spec.batch_norm_momentum, "stem")


def _run_cells(spec: CellSpec, plan: Plan, stem: Any, total_steps: int | None) -> dict[int, Any]:
    """Return the tensors by the plan's numbers; cells that nothing depends on are not built."""
    tensors = {0: stem}
    for number, placed in enumerate(plan.cells, start=1):
        if placed.live:
            parts = CellLayers(placed.filters, spec.batch_norm_momentum, placed.keep, total_steps)
            sides = plan.shapes[placed.current][:2]
            tensors[number] = _cell(parts, placed, tensors, sides)
    return tensors


def _cell(
    parts: CellLayers, placed: PlacedCell, tensors: dict[int, Any], sides: tuple[int, int]
) -> Any:
    """Build one cell; `sides` is the size of its current input, which may itself be unused."""
    cell, name = placed.cell, placed.name
    states = _inputs(parts, placed, tensors, sides)
    for number in sorted(cell.live - {CURRENT, PREVIOUS}):
        block, block_name = cell.blocks[number - 2], f"{name}_block{number}"
        results = [
            parts.operation(
                OPERATIONS[kind],
                states[source],
                placed.stride if source <= PREVIOUS else 1,
                f"{block_name}_{side}_{kind}",
            )
            for side, (source, kind) in zip(("left", "right"), block.edges, strict=True)
        ]
        join = layers.Add if block.combine == "add" else layers.Concatenate
        states[number] = State(join(name=block_name)(results), block_name)
    joined = [
        _output(parts, placed.stride, states[number], sides)
        if number <= PREVIOUS
        else states[number].tensor
        for number in cell.outputs
    ]
    return joined[0] if len(joined) == 1 else layers.Concatenate(name=name)(joined)


def _inputs(
    parts: CellLayers, placed: PlacedCell, tensors: dict[int, Any], sides: tuple[int, int]
) -> dict[int, State]:
    """Prepare h_i (relu, 1x1, batch norm) and h_{i-1} (matched to h_i), where they are read."""
    states = {}
    name = placed.name
    if CURRENT in placed.cell.live:
        raw = State(tensors[placed.current], f"{name}_raw0")
        states[CURRENT] = State(parts.conv_bn(raw.relu, (1, 1), f"{name}_in0"), f"{name}_in0")
    if PREVIOUS in placed.cell.live:
        raw = State(tensors[placed.previous], f"{name}_raw1")
        alone = placed.previous == placed.current
        states[PREVIOUS] = raw if alone else _matched(parts, raw, sides, f"{name}_in1")
    return states


def _matched(parts: CellLayers, state: State, sides: tuple[int, int], name: str) -> State:
    """Bring h_{i-1} to the current size (factorised reduction) and filters (1x1)."""
    if state.sides != sides:
        return State(parts.shrink(state.relu, name), name)
    if state.channels != parts.filters:
        return State(parts.conv_bn(state.relu, (1, 1), name), name)
    return state


def _output(parts: CellLayers, stride: int, state: State, sides: tuple[int, int]) -> Any:
    """Bring a cell input that is part of the output to the output's size and filters."""
    name = f"{state.name}_out"
    if state.sides != tuple(-(-side // stride) for side in sides):
        return parts.shrink(state.tensor, name)
    fits = state.channels == parts.filters
    return state.tensor if fits else parts.conv_bn(state.tensor, (1, 1), name)


def _auxiliary(spec: CellSpec, tensor: Any) -> Any:
    """A second classifier at two thirds of the depth; its pooling window fits small maps."""
    momentum, (narrow, wide) = spec.batch_norm_momentum, AUXILIARY_FILTERS
    positive = layers.ReLU(name="auxiliary_relu")(tensor)
    window = min(5, positive.shape[1]), min(5, positive.shape[2])
    pooled = layers.AveragePooling2D(window, 3, "valid", name="auxiliary_pool")(positive)
    projected = convolution(pooled, narrow, (1, 1), "auxiliary_project")
    projected = batch_norm(projected, momentum, "auxiliary_project")
    projected = layers.ReLU(name="auxiliary_project_relu")(projected)
    whole = projected.shape[1], projected.shape[2]
    summary = convolution(projected, wide, whole, "auxiliary_whole", padding="valid")
    summary = batch_norm(summary, momentum, "auxiliary_whole")
    summary = layers.Flatten(name="auxiliary_flat")(
        layers.ReLU(name="auxiliary_whole_relu")(summary)
    )  # [B, 768]
    return classifier(summary, spec.classes, "auxiliary")
