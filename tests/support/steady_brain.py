"""A brain that makes the same move whatever it sees."""

import numpy as np

from training_control.brain import Brain
from training_control.controls import CONTROLS, ControlSet
from training_control.observations import FEATURES
from training_control.policy import FrozenPolicy
from training_control.schema import control_schema


def always(move: str, controls: tuple[str, ...] = ("learning_rate",)) -> Brain:
    """Return one that turns these controls."""
    chosen = ControlSet(controls)
    bias = np.concatenate(
        [[5.0 * (m == move) for m in CONTROLS[n].moves] for n in controls]
    ).astype(np.float32)
    policy = FrozenPolicy(
        "categorical", chosen.sizes, ((np.zeros((len(FEATURES), len(bias)), np.float32), bias),)
    )
    return Brain("ppo", control_schema(chosen), policy.config(), policy.arrays())
