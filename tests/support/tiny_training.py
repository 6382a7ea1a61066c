"""A training under control that takes milliseconds: 8 numbers, 2 classes, a stack of 16 units."""

import numpy as np

from training_control.controls import OPTIMIZERS
from training_control.data import Examples, TrainingData
from training_control.tasks.base import PUBLISHED, Task

ROOM = 64


def tiny_data(seed: int = 0, regression: bool = False) -> TrainingData:
    rng = np.random.default_rng(seed)

    def part(count: int) -> Examples:
        x = rng.normal(size=(count, 8)).astype(np.float32)
        if regression:
            return Examples(x, (x[:, 0] - x[:, 1]).astype(np.float32))
        return Examples(x, (x[:, 0] > x[:, 1]).astype(np.int32))

    return TrainingData(part(128), part(64), part(64), None if regression else 2)


def tiny_task(**options) -> Task:
    from training_control.tasks.models import mlp

    given = {"epochs": 5.0, "start": PUBLISHED, **options}
    return Task("tiny", "tabular", tiny_data, lambda data: mlp(data, units=ROOM), **given)


def tiny_session(optimizers=OPTIMIZERS, data=None, model=None):
    from training_control.session import Session
    from training_control.tasks.models import mlp

    data = tiny_data() if data is None else data
    return Session(mlp(data, units=ROOM) if model is None else model, data, optimizers=optimizers)
