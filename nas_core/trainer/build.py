"""From a specification to a Keras model of standard layers, so that saved models open anywhere.

A model takes pixels in [0, 255] (uint8 or float) and brings them to [-1, 1] itself, or the tokens
of texts; its output is class probabilities in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import layers

from nas_core.errors import SpecError
from nas_core.spec import (
    Activation,
    BatchNorm,
    CellSpec,
    ChainSpec,
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
    Spec,
)
from nas_core.trainer.cell_layers import classifier, rescaled

RECURRENT = {"gru": layers.GRU, "lstm": layers.LSTM}
BATCH_NORM_MOMENTUM = 0.9  # Keras's 0.99 needs more steps than a short training has


def build_model(
    spec: Spec,
    image_shape: tuple[int, int, int],
    *,
    initialiser: str = "glorot_uniform",
    precision: str = "float32",
    total_steps: int | None = None,
) -> keras.Model:
    """Build an untrained model.

    Weights are drawn from Keras's global generator: `keras.utils.set_random_seed` decides them.

    Args:
        spec: A chain or cell specification.
        image_shape: Height, width, channels of one image; (length, 1, 1) of a text's tokens.
        initialiser: Of a chain's kernels, by Keras's name.
        precision: Keras's dtype policy: "float32" or "mixed_bfloat16".
        total_steps: Training steps over which a cell's drop-path grows; None for a fixed rate.

    Raises:
        SpecError: The images are too small for the layers, or Keras lacks a layer like that.
    """
    with _dtype_policy(precision):
        if isinstance(spec, ChainSpec):
            return _build_chain(spec, image_shape, initialiser)
        if isinstance(spec, CellSpec):
            from nas_core.trainer.build_cell import build_cell_model

            return build_cell_model(spec, image_shape, total_steps)
    raise SpecError(f"expected a chain or cell specification, received {type(spec).__name__}")


def servable_model(
    model: keras.Model,
    spec: Spec | None,
    trained_shape: tuple[int, int, int],
    stored_shape: tuple[int, int, int],
) -> keras.Model:
    """Return a trained model as it is saved: standard layers only, for images as they are stored.

    Args:
        model: A trained model of `build_model`, or of a user's own function.
        spec: What `build_model` built it from; None for a user's own.
        trained_shape: Shape of the images it was trained on.
        stored_shape: Shape of the data set's images; a `Resizing` layer bridges the two.
    """
    if isinstance(spec, CellSpec):
        from nas_core.trainer.build_cell import plain_model

        model = plain_model(model, spec, trained_shape)
    if model.compiled:  # the optimizer stays here: other programs may not know it
        model = keras.Model(model.input, model.output, name=model.name)
    if trained_shape == stored_shape:
        return model
    image = keras.Input(stored_shape, name="stored_image")
    return keras.Model(image, model(resizing(trained_shape)(image)), name="resized")


def resizing(image_shape: tuple[int, int, int]) -> keras.layers.Layer:
    """Return the layer that brings images of any size to `image_shape`'s height and width."""
    height, width, _ = image_shape
    return layers.Resizing(height, width, "bilinear", antialias=True, name="resize")


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Let layers that are made inside have a policy; nothing changes for others."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build_chain(
    spec: ChainSpec, image_shape: tuple[int, int, int], initialiser: str
) -> keras.Model:
    if spec.reads_text:  # whole numbers, which no precision rounds
        image = keras.Input(image_shape, name="tokens", dtype="int32")
        tensors = {-1: image}
    else:
        image = keras.Input(image_shape, name="image")
        tensors = {-1: rescaled(image)}
    for index, layer in enumerate(spec.layers):
        name = f"{layer.kind}_{index}"
        joined = _join([tensors[position] for position in spec.sources(index)], name)
        tensors[index] = _apply(layer, joined, name, initialiser)
    return keras.Model(image, tensors[len(spec.layers) - 1], name="chain")


def _join(tensors: list[Any], name: str) -> Any:
    """Concatenate channels, smaller maps zero-padded at the bottom and right to the largest."""
    if len(tensors) == 1:
        return tensors[0]
    if len(tensors[0].shape) == 4:
        height = max(tensor.shape[1] for tensor in tensors)
        width = max(tensor.shape[2] for tensor in tensors)
        tensors = [
            _pad(tensor, height - tensor.shape[1], width - tensor.shape[2], f"{name}_pad{number}")
            for number, tensor in enumerate(tensors)
        ]
    return layers.Concatenate(name=f"{name}_join")(tensors)


