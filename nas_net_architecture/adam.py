"""Adam with clipping by the global norm, on a dictionary of arrays (Kingma & Ba 2015)."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from nas_core.errors import RunError

Weights = dict[str, np.ndarray]


class Adam:
    """The optimiser of the controller.

    Attributes:
        steps: Updates so far.
    """

    def __init__(
        self,
        weights: Weights,
        rate: float,
        clip_norm: float | None,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        """Start with moments of zero.

        Args:
            weights: Changed in place by `update`.
            rate: Learning rate.
            clip_norm: Largest norm of all gradients together; None for no bound.
            betas: Decay of the mean and of the mean square of gradients, in [0, 1).
        """
        self._weights = weights
        self._rate = rate
        self._clip_norm = clip_norm
        self._betas = betas
        self._first = {name: np.zeros_like(value) for name, value in weights.items()}
        self._second = {name: np.zeros_like(value) for name, value in weights.items()}
        self.steps = 0

    def update(self, grads: Weights) -> float:
        """Take one step down, using up `grads`; return their norm before clipping."""
        self.steps += 1
        flat = [grad.reshape(-1) for grad in grads.values()]
        norm = float(np.sqrt(sum(float(part @ part) for part in flat)))
        scale = 1.0 if self._clip_norm is None else min(1.0, self._clip_norm / max(norm, 1e-12))
        # Both bias corrections in the rate, as in section 2 of the paper.
        one, two = self._betas
        rate = self._rate * np.sqrt(1.0 - two**self.steps) / (1.0 - one**self.steps)
        for name in grads:
            self._weights[name] -= self._step(name, grads[name], scale) * float(rate)
        return norm

    def _step(self, name: str, grad: np.ndarray, scale: float) -> np.ndarray:
        """Return a weight's step for a rate of 1, in the place of its gradient."""
        first, second, (one, two) = self._first[name], self._second[name], self._betas
        grad *= scale
        first *= one
        first += (1.0 - one) * grad
        grad *= grad
        grad *= 1.0 - two
        second *= two
        second += grad
        np.sqrt(second, out=grad)
        grad += EPSILON
        return np.divide(first, grad, out=grad)

    def state(self) -> dict[str, Any]:
        """Return weights and moments as JSON values, exactly."""
        return {
            "steps": self.steps,
            "weights": to_json(self._weights),
            "first": to_json(self._first),
            "second": to_json(self._second),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take weights and moments back.

        Raises:
            RunError: They belong to a controller of another shape.
        """
        from_json(state["weights"], self._weights)
        from_json(state["first"], self._first)
        from_json(state["second"], self._second)
        self.steps = int(state["steps"])


EPSILON = 1e-8


def to_json(arrays: Weights) -> dict[str, Any]:
    """Return arrays as shapes and base64 of little-endian float32."""
    return {
        name: {
            "shape": list(value.shape),
            "float32": base64.b64encode(value.astype("<f4").tobytes()).decode("ascii"),
        }
        for name, value in arrays.items()
    }


def from_json(value: Any, into: Weights) -> None:
    """Fill arrays from `to_json`'s values.

    Raises:
        RunError: Names or shapes differ.
    """
    wanted = {name: list(array.shape) for name, array in into.items()}
    found = {name: entry.get("shape") for name, entry in dict(value).items()}
    if wanted != found:
        odd = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))[0]
        raise RunError(
            f"expected a controller with {odd} {wanted.get(odd)}, received {found.get(odd)}: "
            "it belongs to another space or policy, use that one"
        )
    for name, array in into.items():
        data = base64.b64decode(value[name]["float32"])
        array[...] = np.frombuffer(data, "<f4").reshape(array.shape)
