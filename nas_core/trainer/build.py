"""From a specification to a Keras model of standard layers, which plain Keras can load again."""

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
    GlobalAveragePool,
    Layer,
    Pool,
    SepConv,
    Softmax,
    Spec,
)
from nas_core.trainer.cell_layers import rescaled

BATCH_NORM_MOMENTUM = 0.9  # of the moving statistics: short trainings take few steps


def build_model(
    spec: Spec,
    image_shape: tuple[int, int, int],
    *,
    initialiser: str = "glorot_uniform",
    precision: str = "float32",
) -> keras.Model:
    """Build an untrained network.

    Args:
        spec: A chain or cell specification.
        image_shape: Height, width, channels; the model takes pixels in [0, 255], uint8 or float.
        initialiser: Of a chain's kernels, as Keras names it.
        precision: float32 or mixed_bfloat16 (chains only); weights and the output are float32.

    Returns:
        A model whose output is probabilities [B, classes] in float32.

    Raises:
        SpecError: The images are too small, or the type of specification is unknown.
    """
    if isinstance(spec, CellSpec):
        from nas_core.trainer.build_cell import build_cell_model

        return build_cell_model(spec, image_shape)
    if not isinstance(spec, ChainSpec):
        raise SpecError(f"expected a chain or cell specification, received {type(spec).__name__}")
    try:
        return _build_chain(spec, image_shape, initialiser, precision)
    except ValueError as error:
        line = " ".join(str(error).split())[:200]
        raise SpecError(f"expected an architecture for images {image_shape}: {line}") from error


def _build_chain(
    spec: ChainSpec, image_shape: tuple[int, int, int], initialiser: str, precision: str
) -> keras.Model:
    image = keras.Input(image_shape, name="image")
    options = {"dtype": keras.DTypePolicy(precision)}
    tensors = {-1: rescaled(image)}  # by position; [B, H, W, C] or [B, C]
    for index, layer in enumerate(spec.layers):
        sources = [tensors[position] for position in spec.sources(index)]
        name = f"{layer.kind}_{index}"
        tensor = _joined(sources, name)
        tensors[index] = _apply(layer, tensor, name, initialiser, options)
    return keras.Model(image, tensors[len(spec.layers) - 1], name="chain")


def _joined(sources: list[Any], name: str) -> Any:
    """Zero-pad maps at the bottom and right to the largest, and concatenate channels."""
    if len(sources) == 1:
        return sources[0]
    if len(sources[0].shape) == 2:
        return layers.Concatenate(name=f"{name}_join")(sources)
    height = max(source.shape[1] for source in sources)
    width = max(source.shape[2] for source in sources)
    padded = []
    for number, source in enumerate(sources):
        missing = height - source.shape[1], width - source.shape[2]
        if missing != (0, 0):
            padding = ((0, missing[0]), (0, missing[1]))
            padded.append(layers.ZeroPadding2D(padding, name=f"{name}_pad{number}")(source))
        else:
            padded.append(source)
    return layers.Concatenate(name=f"{name}_join")(padded)


def _apply(layer: Layer, x: Any, name: str, initialiser: str, options: dict[str, Any]) -> Any:
    """Append one layer to `x` [B, H, W, C] or [B, C]."""
    match layer:
        case SepConv():
            return layers.SeparableConv2D(
                layer.filters, layer.kernel, layer.stride, "same", activation=layer.activation,
                depthwise_initializer=initialiser, pointwise_initializer=initialiser,
                name=name, **options,
            )(x)  # fmt: skip
        case Conv():
            return layers.Conv2D(
                layer.filters, layer.kernel, layer.stride, "same", activation=layer.activation,
                kernel_initializer=initialiser, name=name, **options,
            )(x)  # fmt: skip
        case Pool():
            kind = layers.MaxPooling2D if layer.mode == "max" else layers.AveragePooling2D
            return kind(layer.size, layer.stride, "valid", name=name, **options)(x)
        case Dense():
            return layers.Dense(
                layer.units, layer.activation, kernel_initializer=initialiser, name=name, **options
            )(_flat(x, name))
        case GlobalAveragePool():
            return (
                x if len(x.shape) == 2 else layers.GlobalAveragePooling2D(name=name, **options)(x)
            )
        case Dropout():
            return layers.Dropout(layer.rate, name=name, **options)(x)
        case BatchNorm():
            return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name, **options)(x)
        case Activation():
            return layers.Activation(layer.function, name=name, **options)(x)
        case Softmax():
            logits = layers.Dense(
                layer.classes, kernel_initializer=initialiser, name=name, dtype="float32"
            )(_flat(x, name))
            return layers.Softmax(name=f"{name}_probabilities", dtype="float32")(logits)
    raise SpecError(f"expected a known layer, received {layer!r}")


def _flat(x: Any, name: str) -> Any:
    return x if len(x.shape) == 2 else layers.Flatten(name=f"{name}_flat")(x)


def with_stored_size(model: keras.Model, image_shape: tuple[int, int, int]) -> keras.Model:
    """Return the model taking pixels of the size that a data set stores.

    Args:
        model: Takes pixels of the recipe's size.
        image_shape: Height, width, channels of the stored images.
    """
    wanted = model.input_shape[1:]
    if tuple(wanted) == tuple(image_shape):
        return model
    image = keras.Input(image_shape, name="stored_image")
    return keras.Model(image, model(resizing(wanted[0], wanted[1])(image)), name=model.name)


def resizing(height: int, width: int) -> keras.layers.Layer:
    """Return the layer that changes image sizes, in training and in saved models alike."""
    return layers.Resizing(height, width, "bilinear", antialias=True, name="resize")
