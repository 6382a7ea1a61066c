"""Independent logits: one softmax per decision and no recurrence.

The REINFORCE baseline of NAS-Bench-201 (Dong & Yang 2020): logits start at 1e-3 N(0, 1).
"""

from typing import Any

import numpy as np

from nas_net_architecture.controller import Forward, Weights
from nas_net_architecture.layout import Layout

SPREAD = 1e-3


class IndependentPolicy:
    """A table of logits by decision, whatever was decided before."""

    def __init__(
        self,
        layout: Layout,
        rng: np.random.Generator,
        critic: bool = False,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        """Draw the logits.

        Args:
            layout: Sizes of the space.
            rng: Source of the initial logits.
            critic: Whether a value is learned for every decision.
            dtype: Of all weights.
        """
        shape = layout.n_steps, layout.n_actions
        self.weights: Weights = {"logits": (SPREAD * rng.standard_normal(shape)).astype(dtype)}
        if critic:
            self.weights["value"] = np.zeros(layout.n_steps, dtype)

    def start(self, batch: int) -> int:
        """Return the batch: nothing else is remembered."""
        return batch

    def logits(self, memory: int, t: int, previous: np.ndarray | None) -> np.ndarray:
        """Return logits [B, A] of decision t."""
        return np.broadcast_to(self.weights["logits"][t], (memory, self._actions))

    @property
    def _actions(self) -> int:
        return self.weights["logits"].shape[1]

    def forward(self, actions: np.ndarray) -> Forward:
        """Return logits [T, B, A] and values [T, B] of given actions [T, B]."""
        count, batch = actions.shape
        return self.outputs(batch, count)

    def outputs(self, memory: int, count: int) -> Forward:
        """Return the same for `count` decisions of the batch."""
        logits = self.weights["logits"][:count, None]  # [T, 1, A]
        values = np.zeros((count, memory), logits.dtype)
        if "value" in self.weights:
            values += self.weights["value"][:count, None]
        return Forward(np.broadcast_to(logits, (count, memory, self._actions)), values, memory)

    def backward(self, memory: int, d_logits: np.ndarray, d_values: np.ndarray) -> Weights:
        """Return the loss's derivative by each weight."""
        grads = {name: np.zeros_like(value) for name, value in self.weights.items()}
        grads["logits"][: len(d_logits)] = d_logits.sum(axis=1)
        if "value" in grads:
            grads["value"][: len(d_values)] = d_values.sum(axis=1)
        return grads
