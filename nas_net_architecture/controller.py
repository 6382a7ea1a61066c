"""The controllers: probabilities of each decision given those before, and their gradients.

`LSTMPolicy` is the published controller: one layer of 100 units (Zoph et al. 2018) or two of 35
(Zoph & Le 2017). Each decision has its own softmax; what was decided is embedded and fed to the
next step. `nas_net_architecture.independent` has the policy without a recurrence.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from nas_net_architecture.anchors import anchor_backward, anchor_logit, anchor_logits
from nas_net_architecture.layout import Layout
from nas_net_architecture.lstm import (
    GATES,
    Trace,
    empty_trace,
    halved,
    lstm_backward,
    lstm_step,
)

Weights = dict[str, np.ndarray]


class Forward(NamedTuple):
    """What a policy says of given decisions.

    Attributes:
        logits: [T, B, A].
        values: The critic's V(a_<t) [T, B]; zeros without a critic.
        memory: What the way back needs.
    """

    logits: np.ndarray
    values: np.ndarray
    memory: Any


class Policy(Protocol):
    """Logits of decisions, one by one or all at once.

    Attributes:
        weights: By name; an optimiser changes them in place.
    """

    weights: Weights

    def start(self, batch: int) -> Any:
        """Return the memory of a batch before its first decision; an earlier one is void then."""

    def logits(self, memory: Any, t: int, previous: np.ndarray | None) -> np.ndarray:
        """Return logits [B, A] of decision t after the actions `previous` [B] at t - 1."""

    def forward(self, actions: np.ndarray) -> Forward:
        """Return the same logits for actions already taken [T, B] (teacher forcing)."""

    def outputs(self, memory: Any, count: int) -> Forward:
        """Return the same once more for the `count` decisions that a memory was led through."""

    def backward(self, memory: Any, d_logits: np.ndarray, d_values: np.ndarray) -> Weights:
        """Return the loss's derivative by each weight, from those by logits and values."""


@dataclass(frozen=True)
class LSTMShape:
    """A recurrent controller.

    Attributes:
        units: Of each layer, and size of the embeddings.
        layers: 1 (NASNet) or 2 (Zoph & Le).
        init: Weights are drawn from U(-init, init), biases too.
        temperature: Logits are divided by it; None for 1.
        tanh_constant: c: logits become c tanh(logit), which bounds them; None for no bound.
        critic: Whether a value is learned for every decision.
    """

    units: int = 100
    layers: int = 1
    init: float = 0.1
    temperature: float | None = None
    tanh_constant: float | None = None
    critic: bool = False


@dataclass
class _Layer:
    """One layer of a batch's recurrence."""

    trace: Trace
    into: np.ndarray  # [4, H, H] from the layer below, halved
    bias: np.ndarray  # [4, 1, H], halved
    recurrent: np.ndarray  # [4, H, H], halved


@dataclass
class _Memory:
    """What a batch has been told, and what that made of the layers."""

    layers: list[_Layer]
    by_action: np.ndarray  # [4, A + 1, H]: what the previous action adds to the first layer
    by_decision: np.ndarray  # [4, T, H]: what the decision's number adds to it
    previous: list[np.ndarray]  # the actions before each step [B]
    shaped: np.ndarray | None = None


