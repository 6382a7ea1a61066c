"""A frozen policy in NumPy: what a trained agent does, without the libraries that trained it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.errors import RunError

HEADS = ("categorical", "gaussian", "values", "table")
ACTIVATIONS = ("tanh", "relu")


@dataclass(frozen=True)
class FrozenPolicy:
    """Observation in, action out.

    Attributes:
        head: What the last layer gives: "categorical" (logits of one or several choices, PPO),
            "gaussian" (means, clipped to [-1, 1], PPO), "values" (of one choice's options, DQN) or
            "table" (values looked up by the observation's cell).
        sizes: Options of each choice; for "gaussian" a 1 for each number.
        layers: (weights [in, out], bias [out]), float32; for "table" one pair: values
            [cells, options] and the observation's bin edges [features, edges], see `cell_of`.
        activation: Between layers: "tanh" or "relu".
    """

    head: str
    sizes: tuple[int, ...]
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    activation: str = "tanh"

    def outputs(self, observation: np.ndarray) -> np.ndarray:
        """Return the last layer's values, float32 [..., sum(sizes)].

        Args:
            observation: float32 [..., features].
        """
        if self.head == "table":
            values, edges = self.layers[0]
            return values[cell_of(observation, edges)]
        signal = np.asarray(observation, np.float32)
        *hidden, (weights, bias) = self.layers
        for inner, offset in hidden:
            signal = signal @ inner + offset
            signal = np.tanh(signal) if self.activation == "tanh" else np.maximum(signal, 0)
        return signal @ weights + bias

    def probabilities(self, observation: np.ndarray) -> list[np.ndarray]:
        """Return each choice's probabilities for one observation: float64 [size], sum 1.

        Values of DQN and tables go through a softmax of temperature 1: they rank as the greedy
        choice does, and rewards are scaled to a deviation near 1. A gaussian has none: [1.0] each.
        """
        if self.head == "gaussian":
            return [np.ones(1) for _ in self.sizes]
        ends = np.cumsum(self.sizes)[:-1]
        return [softmax(part) for part in np.split(self.outputs(observation), ends)]

    def act(self, observation: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return the action for one observation.

        Args:
            observation: float32 [features].
            rng: Draws from `probabilities`; None takes the best.

        Returns:
            int64 [] for one choice, int64 [choices] for several, float32 [numbers] for a gaussian.
        """
        if self.head == "gaussian":
            return np.clip(self.outputs(observation), -1.0, 1.0)
        if rng is None:
            picks = self.best(observation).tolist()
        else:
            chances = self.probabilities(observation)
            picks = [int(rng.choice(len(chance), p=chance)) for chance in chances]
        return np.array(picks[0] if len(picks) == 1 else picks)

    def best(self, observations: np.ndarray) -> np.ndarray:
        """Return the likeliest options of each choice, int64 [..., choices].

        Args:
            observations: float32 [..., features].
        """
        ends = np.cumsum(self.sizes)[:-1]
        parts = np.split(self.outputs(observations), ends, -1)
        return np.stack([part.argmax(-1) for part in parts], -1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the layers by name, for an npz file."""
        pairs = enumerate(self.layers)
        return {f"{kind}{i}": pair[k] for i, pair in pairs for k, kind in enumerate(("w", "b"))}

    def config(self) -> dict[str, Any]:
        """Return the other attributes as JSON values."""
        return {"head": self.head, "sizes": list(self.sizes), "activation": self.activation}

    @classmethod
    def restored(cls, config: dict[str, Any], arrays: dict[str, np.ndarray]) -> "FrozenPolicy":
        """Build a policy from `config` and `arrays`.

        Raises:
            RunError: They do not fit together.
        """
        layers = tuple((arrays[f"w{i}"], arrays[f"b{i}"]) for i in range(len(arrays) // 2))
        policy = cls(config["head"], tuple(config["sizes"]), layers, config["activation"])
        width = layers[-1][0].shape[-1] if layers else 0
        known = policy.head in HEADS and policy.activation in ACTIVATIONS
        if not known or width != sum(policy.sizes):
            raise RunError(
                f"expected a policy with {sum(policy.sizes)} outputs, received {width} under the "
                f"head {policy.head!r}: the brain is damaged; use another"
            )
        return policy


def softmax(values: np.ndarray) -> np.ndarray:
    """Return float64 probabilities that are proportional to exp(values), over the last axis."""
    powers = np.exp(values.astype(np.float64) - np.max(values, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def cell_of(observation: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the number of the table's cell that holds an observation, int64 [...].

    Args:
        observation: float32 [..., features].
        edges: Ascending bin edges, float32 [features, edges]; infinity fills rows that have
            fewer, and all of those that are not looked at.
    """
    bins = (np.asarray(observation)[..., None] >= edges).sum(-1)
    counts = np.isfinite(edges).sum(-1) + 1
    strides = np.cumprod(np.concatenate([[1], counts[:-1]]))
    return bins @ strides
