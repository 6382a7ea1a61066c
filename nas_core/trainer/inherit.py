"""Weights from another network: what fits is copied, the rest stays as it was drawn.

The rule: a layer inherits from the source's layer of the same name if all its weights have the
same shapes. A name is a place (``conv_0``, ``stack1_normal0_block2_left_sep3_first_sep``), the
same in a network that was rebuilt with more cells: there the stem and each stack's first cells
inherit and the added cells begin anew, as MetaQNN's transfer begins with what was found (Baker et
al. 2017, section 6).
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from nas_core.errors import SpecError


def inherit(source: keras.Model, target: keras.Model) -> tuple[list[str], list[str]]:
    """Copy the weights of every layer that fits, moving statistics included.

    Args:
        source: Any model; models inside it are looked into.
        target: Changed in place.

    Returns:
        Names of the target's layers that learn: those copied, and those left fresh.
    """
    given: dict[str, Any] = {}
    for layer in _weighted(source):
        given.setdefault(layer.name, layer)
    copied, fresh = [], []
    for layer in _weighted(target):
        if not layer.trainable_weights:
            continue  # drop-path's step counter is no knowledge
        twin = given.get(layer.name)
        if twin is not None and _shapes(twin) == _shapes(layer):
            layer.set_weights(twin.get_weights())
            copied.append(layer.name)
        else:
            fresh.append(layer.name)
    return copied, fresh


def _weighted(model: keras.Model) -> Iterator[Any]:
    """Yield the layers with weights; a saved model may hold the trained one behind a resizing."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _weighted(layer)
        elif layer.weights:
            yield layer


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


class InheritingBuilder:
    """Builds networks that begin with another's weights, after each restart too.

    Attributes:
        copied: Layers whose weights were copied in the last build.
        fresh: Its other layers that learn.
    """

    def __init__(self, build: Callable[[int], keras.Model], source: keras.Model) -> None:
        """Wrap a builder.

        Args:
            build: Number of training steps -> an untrained model.
            source: Where weights come from.
        """
        self._build, self._source = build, source
        self.copied: list[str] = []
        self.fresh: list[str] = []

    def __call__(self, total_steps: int) -> keras.Model:
        """Build one, for so many training steps.

        Raises:
            SpecError: No layer of the source fits.
        """
        model = self._build(total_steps)
        self.copied, self.fresh = inherit(self._source, model)
        if not self.copied:
            raise SpecError(
                "expected a model to inherit from that shares a layer (same name, same shapes), "
                "received one that shares none: name another"
            )
        return model
