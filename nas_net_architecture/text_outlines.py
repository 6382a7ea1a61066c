"""What is left of a text network's past: outlines of its decisions, and what later ones add."""

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from nas_core.cost import BYTES, Shape, layer_cost
from nas_core.errors import SpecError
from nas_core.spec import (
    Conv,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Layer,
    Pool,
    Recurrent,
    Softmax,
)
from nas_core.summed import IMPOSSIBLE, MOST_OUTLINES, Sums
from nas_net_architecture.text_config import AVERAGE, MAXIMUM

ONCE = ("embedding", "dropout", "end", "depth")
EACH = ("kernel", "filters", "pool")
ANY_DROPOUT = Dropout(0.5)  # costs what any rate above 0 costs


def kind_of(number: int) -> str:
    """Return what decision `number` is about."""
    return ONCE[number] if number < len(ONCE) else EACH[(number - len(ONCE)) % len(EACH)]


def end_layers(name: str, length: int) -> list[Layer]:
    """Return the layers from a map of `length` positions to a vector."""
    if name == AVERAGE:
        return [GlobalAveragePool()]
    if name == MAXIMUM:
        pool = [Pool((length, 1), (length, 1))] if length > 1 else []
        return [*pool, GlobalAveragePool()]
    cell, units = name.split()
    return [Recurrent(int(units), cell.removeprefix("b"), both=cell.startswith("b"))]


class Outline(NamedTuple):
    """All of a state that later costs and masks depend on.

    Attributes:
        number: Decisions taken.
        depth: The action that decided the depth; -1 before.
        last: The last action; -1 for none.
        left: Convolutions that are not complete; -1 before the depth is decided.
        length: Positions of the last map.
        channels: Of the last map.
        kernel: Of the convolution being decided; 0 where that is open or over.
        drops: Whether dropout stands before the classifier.
        end: What makes a vector of the last map; empty before that is decided.
    """

    number: int
    depth: int
    last: int
    left: int
    length: int
    channels: int
    kernel: int = 0
    drops: bool = False
    end: str = ""

    @property
    def shape(self) -> Shape:
        """Of the last map."""
        return self.length, 1, self.channels


class TextOutlines:
    """The outlines of a text space (see `nas_core.summed.Summed`)."""

    def __init__(
        self, options: dict[str, tuple[Any, ...]], length: int, classes: int, words: int
    ) -> None:
        """Take the space's choices.

        Args:
            options: Values by kind of decision, in the order of the actions.
            length: Of a text.
            classes: Number of classes.
            words: Size of the vocabulary.
        """
        self._options = options
        self._actions = [(kind, value) for kind in options for value in options[kind]]
        self._first = {kind: [k for k, _ in self._actions].index(kind) for kind in options}
        self._length, self._classes, self._words = length, classes, words
        self._finishes: dict[Outline, Sums] = {}
        self.n_actions = len(self._actions)

    @property
    def ways(self) -> int:
        """How a network may end plainly: in one way."""
        return 1

    def begin(self) -> tuple[Outline, Sums]:
        """Return the outline of nothing decided, and what the tokens cost."""
        return Outline(0, -1, -1, -1, self._length, 1), (0, 0, BYTES * self._length)

    def ended(self, outline: Outline) -> bool:
        """Return whether all layers are decided."""
        return outline.left == 0

    def outline_key(self, outline: Outline) -> Hashable:
        """Return the number of the decision, the depth and the action before it."""
        return outline.number, outline.depth, outline.last

    def after(self, outline: Outline, action: int) -> tuple[Outline, Sums]:
        """Return the outline after an action, and what the action adds.

        Raises:
            SpecError: It would pool more positions than there are.
        """
        kind, value = self._actions[action]
        layers: list[Layer] = []
        found = outline._replace(number=outline.number + 1, last=action)
        match kind:
            case "embedding":
                layers = [Embedding(self._words, value)]
            case "dropout":
                layers = [Dropout(value)] if value > 0.0 else []
                found = found._replace(drops=value > 0.0)
            case "end":
                found = found._replace(end=value)
            case "depth":
                found = found._replace(depth=action, left=value)
            case "kernel":
                found = found._replace(kernel=value)
            case "filters":
                layers = [Conv(value, (outline.kernel, 1))]
                found = found._replace(kernel=0)
            case "pool":
                layers = [Pool((value, 1), (value, 1))] if value > 1 else []
                found = found._replace(left=outline.left - 1)
        shape, added = _counted(layers, outline.shape)
        found = found._replace(length=shape[0], channels=shape[2])
        if self.ended(found):
            drop = [ANY_DROPOUT] if found.drops else []
            tail = [*end_layers(found.end, found.length), *drop, Softmax(self._classes)]
            added = _plus(added, _counted(tail, shape)[1])
        return found, added

    def needs(self, outline: Outline) -> np.ndarray:
        """Return what each action and the plainest finish after it add, int64 [3, A, 1]."""
        needed = np.full((3, self.n_actions, 1), IMPOSSIBLE)
        kind = kind_of(outline.number)
        for place in range(len(self._options[kind])):
            action = self._first[kind] + place
            try:
                needed[:, action, 0] = self._finished(outline, action)
            except SpecError:  # pools too much
                continue
        return needed

    def _finished(self, outline: Outline, action: int) -> Sums:
        """Return what an action and the plainest decisions after it add."""
        after, added = self.after(outline, action)
        if self.ended(after):
            return added
        rest = self._finishes.get(after)
        if rest is None:
            if len(self._finishes) >= MOST_OUTLINES:
                self._finishes.clear()
            rest = self._finishes[after] = self._finished(after, self._plainest(after))
        return _plus(added, rest)

    def _plainest(self, outline: Outline) -> int:
        """Return the smallest value, the most pooling that the map allows, the average.

        Pooling leaves fewer positions, so that what follows it costs least.
        """
        kind = kind_of(outline.number)
        options = self._options[kind]
        value = AVERAGE if kind == "end" else min(options)
        if kind == "pool":
            value = max((size for size in options if size <= outline.length), default=value)
        return self._first[kind] + options.index(value)


def _counted(layers: list[Layer], shape: Shape) -> tuple[Shape, Sums]:
    """Return what comes out of layers in a row, and what they cost."""
    sums: Sums = (0, 0, 0)
    for layer in layers:
        row = layer_cost(layer, shape)
        shape = row.shape
        sums = _plus(sums, (row.parameters, row.macs, BYTES * row.activations))
    return shape, sums


def _plus(one: Sums, two: Sums) -> Sums:
    return one[0] + two[0], one[1] + two[1], one[2] + two[2]
