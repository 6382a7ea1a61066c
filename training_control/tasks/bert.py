"""A pretrained BERT through keras-hub: its own tokens, its weights, a new classifier."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from nas_core.errors import DataError
from training_control.data import TrainingData
from training_control.layers import LiveDropout
from training_control.tasks.remote import library

BACKBONE = "bert_backbone"  # the layer whose weights every training starts with


def _preset(kind: str, preset: str, **options: Any) -> Any:
    hub = library("keras_hub", "keras-hub")
    try:
        return getattr(hub.models, kind).from_preset(preset, **options)
    except Exception as error:  # whatever keras-hub raises when it cannot find or fetch a preset
        lines = str(error).strip().splitlines()
        raise DataError(
            f"expected a BERT preset of keras-hub or a folder with one, received {preset!r} "
            f"({lines[0] if lines else type(error).__name__}): check its name or path"
        ) from error


def tokeniser(preset: str, length: int) -> tuple[Callable[[Sequence[str]], np.ndarray], int]:
    """Return what turns texts into tokens int32 [N, length], and the size of the vocabulary.

    Args:
        preset: A preset's name, such as "bert_tiny_en_uncased", or its folder.
        length: Tokens of a text, marks included.

    Raises:
        UsageError: keras-hub is not installed.
        DataError: No such preset.
    """
    words = _preset("BertTokenizer", preset)
    prepare = _preset("BertTextClassifierPreprocessor", preset, sequence_length=length)

    def tokens(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(prepare(list(texts))["token_ids"]).astype(np.int32)

    return tokens, int(words.vocabulary_size())


def bert(data: TrainingData, *, preset: str) -> keras.Model:
    """Return BERT with dropout and a new linear layer behind its pooled vector.

    Args:
        data: Tokens from `tokeniser`, 0 is padding.
        preset: As for `tokeniser`.

    Raises:
        UsageError: keras-hub is not installed.
        DataError: No such preset.
    """
    backbone = _preset("BertBackbone", preset)
    backbone.name = BACKBONE
    inputs = keras.Input(data.train.inputs.shape[1:], dtype="int32")
    encoded = backbone(
        {
            "token_ids": inputs,
            "segment_ids": ops.zeros_like(inputs),
            "padding_mask": ops.cast(ops.not_equal(inputs, 0), "int32"),
        }
    )
    x = LiveDropout()(encoded["pooled_output"])
    outputs = 1 if data.classes is None else data.classes
    return keras.Model(inputs, layers.Dense(outputs)(x))
