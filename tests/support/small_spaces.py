"""Small spaces and trainers with known optima."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.errors import SpecError
from nas_core.spec import ChainSpec, Conv, GlobalAveragePool, Softmax, Spec
from nas_core.trainer.base import Job, Result, Status

GRID_OPTIMUM = (4, 0, 4)  # of the 5 x 5 x 5 space


class GridSpace:
    """`steps` decisions among `choices` numbers; the network is a chain of such filters."""

    def __init__(self, choices: int = 5, steps: int = 3):
        self.name = "grid"
        self.n_actions = choices
        self.n_steps = steps
        self.image_shape = (8, 8, 3)

    def initial(self) -> tuple[int, ...]:
        return ()

    def is_terminal(self, state: tuple[int, ...]) -> bool:
        return len(state) == self.n_steps

    def legal(self, state: tuple[int, ...]) -> np.ndarray:
        return np.full(self.n_actions, not self.is_terminal(state))

    def step(self, state: tuple[int, ...], action: int) -> tuple[int, ...]:
        if not self.legal(state)[action]:
            raise SpecError(f"expected a legal action, received {action}")
        return (*state, action)

    def key(self, state: tuple[int, ...]) -> tuple[int, ...]:
        return state

    def spec(self, state: tuple[int, ...]) -> Spec:
        convs = [Conv(action + 1, 1) for action in state]
        return ChainSpec((*convs, GlobalAveragePool(), Softmax(2)))

    def encode(self, spec: Spec) -> tuple[int, ...]:
        return tuple(layer.filters - 1 for layer in spec.layers[:-2])

    def describe(self, action: int) -> str:
        return str(action)

    def config(self) -> dict[str, Any]:
        return {"space": self.name, "choices": self.n_actions, "steps": self.n_steps}


def grid_score(actions: tuple[int, ...], choices: int = 5) -> float:
    """The optimum is (4, 0, 4, 0, ...) with 0.9; each wrong decision costs, early ones more."""
    score = 0.9
    for place, action in enumerate(actions):
        wanted = choices - 1 if place % 2 == 0 else 0
        score -= 0.1 * abs(action - wanted) / (choices - 1) * (1 + 1 / (place + 1))
    return score


@dataclass(frozen=True)
class GridTrainer:
    """Scores a grid network at once; networks that begin with `fails` fail."""

    name: str = "grid"
    fails: int | None = None

    def score(self, spec: Spec, job: Job) -> Result:
        actions = tuple(layer.filters - 1 for layer in spec.layers[:-2])
        if actions[0] == self.fails:
            return Result(Status.DIVERGED, message="as asked")
        return Result(Status.OK, score=grid_score(actions), seconds=0.5, parameters=1, macs=2)

    def config(self) -> dict[str, Any]:
        return {"trainer": self.name, "fails": self.fails}
