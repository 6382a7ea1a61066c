"""The networks of the tasks, small or as published; all of them end in logits.

Where a network has hidden dense layers, they are a `LiveStack`, whose dropout, depth and width can
be controlled. ResNet-18 and BERT have none; they offer dropout before the classifier.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from training_control.data import TrainingData
from training_control.layers import PACKAGE, LiveDropout, LiveStack

Build = Callable[[TrainingData], keras.Model]
LIVE_LAYERS = 4
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: pool
RESNET18 = (64, 128, 256, 512)
UNROLLED = 40  # words up to which a recurrent layer is traced without a loop, which costs half
SMALL_IMAGE = 40  # pixels up to which ResNet-18 keeps its resolution at the start, as for CIFAR


def _outputs(data: TrainingData) -> int:
    return 1 if data.classes is None else data.classes


def _images(data: TrainingData) -> tuple[Any, Any]:
    """Return the input and its pixels in [-1, 1]."""
    inputs = keras.Input(data.train.inputs.shape[1:], dtype=data.train.inputs.dtype.name)
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)


def mlp(data: TrainingData, *, units: int = 256) -> keras.Model:
    """Dense-Dense: the live stack alone, on rows of numbers.

    Args:
        data: float32 [N, features].
        units: Room for units in each layer.
    """
    inputs = keras.Input(data.train.inputs.shape[1:])
    return keras.Model(inputs, LiveStack(_outputs(data), LIVE_LAYERS, units)(inputs))


def cnn(data: TrainingData, *, filters: int = 32, units: int = 256) -> keras.Model:
    """Conv-Pool-Conv-Pool-Flatten-Dense.

    Args:
        data: uint8 [N, H, W, C].
        filters: Of the first convolution; the second has twice as many.
        units: Room for units in each dense layer.
    """
    inputs, x = _images(data)
    for width in (filters, 2 * filters):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = LiveStack(_outputs(data), LIVE_LAYERS, units)(layers.Flatten()(x))
    return keras.Model(inputs, x)


def vgg16(data: TrainingData, *, width: float = 1.0, units: int = 256) -> keras.Model:
    """VGG-16 (Simonyan & Zisserman 2015, configuration D) with batch normalisation.

    Args:
        data: uint8 [N, H, W, C].
        width: Factor of all filters.
        units: Room for units in each dense layer, in place of 4096.
    """
    inputs, x = _images(data)
    for filters in VGG16:
        if filters == 0:
            x = layers.MaxPooling2D(2, padding="same")(x)
        else:
            x = _convolved(x, max(1, round(width * filters)), 3, 1)
    x = LiveStack(_outputs(data), LIVE_LAYERS, units)(layers.Flatten()(x))
    return keras.Model(inputs, x)


def resnet18(data: TrainingData, *, width: float = 1.0) -> keras.Model:
    """ResNet-18 (He et al. 2016), with dropout before the classifier.

    Images of up to 40 pixels are not made smaller at the start, as usual for CIFAR.

    Args:
        data: uint8 [N, H, W, C].
        width: Factor of all filters.
    """
    inputs, x = _images(data)
    filters = [max(1, round(width * count)) for count in RESNET18]
    if data.train.inputs.shape[1] <= SMALL_IMAGE:
        x = _convolved(x, filters[0], 3, 1)
    else:
        x = layers.MaxPooling2D(3, 2, padding="same")(_convolved(x, filters[0], 7, 2))
    for stage, count in enumerate(filters):
        for block in range(2):
            x = _residual(x, count, 2 if stage > 0 and block == 0 else 1)
    x = LiveDropout()(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(_outputs(data))(x))


def _convolved(x: Any, filters: int, kernel: int, stride: int, active: bool = True) -> Any:
    x = layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    # A moving average of 0.9: tasks are too short for the 0.99 that Keras presumes.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if active else x


def _residual(x: Any, filters: int, stride: int) -> Any:
    branch = _convolved(_convolved(x, filters, 3, stride), filters, 3, 1, active=False)
    if stride > 1:
        # The pixels that a 1x1 convolution of this stride reads. oneDNN's own (TensorFlow 2.21)
        # writes outside its memory where the number of examples varies.
        x = layers.MaxPooling2D(1, stride, padding="same")(x)
    if x.shape[-1] != filters:
        x = _convolved(x, filters, 1, 1, active=False)
    return layers.ReLU()(layers.Add()([x, branch]))


def bilstm(
    data: TrainingData, *, embedding: int = 64, recurrent: int = 64, units: int = 256
) -> keras.Model:
    """Embedding-BiLSTM-Dense.

    Args:
        data: Tokens int32 [N, length], 0 is padding and stands in front.
        embedding: Units of a token's vector.
        recurrent: Units of each direction.
        units: Room for units in each dense layer.
    """
    inputs = keras.Input(data.train.inputs.shape[1:], dtype="int32")
    x = layers.Embedding(data.vocabulary, embedding)(inputs)
    unroll = inputs.shape[1] <= UNROLLED
    x = layers.Bidirectional(layers.LSTM(recurrent, unroll=unroll))(x)
    return keras.Model(inputs, LiveStack(_outputs(data), LIVE_LAYERS, units)(x))


@keras.saving.register_keras_serializable(package=PACKAGE)
class TokenEmbedding(keras.layers.Layer):
    """Vectors of tokens plus vectors of positions, normalised, as BERT begins."""

    def __init__(self, vocabulary: int, length: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary, self.length, self.width = vocabulary, length, width
        self._tokens = layers.Embedding(vocabulary, width)
        self._positions = layers.Embedding(length, width)
        self._norm = layers.LayerNormalization(epsilon=1e-12)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the tables."""
        self._tokens.build(input_shape)
        self._positions.build((self.length,))
        self._norm.build((*input_shape, self.width))
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return [B, length, width] of tokens int32 [B, length]."""
        return self._norm(self._tokens(inputs) + self._positions(ops.arange(self.length)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return [B, length, width]."""
        return (*input_shape, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("vocabulary", "length", "width")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def tiny_bert(
    data: TrainingData, *, width: int = 32, blocks: int = 2, heads: int = 2
) -> keras.Model:
    """A transformer encoder in BERT's style, randomly initialised; padding is not attended to.

    The vectors of a text's words are averaged, where BERT takes that of a leading mark.

    Args:
        data: Tokens int32 [N, length], 0 is padding.
        width: Units of a vector.
        blocks: Encoder blocks.
        heads: Attention heads.
    """
    length = data.train.inputs.shape[1]
    inputs = keras.Input((length,), dtype="int32")
    real = ops.not_equal(inputs, 0)  # [B, length]
    words = 1 if data.vocabulary is None else data.vocabulary
    x = TokenEmbedding(words, length, width)(inputs)
    attended = ops.expand_dims(real, 1)
    for _ in range(blocks):
        attention = layers.MultiHeadAttention(heads, max(1, width // heads))
        x = _added(x, attention(x, x, attention_mask=attended))
        x = _added(x, layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(x)))
    x = layers.GlobalAveragePooling1D()(x, mask=real)
    x = LiveDropout()(layers.Dense(width, activation="tanh")(x))
    return keras.Model(inputs, layers.Dense(_outputs(data))(x))


def _added(x: Any, change: Any) -> Any:
    return layers.LayerNormalization(epsilon=1e-12)(layers.Add()([x, LiveDropout()(change)]))


def parameters(model: keras.Model) -> int:
    """Return the number of weights that are trained."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)
