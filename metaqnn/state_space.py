"""MetaQNN's layer-by-layer decisions with their transition rules (paper, section 4.2).

A decision appends one layer or ends the network. Ends: softmax on the flattened map, or global
average pooling and softmax. Masks hold the rules and the cost limits; since a network may end
after any layer that leaves a way to end within the limits, nothing is ever rejected later.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from metaqnn.config import SpaceConfig
from metaqnn.masks import (
    Figures,
    action_layers,
    figures,
    kept_copies,
    representation_bin,
    rule_allows,
    side,
    within_limits,
)
from nas_core.cost import BYTES, LayerCost, Shape, layer_cost
from nas_core.errors import SpecError
from nas_core.space import Masks, require_legal
from nas_core.spec import (
    ChainSpec,
    Conv,
    Dense,
    Dropout,
    GlobalAveragePool,
    Layer,
    Pool,
    Softmax,
    Spec,
)
from nas_core.spec.text import layer_to_text
from nas_core.summed import IMPOSSIBLE, SummedWalks, Sums

Key = tuple[str, int, int, int, int]
END_SOFTMAX, END_GAP = "SM", "GAP, SM"


@dataclass(frozen=True)
class State:
    """Everything decided so far.

    Attributes:
        actions: Decisions taken.
        kind: Type of the last layer: start, conv, pool, dense or end.
        shape: Output shape of the last layer.
        dense: Consecutive dense layers so far.
        parameters: Weights so far.
        macs: Multiply-accumulates so far.
        kept: Numbers kept for the backward pass so far.
    """

    actions: tuple[int, ...]
    kind: str
    shape: Shape
    dense: int
    parameters: int
    macs: int
    kept: int


class Outline(NamedTuple):
    """A state without its sums (see `nas_core.summed`).

    Attributes:
        kind: As in `State`.
        shape: As in `State`.
        dense: As in `State`.
        depth: Number of decisions taken.
        last: The last of them; -1 for none.
    """

    kind: str
    shape: Shape
    dense: int
    depth: int
    last: int


def dropout_rates(layers: list[Layer]) -> list[float]:
    """Return the dropout rate after each layer, 0.0 for none (paper, section 5).

    Dropout follows every second layer and every dense layer; the i-th of n has rate i / 2n. The
    placement is that of the authors' code (`add_drop_out_states`), the end not counted.
    """
    after = [
        (index % 2 == 1 or isinstance(layer, Dense)) and not isinstance(layer, GlobalAveragePool)
        for index, layer in enumerate(layers)
    ]
    total, seen, rates = sum(after), 0, []
    for here in after:
        seen += here
        rates.append(seen / (2 * total) if here else 0.0)
    return rates


class MetaQNNSpace:
    """The search space of Baker et al. 2017, on maps of any size."""

    def __init__(
        self,
        config: SpaceConfig,
        image_shape: tuple[int, int, int],
        classes: int,
        name: str = "metaqnn",
    ) -> None:
        """Build the action table and check that at least one network fits the limits.

        Raises:
            SpecError: Not even the smallest network is within the limits.
        """
        self.name = name
        self.image_shape = image_shape
        self.classes = classes
        self._config = config
        self._layers = action_layers(config)
        self.n_actions = len(self._layers)
        self.n_steps = config.depth + 1
        self._masks = Masks(self._mask)
        self._figures: dict[Shape, Figures] = {}
        self._rows: dict[tuple[Shape, int], LayerCost] = {}  # as many as there are shapes
        self._rule_masks: dict[tuple[str, int, Shape, bool], np.ndarray] = {}
        if not self.legal(self.initial()).any():
            raise SpecError(
                f"expected limits that some network meets, received {config.limits} for images "
                f"{image_shape}: raise them or use smaller images"
            )

    def initial(self) -> State:
        """Return the state before the first layer."""
        kept = int(np.prod(self.image_shape))
        return State((), "start", self.image_shape, 0, 0, 0, kept)

    def is_terminal(self, state: State) -> bool:
        """Return whether the network has ended."""
        return state.kind == "end"

    def key(self, state: State) -> Key:
        """Return the paper's state: layer type, depth, two parameters, representation-size bin.

        The parameters are (filters, kernel), (size, stride) or (units, dense layers in a row).
        """
        last = state.actions[-1] if state.actions else -1
        return self.outline_key(
            Outline(state.kind, state.shape, state.dense, len(state.actions), last)
        )

    def outline_key(self, outline: Outline) -> Key:
        """Return the key of an outline's states (see `nas_core.summed`)."""
        kind, shape, dense, depth, last = outline
        layer = self._layers[last] if depth > 0 else None
        size = representation_bin(shape[0]) if len(shape) == 3 else 0
        match layer:
            case Conv():
                return kind, depth, layer.filters, side(layer.kernel), size
            case Pool():
                return kind, depth, side(layer.size), side(layer.stride), size
            case Dense():
                return kind, depth, layer.units, dense, size
        return kind, depth, 0, 0, size

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions], not to be changed: transition rules and cost limits."""
        return self._masks[state]

    def _mask(self, state: State) -> np.ndarray:
        added, full = self._figures_of(state.shape), len(state.actions) >= self._config.depth
        fits = within_limits(self._config, added, state.parameters, state.macs, state.kept)
        return fits & self._rules(state.kind, state.dense, state.shape, full)

    def begin(self) -> tuple[Outline, Sums]:
        """Return the outline of nothing decided, and what the image costs."""
        return Outline("start", self.image_shape, 0, 0, -1), (0, 0, self._kept(self.image_shape))

    def _kept(self, shape: Shape) -> int:
        """Return the bytes of a layer's output, as often as it is kept."""
        return BYTES * kept_copies(self._config) * prod(shape)

    def after(self, outline: Outline, action: int) -> tuple[Outline, Sums]:
        """Return the outline after an action, and what the action adds."""
        row, layer = self._added(outline.shape, action), self._layers[action]
        added = row.parameters, row.macs, self._kept(row.shape)
        if layer is None or isinstance(layer, GlobalAveragePool):
            return Outline("end", row.shape, 0, outline.depth + 1, action), added
        dense = outline.dense + 1 if isinstance(layer, Dense) else 0
        return Outline(layer.kind, row.shape, dense, outline.depth + 1, action), added

    def needs(self, outline: Outline) -> np.ndarray:
        """Return what each action and either way to end add, int64 [3, A, 2]."""
        added = self._figures_of(outline.shape)
        needed = np.stack([added.parameters, added.macs, added.activation_bytes])
        full = outline.depth >= self._config.depth
        needed[:, ~self._rules(outline.kind, outline.dense, outline.shape, full)] = IMPOSSIBLE
        return needed

    def ended(self, outline: Outline) -> bool:
        """Return whether the network has ended."""
        return outline.kind == "end"

    @property
    def ways(self) -> int:
        """How a network may end: with or without global average pooling."""
        return 2

    @cached_property
    def walk(self) -> SummedWalks:
        """Begins networks side by side (see `nas_core.space.Walks`)."""
        return SummedWalks(self, self._config.limits)

    def _figures_of(self, shape: Shape) -> Figures:
        added = self._figures.get(shape)
        if added is None:
            added = self._figures[shape] = figures(self._config, shape, self.classes)
        return added

    def _rules(self, kind: str, dense: int, shape: Shape, full: bool) -> np.ndarray:
        """Return bools [n_actions] of the transition rules, depth and ends included."""
        key = (kind, dense, shape, full)
        mask = self._rule_masks.get(key)
        if mask is None:
            mask = self._rule_masks[key] = np.array(
                [
                    kind != "end"
                    if layer is None or isinstance(layer, GlobalAveragePool)
                    else not full
                    and kind != "end"
                    and rule_allows(self._config, kind, dense, shape, layer)
                    for layer in self._layers
                ]
            )
        return mask

    def _append(self, state: State, action: int, layer: Layer) -> State:
        row = layer_cost(layer, state.shape)
        return State(
            (*state.actions, action),
            layer.kind,
            row.shape,
            state.dense + 1 if isinstance(layer, Dense) else 0,
            state.parameters + row.parameters,
            state.macs + row.macs,
            state.kept + row.activations,
        )

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is not legal here.
        """
        require_legal(self, state, action)
        layer = self._layers[action]
        if layer is None or isinstance(layer, GlobalAveragePool):
            return State((*state.actions, action), "end", (self.classes,), 0, 0, 0, 0)
        return self._append(state, action, layer)

    def sizes(self, actions: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return parameters and MACs of finished sequences (see `nas_core.space.Sized`)."""
        pairs = zip(actions.T.tolist(), made.sum(axis=0).tolist(), strict=True)
        return np.array([self._size(row[:count]) for row, count in pairs]).reshape(-1, 2)

    def _size(self, actions: list[int]) -> tuple[int, int]:
        shape: Shape = self.image_shape
        parameters = macs = 0
        for action in actions:
            added = self._added(shape, action)
            shape, parameters, macs = added.shape, parameters + added.parameters, macs + added.macs
        return parameters, macs

    def _added(self, shape: Shape, action: int) -> LayerCost:
        """Return what an action costs on a map; an end is what stands behind it as well."""
        found = self._rows.get((shape, action))
        if found is None:
            layer = self._layers[action]
            found = LayerCost(shape, 0, 0, 0) if layer is None else layer_cost(layer, shape)
            if layer is None or isinstance(layer, GlobalAveragePool):
                found = layer_cost(Softmax(self.classes), found.shape)
            self._rows[shape, action] = found
        return found

    def spec(self, state: State) -> Spec:
        """Return the network of a finished sequence of decisions, dropout included."""
        layers = [layer for a in state.actions if (layer := self._layers[a]) is not None]
        rates = dropout_rates(layers) if self._config.dropout else [0.0] * len(layers)
        chain: list[Layer] = []
        for layer, rate in zip(layers, rates, strict=True):
            chain.append(layer)
            if rate > 0.0:
                chain.append(Dropout(rate))
        return ChainSpec((*chain, Softmax(self.classes)))

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`; dropout is the space's own and is left out.

        Raises:
            SpecError: The network is not in this space.
        """
        if not isinstance(spec, ChainSpec):
            raise SpecError(f"expected a chain, received {type(spec).__name__}")
        layers = [layer for layer in spec.layers[:-1] if not isinstance(layer, Dropout)]
        if not layers or not isinstance(layers[-1], GlobalAveragePool):
            wanted: list[Layer | None] = [*layers, None]
        else:
            wanted = list(layers)
        state = self.initial()
        for layer in wanted:
            if layer not in self._layers:
                raise SpecError(f"expected layers of the space {self.name}, received {layer}")
            state = self.step(state, self._layers.index(layer))
        if self.spec(state).digest != spec.digest:
            raise SpecError(f"expected dropout as this space places it, received {spec.to_text()}")
        return state.actions

    def describe(self, action: int) -> str:
        """Return an action in MetaQNN's notation."""
        layer = self._layers[action]
        if layer is None:
            return END_SOFTMAX
        return END_GAP if isinstance(layer, GlobalAveragePool) else layer_to_text(layer)

    def config(self) -> dict[str, Any]:
        """Return what identifies the space."""
        return {
            "space": self.name,
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            **asdict(self._config),
        }
