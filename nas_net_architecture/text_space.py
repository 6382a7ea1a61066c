"""A space of networks for texts: embedding, convolutions with pooling, then one vector.

The decisions are, in this order: embedding, dropout, end, depth, and for each convolution its
kernel, filters and pooling. The end makes one vector of the last map: its average or maximum over
all positions, or a recurrent layer's last state. So a decision's number says what it is about.
"""

from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from nas_core.errors import SpecError
from nas_core.space import Masks, require_legal
from nas_core.spec import (
    ChainSpec,
    Conv,
    Dropout,
    Embedding,
    Layer,
    Pool,
    Recurrent,
    Softmax,
    Spec,
)
from nas_core.summed import SummedWalk, SummedWalks
from nas_net_architecture.text_config import AVERAGE, MAXIMUM, TextSpaceConfig
from nas_net_architecture.text_outlines import EACH, ONCE, TextOutlines, end_layers, kind_of

State = tuple[int, ...]  # the decisions taken


class TextSpace:
    """Networks from a text's tokens to its class."""

    def __init__(
        self,
        config: TextSpaceConfig,
        image_shape: tuple[int, int, int],
        classes: int,
        words: int,
        name: str = "text",
    ) -> None:
        """Number the actions, and check that at least one network fits the limits.

        Args:
            config: What is chosen from.
            image_shape: (length, 1, 1) of a text's tokens.
            classes: Number of classes.
            words: Size of the vocabulary, padding and unknown words among them.
            name: As typed on the command line.

        Raises:
            SpecError: Not even the smallest network is within the limits.
        """
        self.name = name
        self.image_shape = image_shape
        self.classes = classes
        self._words = words
        self._config = config
        self._options: dict[str, tuple[Any, ...]] = {
            "embedding": config.embeddings, "dropout": config.dropouts, "end": config.ends,
            "depth": config.depths, "kernel": config.kernels, "filters": config.filters,
            "pool": config.pools,
        }  # fmt: skip
        self._actions = [(kind, value) for kind in self._options for value in self._options[kind]]
        kinds = [kind for kind, _ in self._actions]
        self._first = {kind: kinds.index(kind) for kind in self._options}
        self.n_actions = len(self._actions)
        self.n_steps = len(ONCE) + len(EACH) * max(config.depths)
        self._masks = Masks(self._mask)
        self._latest: tuple[State, SummedWalk] = (), self.walk(1)
        if not self.legal(()).any():
            raise SpecError(
                f"expected limits that some network meets, received {config.limits} for texts of "
                f"{image_shape[0]} of {words} words: raise them or import shorter texts"
            )

    def decision_name(self, number: int) -> str:
        """Return the name of decision `number`: ``end``, ``layer 1: kernel``."""
        kind = kind_of(number)
        if kind in ONCE:
            return kind
        return f"layer {(number - len(ONCE)) // len(EACH)}: {kind}"

    def initial(self) -> State:
        """Return the state with nothing decided."""
        return ()

    def is_terminal(self, state: State) -> bool:
        """Return whether all layers are decided."""
        if len(state) < len(ONCE):
            return False
        return len(state) == len(ONCE) + len(EACH) * self._actions[state[ONCE.index("depth")]][1]

    def key(self, state: State) -> tuple[int, int, int]:
        """Return the number of the decision, the depth and the action before it (-1 for none)."""
        depth = state[len(ONCE) - 1] if len(state) >= len(ONCE) else -1
        return len(state), depth, state[-1] if state else -1

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions], not to be changed."""
        return self._masks[state]

    def _mask(self, state: State) -> np.ndarray:
        """Keep the actions after which the plainest way to finish is a network within the limits.

        That way goes on from each of its own states, so that no mask is ever empty.
        """
        before, walk = self._latest
        if not before or before != state[:-1]:
            before, walk = (), self.walk(1)
        for action in state[len(before) :]:
            walk.step(np.array([action]), np.ones(1, bool))
        self._latest = state, walk
        masks, made = walk.masks()
        mask: np.ndarray = masks[0] & made
        return mask

    @cached_property
    def walk(self) -> SummedWalks:
        """Begins networks side by side (see `nas_core.space.Walks`)."""
        outlines = TextOutlines(self._options, self.image_shape[0], self.classes, self._words)
        return SummedWalks(outlines, self._config.limits)

    def sizes(self, actions: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return parameters and MACs of finished sequences (see `nas_core.space.Sized`)."""
        walk = self.walk(actions.shape[1])
        for taken, reached in zip(actions, made, strict=True):
            walk.step(taken, reached)
        return walk.sizes()

    def _length(self, state: State) -> int:
        """Return the positions that a convolution being decided has."""
        length = self.image_shape[0]
        for kind, value in (self._actions[action] for action in state):
            length = length // value if kind == "pool" else length
        return length

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is not legal here.
        """
        require_legal(self, state, action)
        return (*state, action)

    def spec(self, state: State) -> ChainSpec:
        """Return the network of a finished sequence of decisions."""
        values = [self._actions[action][1] for action in state]
        (units, rate, end, _), rest = values[: len(ONCE)], values[len(ONCE) :]
        drop = [Dropout(rate)] if rate > 0.0 else []
        layers: list[Layer] = [Embedding(self._words, units), *drop]
        for at in range(0, len(rest), len(EACH)):
            kernel, filters, pool = rest[at : at + len(EACH)]
            layers.append(Conv(filters, (kernel, 1)))
            if pool > 1:
                layers.append(Pool((pool, 1), (pool, 1)))
        layers += [*end_layers(end, self._length(state)), *drop]
        return ChainSpec((*layers, Softmax(self.classes)))

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`.

        Raises:
            SpecError: The network is not in this space.
        """
        if not isinstance(spec, ChainSpec):
            raise SpecError(f"expected a chain, received {type(spec).__name__}")
        for maximum in (False, True):
            state = self._decide(_decided(spec, maximum))
            if self.is_terminal(state) and self.spec(state).digest == spec.digest:
                return state
        raise SpecError(f"expected a network of the space, received {spec.to_text()[:120]}")

    def _decide(self, values: list[Any]) -> State:
        """Return the state after deciding `values`, or after those before the first impossible."""
        state = self.initial()
        for value in values:
            kind = "" if self.is_terminal(state) else kind_of(len(state))
            if value not in self._options.get(kind, ()):
                break
            action = self._first[kind] + self._options[kind].index(value)
            if not self.legal(state)[action]:
                break
            state = self.step(state, action)
        return state

    def describe(self, action: int) -> str:
        """Return an action in a few characters: ``embedding 32``, ``kernel 3``, ``end gru 64``."""
        kind, value = self._actions[action]
        return f"{kind} {value}"

    def config(self) -> dict[str, Any]:
        """Return what identifies the space."""
        return {
            "space": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            "words": self._words,
            **asdict(self._config),
        }


def _decided(spec: ChainSpec, maximum: bool) -> list[Any]:
    """Return the values that a network of the space has decided, in order; of others, anything.

    Args:
        spec: The network.
        maximum: Whether its last pooling is the end's rather than a convolution's.
    """
    units, rate, end = 0, 0.0, MAXIMUM if maximum else AVERAGE
    before = 1  # pooling of the last convolution, the end's left out
    rest: list[Any] = []
    for part in spec.layers:
        match part:
            case Embedding():
                units = part.units
            case Dropout():
                rate = part.rate
            case Recurrent():
                end = f"{'b' if part.both else ''}{part.cell} {part.units}"
            case Conv():
                rest += [_rows(part.kernel), part.filters, 1]
                before = 1
            case Pool() if rest:
                before, rest[-1] = rest[-1], _rows(part.size)
    if maximum and rest:
        rest[-1] = before
    return [units, rate, end, len(rest) // len(EACH), *rest]


def _rows(pair: tuple[int, int] | int) -> int:
    return pair if isinstance(pair, int) else pair[0]