def _pad(tensor: Any, rows: int, columns: int, name: str) -> Any:
    if rows == 0 and columns == 0:
        return tensor
    return layers.ZeroPadding2D(((0, rows), (0, columns)), name=name)(tensor)


def _apply(layer: Layer, tensor: Any, name: str, initialiser: str) -> Any:
    """Return the layer's output on `tensor` ([B, H, W, C] or [B, units])."""
    match layer:
        case Embedding():
            return _embedded(layer, tensor, name)
        case Recurrent():
            return _recurrent(layer, tensor, name, initialiser)
        case SepConv():
            return _separable(layer, tensor, name, initialiser)
        case Conv():
            return layers.Conv2D(
                layer.filters,
                layer.kernel,
                layer.stride,
                "same",
                activation=layer.activation,
                kernel_initializer=initialiser,
                name=name,
            )(tensor)
        case Pool():
            return _pool(layer, tensor, name)
        case Dense():
            return layers.Dense(
                layer.units, activation=layer.activation, kernel_initializer=initialiser, name=name
            )(_flat(tensor, name))
        case Softmax():
            return classifier(_flat(tensor, name), layer.classes, name)
    return _unweighted(layer, tensor, name)


def _unweighted(layer: Layer, tensor: Any, name: str) -> Any:
    """Return the output of a layer without kernels."""
    match layer:
        case Dropout():
            return layers.Dropout(layer.rate, name=name)(tensor)
        case BatchNorm():
            return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)(tensor)
        case Activation():
            return layers.Activation(layer.function, name=name)(tensor)
        case GlobalAveragePool():
            is_map = len(tensor.shape) == 4
            return layers.GlobalAveragePooling2D(name=name)(tensor) if is_map else tensor
    raise SpecError(f"expected a layer that can be built, received {layer!r}")


def _embedded(layer: Embedding, tensor: Any, name: str) -> Any:
    """Return [B, L, 1, units] of tokens [B, L, 1, 1]; padding has a vector of its own."""
    length = tensor.shape[1]
    if tensor.shape[2:] != (1, 1):
        raise SpecError(
            f"expected tokens [length, 1, 1] to embed, received {tuple(tensor.shape[1:])}: choose "
            "a data set of texts"
        )
    tokens = layers.Reshape((length, 1), name=f"{name}_tokens")(tensor)
    return layers.Embedding(layer.words, layer.units, name=name)(tokens)


def _recurrent(layer: Recurrent, tensor: Any, name: str, initialiser: str) -> Any:
    """Return [B, units] of a map's positions, read row by row."""
    _, height, width, channels = tensor.shape
    steps = layers.Reshape((height * width, channels), name=f"{name}_steps")(tensor)
    inner = f"{name}_cell" if layer.both else name
    cell = RECURRENT[layer.cell](layer.units, kernel_initializer=initialiser, name=inner)
    return layers.Bidirectional(cell, name=name)(steps) if layer.both else cell(steps)


def _separable(layer: SepConv, tensor: Any, name: str, initialiser: str) -> Any:
    return layers.SeparableConv2D(
        layer.filters,
        layer.kernel,
        layer.stride,
        "same",
        activation=layer.activation,
        depthwise_initializer=initialiser,
        pointwise_initializer=initialiser,
        name=name,
    )(tensor)


def _pool(layer: Pool, tensor: Any, name: str) -> Any:
    (height, width), (_, rows, columns, _) = layer.size, tensor.shape  # type: ignore[misc]
    if height > rows or width > columns:
        raise SpecError(
            f"expected a map of at least {height}x{width} pixels to pool, received "
            f"{rows}x{columns}: pool less or use larger images"
        )
    kind = layers.MaxPooling2D if layer.mode == "max" else layers.AveragePooling2D
    return kind(layer.size, layer.stride, "valid", name=name)(tensor)


def _flat(tensor: Any, name: str) -> Any:
    """Return [B, units] of a map or vector."""
    return tensor if len(tensor.shape) == 2 else layers.Flatten(name=f"{name}_flat")(tensor)