class LSTMPolicy:
    """An LSTM over the sequence of decisions, with a softmax for each of them."""

    def __init__(
        self,
        layout: Layout,
        shape: LSTMShape,
        rng: np.random.Generator,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        """Draw the weights.

        Args:
            layout: Sizes of the space.
            shape: Sizes of the controller.
            rng: Source of the initial weights.
            dtype: Of all weights; float64 is for checking gradients.
        """
        self._layout = layout
        self._shape = shape
        self._memory: _Memory | None = None  # of the last batch: its room is used again
        steps, actions, units = layout.n_steps, layout.n_actions, shape.units
        sizes: dict[str, tuple[int, ...]] = {
            "action_embedding": (actions + 1, units),
            "decision_embedding": (steps, units),
        }
        for layer in range(shape.layers):
            sizes[f"input_{layer}"] = sizes[f"recurrent_{layer}"] = (GATES, units, units)
            sizes[f"bias_{layer}"] = (GATES, 1, units)
        sizes |= {"softmax": (steps, units, actions), "softmax_bias": (steps, actions)}
        if layout.anchors.pairs:
            sizes["anchor_previous"] = sizes["anchor_current"] = (units, units)
            sizes["anchor_vector"] = (units,)
        if shape.critic:
            sizes |= {"value": (steps, units), "value_bias": (steps,)}
        self.weights: Weights = {
            name: rng.uniform(-shape.init, shape.init, size).astype(dtype)
            for name, size in sizes.items()
        }

    def start(self, batch: int) -> _Memory:
        """Return a batch's memory: hidden states of zero. It takes the place of the one before."""
        weights, into = self.weights, self.weights["input_0"]
        self._memory = _Memory(
            layers=[self._layer(layer, batch) for layer in range(self._shape.layers)],
            by_action=halved(weights["action_embedding"] @ into + weights["bias_0"]),
            by_decision=halved(weights["decision_embedding"] @ into),
            previous=[np.full(batch, self._layout.n_actions)],  # the start has an embedding too
        )
        return self._memory

    def _trace(self, number: int, batch: int) -> Trace:
        """Return room for one layer's states, the same for every batch of the same size."""
        if self._memory is not None:
            trace = self._memory.layers[number].trace
            if trace.cell.shape[1] == batch:
                return trace
        dtype = self.weights["recurrent_0"].dtype
        return empty_trace(self._layout.n_steps, batch, self._shape.units, dtype)

    def _layer(self, number: int, batch: int) -> _Layer:
        weights = self.weights
        return _Layer(
            trace=self._trace(number, batch),
            into=halved(weights[f"input_{number}"]),
            bias=halved(weights[f"bias_{number}"]),
            recurrent=halved(weights[f"recurrent_{number}"]),
        )

    def _step(self, memory: _Memory, t: int, previous: np.ndarray | None) -> np.ndarray:
        """Return the last layer's hidden states [B, H] after step t."""
        if previous is not None:
            memory.previous.append(previous)
        for number, layer in enumerate(memory.layers):
            gates = layer.trace.gates[:, t]  # [4, B, H]
            np.matmul(layer.trace.hidden[t], layer.recurrent, out=gates)
            if number == 0:
                gates += memory.by_action[:, memory.previous[t]]
                gates += memory.by_decision[:, t, None]
            else:
                gates += memory.layers[number - 1].trace.hidden[t + 1] @ layer.into
                gates += layer.bias
            lstm_step(layer.trace, t)
        return memory.layers[-1].trace.hidden[t + 1]

    def logits(self, memory: _Memory, t: int, previous: np.ndarray | None) -> np.ndarray:
        """Return logits [B, A] of decision t after the actions `previous` [B]."""
        hidden = self._step(memory, t, previous)
        anchors = self._layout.anchors
        if t in anchors.pairs:
            current, earlier = (memory.layers[-1].trace.hidden[at + 1] for at in anchors.pairs[t])
            return anchor_logit(self.weights, anchors, self._layout.n_actions, current, earlier)
        raw = hidden @ self.weights["softmax"][t]
        raw += self.weights["softmax_bias"][t]
        return self._shaped(raw)

    def _shaped(self, raw: np.ndarray) -> np.ndarray:
        """Apply temperature and bound."""
        if self._shape.temperature is not None:
            raw = raw / self._shape.temperature
        if self._shape.tanh_constant is not None:
            raw = self._shape.tanh_constant * np.tanh(raw)
        return raw

    def forward(self, actions: np.ndarray) -> Forward:
        """Return logits [T, B, A] and values [T, B] of given actions [T, B]."""
        count, batch = actions.shape
        memory = self.start(batch)
        for t in range(count):
            self._step(memory, t, None if t == 0 else actions[t - 1])
        return self.outputs(memory, count)

    def outputs(self, memory: _Memory, count: int) -> Forward:
        """Return logits [T, B, A] and values [T, B] of the decisions that a memory went through.

        Raises:
            ValueError: Another batch was started since.
        """
        self._require_last(memory)
        hidden = memory.layers[-1].trace.hidden[1 : count + 1]  # [T, B, H]
        batch = hidden.shape[1]
        raw = hidden @ self.weights["softmax"][:count]
        raw += self.weights["softmax_bias"][:count, None]
        logits = memory.shaped = self._shaped(raw)
        if self._layout.anchors.pairs:
            logits = anchor_logits(self.weights, self._layout.anchors, hidden, logits)
        values = np.zeros((count, batch), raw.dtype)
        if self._shape.critic:
            values = np.einsum("tbh,th->tb", hidden, self.weights["value"][:count])
            values += self.weights["value_bias"][:count, None]
        return Forward(logits, values, memory)

    def _require_last(self, memory: _Memory) -> None:
        if memory is not self._memory:
            raise ValueError("expected the memory of the last start(), received an earlier one")

    def backward(self, memory: _Memory, d_logits: np.ndarray, d_values: np.ndarray) -> Weights:
        """Return the loss's derivative by each weight.

        Raises:
            ValueError: Another batch was started since.
        """
        self._require_last(memory)
        weights, count = self.weights, len(d_logits)
        grads = {name: np.zeros_like(value) for name, value in weights.items()}
        hidden = memory.layers[-1].trace.hidden[1 : count + 1]  # [T, B, H]
        d_hidden = np.zeros_like(hidden)
        if self._layout.anchors.pairs:
            d_logits = d_logits.copy()
            anchor_backward(weights, self._layout.anchors, hidden, d_logits, d_hidden, grads)
        d_raw = self._unshaped(memory.shaped, d_logits)
        grads["softmax"][:count] = hidden.transpose(0, 2, 1) @ d_raw
        grads["softmax_bias"][:count] = d_raw.sum(axis=1)
        d_hidden += d_raw @ weights["softmax"][:count].transpose(0, 2, 1)
        if self._shape.critic:
            grads["value"][:count] = np.einsum("tbh,tb->th", hidden, d_values)
            grads["value_bias"][:count] = d_values.sum(axis=1)
            d_hidden += d_values[..., None] * weights["value"][:count, None]
        for layer in range(self._shape.layers - 1, -1, -1):
            d_hidden = self._layer_backward(memory, layer, d_hidden, grads)
        return grads

    def _unshaped(self, shaped: np.ndarray | None, d_logits: np.ndarray) -> np.ndarray:
        """Return the derivative by the logits before temperature and bound."""
        bound, temperature = self._shape.tanh_constant, self._shape.temperature
        if bound is not None and shaped is not None:
            d_logits = d_logits * (bound - shaped * shaped / bound)
        return d_logits if temperature is None else d_logits / temperature

    def _layer_backward(
        self, memory: _Memory, number: int, d_hidden: np.ndarray, grads: Weights
    ) -> np.ndarray:
        """Fill in one layer's derivatives; return those by the layer below [T, B, H]."""
        layer, (count, _, units) = memory.layers[number], d_hidden.shape
        recurrent, into = self.weights[f"recurrent_{number}"], self.weights[f"input_{number}"]
        d_gates, grads[f"recurrent_{number}"] = lstm_backward(layer.trace, d_hidden, recurrent)
        flat = d_gates.reshape(GATES, -1, units)  # [4, T B, H]
        by_decision = d_gates.sum(axis=2)  # [4, T, H]
        grads[f"bias_{number}"] = by_decision.sum(axis=1, keepdims=True)
        back = into.transpose(0, 2, 1)
        if number > 0:
            below = memory.layers[number - 1].trace.hidden[1 : count + 1].reshape(-1, units)
            grads[f"input_{number}"] = below.T @ flat
            return (flat @ back).sum(axis=0).reshape(d_hidden.shape)
        actions = self.weights["action_embedding"]
        decisions = self.weights["decision_embedding"][:count]
        previous = np.concatenate(memory.previous[:count])  # [T B]
        chosen = (previous == np.arange(len(actions))[:, None]).astype(flat.dtype)  # [A + 1, T B]
        by_action = chosen @ flat  # [4, A + 1, H]
        grads["input_0"] = actions.T @ by_action + decisions.T @ by_decision
        grads["action_embedding"] = (by_action @ back).sum(axis=0)
        grads["decision_embedding"][:count] = (by_decision @ back).sum(axis=0)
        return d_hidden
