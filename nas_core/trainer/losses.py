"""What a training minimises and counts, for models of one output or with an auxiliary head."""

from typing import Any

import keras
from keras import ops

CLASSIFIER, AUXILIARY = "classifier", "auxiliary"


def accuracy_head(outputs: Any) -> Any:
    """Return the probabilities [B, classes] that count."""
    return outputs[CLASSIFIER] if isinstance(outputs, dict) else outputs


def total_loss(labels: Any, outputs: Any) -> Any:
    """Return the mean cross-entropy in nats, the auxiliary head's added with its weight.

    Args:
        labels: Integers [B].
        outputs: Probabilities [B, classes], or a dictionary of both heads'.
    """
    losses = keras.losses.sparse_categorical_crossentropy(labels, accuracy_head(outputs))  # [B]
    if isinstance(outputs, dict) and AUXILIARY in outputs:
        from nas_core.trainer.build_cell import AUXILIARY_WEIGHT

        second = keras.losses.sparse_categorical_crossentropy(labels, outputs[AUXILIARY])
        losses = losses + AUXILIARY_WEIGHT * second
    return ops.mean(losses)


def right_answers(labels: Any, outputs: Any) -> Any:
    """Return how many of a batch's labels are the most probable class, as float32."""
    answers = ops.argmax(accuracy_head(outputs), axis=-1)
    return ops.sum(ops.cast(ops.equal(ops.cast(answers, "int32"), labels), "float32"))
