"""A training in NumPy that looks like a `Session`: one weight in a quadratic, no TensorFlow."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from nas_core.seeding import generator
from training_control.controls import Hyperparameters
from training_control.data import Examples, TrainingData
from training_control.metrics import Evaluation
from training_control.tasks.base import Task

CURVATURE = 50.0  # rates above 2 / 50 explode
FLOOR = 0.1


def fake_data() -> TrainingData:
    part = Examples(np.zeros((8, 2), np.float32), np.arange(8, dtype=np.int32) % 2)
    return TrainingData(part, part, part, classes=2)


def fake_task(name: str = "fake", metric: str = "accuracy") -> Task:
    return Task(name, "tabular", fake_data, lambda data: None, metric=metric, epochs=10.0)


class FakeSession:
    """Gradient descent on FLOOR + w^2; accuracy is 1 / (1 + loss)."""

    def __init__(self) -> None:
        self.hyperparameters = Hyperparameters()
        self.available = ("learning_rate", "dropout")
        self.room = (4, 256)
        self.weight = 0.0
        self.evaluated: list[str] = []
        self.resets = 0

    def reset(self, seed: int, start: Hyperparameters) -> None:
        self.weight = 1.0 + 0.2 * float(generator(seed, "fake").random())
        self.hyperparameters = start
        self.resets += 1

    def apply(self, values: Hyperparameters) -> None:
        self.hyperparameters = values

    def train(self, examples: int) -> Any:
        for _ in range(4):
            self.weight *= 1.0 - CURVATURE * self.hyperparameters.learning_rate
        loss = FLOOR + min(self.weight**2, 1e200)
        loss = loss if loss < 1e6 else math.inf
        return SimpleNamespace(
            loss=loss, gradient_norm=abs(self.weight), update_ratio=0.01, steps=4,
            examples=examples, seconds=0.001, finite=math.isfinite(loss),
        )  # fmt: skip

    def evaluate(self, split: str = "validation") -> Evaluation:
        self.evaluated.append(split)
        loss = FLOOR + min(self.weight**2, 1e200)
        right = 1.0 / (1.0 + loss)
        error = {"mse": loss, "r2": 1.0 - loss}
        return Evaluation(
            loss if loss < 1e6 else math.inf, {"accuracy": right, "f1": right / 2, **error}
        )

    def snapshot(self) -> Any:
        return self.weight, self.hyperparameters

    def restore(self, snapshot: Any) -> None:
        self.weight, self.hyperparameters = snapshot
