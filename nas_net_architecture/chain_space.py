"""The chain space of Zoph & Le 2017: convolutions layer by layer, with learned skip connections.

Actions are numbered once for all decisions: the depths, then each choice's values, then the two
answers to "does layer i read layer j?". Which decision stands where depends on its number alone.
"""

from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from nas_core.errors import SpecError
from nas_core.space import Masks, require_legal
from nas_core.spec import ChainSpec, Spec
from nas_net_architecture.chain_arrays import STRIDES
from nas_net_architecture.chain_config import (
    ChainSpaceConfig,
    Decision,
    Option,
    decisions,
)
from nas_net_architecture.chain_layers import ChainLayer, chain_of, layers_of
from nas_net_architecture.chain_walk import ChainRules, ChainWalk
from nas_net_architecture.layout import Anchors

State = tuple[int, ...]  # the decisions taken
WORDS = {  # of an action, before its value
    "heights": "height ",
    "widths": "width ",
    "strides": "stride ",
    "filters": "filters ",
    "pools": "pool ",
    "activations": "",
    "batch_norms": "batch norm ",
    "dropouts": "dropout ",
}
NAMES = {kind: word.strip() for kind, word in WORDS.items()} | {"activations": "activation"}


class ChainSpace:
    """Networks of convolutions with skip connections."""

    def __init__(
        self,
        config: ChainSpaceConfig,
        image_shape: tuple[int, int, int],
        classes: int,
        name: str = "chain",
    ) -> None:
        """Number decisions and actions, and check that at least one network fits the limits.

        Raises:
            SpecError: Not even the smallest network is within the limits.
        """
        self.name = name
        self.image_shape = image_shape
        self.classes = classes
        self._config = config
        self._decisions = decisions(config)
        self._first: dict[str, int] = {}  # kind of decision -> number of its first action
        self._words: list[str] = []
        self._add("depth", tuple(config.depths), "depth ")
        for kind, values in config.choices.items():
            self._add(kind, values, WORDS[kind])
        for kind in STRIDES:
            self._first[kind] = self._first["strides"]
        self._add("skip", ("no skip", "skip"), "")
        self.n_actions = len(self._words)
        self.n_steps = len(self._decisions)
        self._lengths = [self._length(depth) for depth in config.depths]
        self._options = [self._values(decision) for decision in self._decisions]
        self._plain = [
            self._first[decision.kind] + _plain(decision, options)
            for decision, options in zip(self._decisions, self._options, strict=True)
        ]
        self._nothing = np.zeros(self.n_actions, bool)
        self._masks = Masks(self._mask)
        self._latest: tuple[State, ChainWalk] = (), self.walk(1)
        if not self.n_steps or not self.legal(()).any():
            raise SpecError(
                f"expected something to decide and limits that some network meets, received "
                f"{config.limits} for images {image_shape}: raise them or use smaller images"
            )

    def _add(self, kind: str, values: tuple[Option, ...], word: str) -> None:
        self._first[kind] = len(self._words)
        self._words += [f"{word}{value}" for value in values]

    def _length(self, depth: int) -> int:
        """Return the number of decisions of a network of `depth` layers."""
        return sum(decision.layer < depth for decision in self._decisions)

    def _values(self, decision: Decision) -> tuple[Option, ...]:
        if decision.kind == "depth":
            return tuple(self._config.depths)
        if decision.kind == "skip":
            return (False, True)
        kind = "strides" if decision.kind in STRIDES else decision.kind
        return self._config.choices[kind]

    @property
    def anchors(self) -> Anchors:
        """The skip decisions. A layer's anchor point is the step after its own decisions."""
        after: dict[int, int] = {}
        for position, decision in enumerate(self._decisions):
            if decision.kind not in ("skip", "depth"):
                after[decision.layer] = position + 1
        pairs = {
            position: (after[decision.layer], after[decision.source])
            for position, decision in enumerate(self._decisions)
            if decision.kind == "skip" and decision.layer in after
        }
        return Anchors(pairs, self._first["skip"], self._first["skip"] + 1)

    def _depth_index(self, state: State) -> int:
        return state[0] - self._first["depth"] if len(self._config.depths) > 1 and state else 0

    def initial(self) -> State:
        """Return the state with nothing decided."""
        return ()

    def is_terminal(self, state: State) -> bool:
        """Return whether all layers are decided."""
        started = len(self._config.depths) == 1 or len(state) > 0
        return started and len(state) == self._lengths[self._depth_index(state)]

    def key(self, state: State) -> tuple[int, int]:
        """Return the number of the decision and the action before it (-1 for none)."""
        return len(state), state[-1] if state else -1

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions], not to be changed."""
        if self.is_terminal(state):
            return self._nothing
        return self._masks[state]

    @cached_property
    def _rules(self) -> ChainRules:
        first = [self._first[decision.kind] for decision in self._decisions]
        plain = [a - b for a, b in zip(self._plain, first, strict=True)]
        return ChainRules(
            self._config, self._decisions, self._options, first, plain, self.image_shape,
            self.classes, self.n_actions,
        )  # fmt: skip

    def walk(self, batch: int) -> ChainWalk:
        """Begin `batch` networks side by side (see `nas_core.space.Walks`)."""
        return ChainWalk(self._rules, batch)

    def sizes(self, actions: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return parameters and MACs of finished sequences (see `nas_core.space.Sized`)."""
        walk = self.walk(actions.shape[1])
        for taken, reached in zip(actions, made, strict=True):
            walk.step(taken, reached)
        return walk.sizes()

    def _mask(self, state: State) -> np.ndarray:
        """Return the first row of a walk of one; the walk goes on where states follow others."""
        if self._rules.all_fit:
            return self._rules.everything(len(state))
        before, walk = self._latest
        if not before or before != state[:-1]:
            before, walk = (), self.walk(1)
        for action in state[len(before) :]:
            walk.step(np.array([action]), np.ones(1, bool))
        self._latest = state, walk
        mask: np.ndarray = walk.masks()[0][0]
        return mask

    @property
    def narrows(self) -> bool:
        """Whether early trials have the smaller depths only."""
        return self._config.samples_per_depth is not None and len(self._config.depths) > 1

    def legal_for(self, trial: int, state: State) -> np.ndarray:
        """Return what one trial may decide: early trials have the smaller depths (section 4.1)."""
        mask = self.legal(state)
        per_depth = self._config.samples_per_depth
        if state or per_depth is None or len(self._config.depths) == 1:
            return mask
        wanted = min(trial // per_depth, len(self._config.depths) - 1)
        only = self._nothing.copy()
        only[self._first["depth"] + wanted] = True
        narrowed: np.ndarray = mask & only
        return narrowed if narrowed.any() else mask

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is not legal here.
        """
        require_legal(self, state, action)
        return (*state, action)

    def spec(self, state: State) -> Spec:
        """Return the network of a finished sequence of decisions."""
        only = {kind: values[0] for kind, values in self._config.choices.items()}
        chosen = [
            {**only, "stride height": only["strides"], "stride width": only["strides"]}
            for _ in range(self._config.depths[self._depth_index(state)])
        ]
        sources: list[list[int]] = [[] for _ in chosen]
        if not self._config.skips:
            sources = [list(range(number))[-1:] for number in range(len(chosen))]
        for decision, options, action in zip(self._decisions, self._options, state, strict=False):
            value = options[action - self._first[decision.kind]]
            if decision.kind == "skip" and value:
                sources[decision.layer].append(decision.source)
            elif decision.kind not in ("skip", "depth"):
                chosen[decision.layer][decision.kind] = value
        layers = [_layer(row, tuple(read)) for row, read in zip(chosen, sources, strict=True)]
        return chain_of(layers, self.classes, self._config.average)

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`.

        Raises:
            SpecError: The network is not in this space.
        """
        if not isinstance(spec, ChainSpec):
            raise SpecError(f"expected a chain, received {type(spec).__name__}")
        layers = layers_of(spec)
        outside = SpecError(f"expected a network of the space, received {spec.to_text()[:120]}")
        if len(layers) not in self._config.depths:
            raise outside
        state: State = self.initial()
        for decision, options in zip(self._decisions, self._options, strict=True):
            if self.is_terminal(state):
                break
            value = _decided(layers, decision)
            if value not in options:
                raise outside
            state = self.step(state, self._first[decision.kind] + options.index(value))
        if self.spec(state).digest != spec.digest:
            raise outside
        return state

    def describe(self, action: int) -> str:
        """Return an action in a few characters: ``height 3``, ``pool 2``, ``skip``."""
        return self._words[action]

    def decision_name(self, number: int) -> str:
        """Return what decision `number` is about: ``layer 2: filters``, ``layer 2: reads 0``."""
        decision = self._decisions[number]
        if decision.kind == "depth":
            return "depth"
        if decision.kind == "skip":
            return f"layer {decision.layer}: reads {decision.source}"
        return f"layer {decision.layer}: {NAMES.get(decision.kind, decision.kind)}"

    def config(self) -> dict[str, Any]:
        """Return what identifies the space."""
        return {
            "space": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            **asdict(self._config),
        }


def _plain(decision: Decision, options: tuple[Option, ...]) -> int:
    """Return the number of the option that costs least."""
    if decision.kind == "skip":
        return int(decision.source == decision.layer - 1)
    if decision.kind in STRIDES:
        return options.index(max(options))
    if decision.kind == "activations":
        return 0
    return options.index(min(options))


def _layer(chosen: dict[str, Any], sources: tuple[int, ...]) -> ChainLayer:
    return ChainLayer(
        kernel=(chosen["heights"], chosen["widths"]),
        stride=(chosen["stride height"], chosen["stride width"]),
        filters=chosen["filters"],
        pool=chosen["pools"],
        activation=chosen["activations"],
        batch_norm=chosen["batch_norms"],
        dropout=chosen["dropouts"],
        sources=sources,
    )


def _decided(layers: list[ChainLayer], decision: Decision) -> Option:
    """Return what a network decided."""
    if decision.kind == "depth":
        return len(layers)
    layer = layers[decision.layer]
    values: dict[str, Option] = {
        "heights": layer.kernel[0],
        "widths": layer.kernel[1],
        "stride height": layer.stride[0],
        "stride width": layer.stride[1],
        "filters": layer.filters,
        "pools": layer.pool,
        "activations": layer.activation,
        "batch_norms": layer.batch_norm,
        "dropouts": layer.dropout,
        "skip": decision.source in layer.sources,
    }
    return values[decision.kind]
