"""Agents that control a training while it runs: environment, tasks, brains, a Keras callback.

from training_control import LearnedController
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training_control.callback import LearnedController
    from training_control.env import TrainingControlEnv
    from training_control.live_model import prepare
    from training_control.optimizer_agent import HyperParameterOptimizer

__all__ = ["HyperParameterOptimizer", "LearnedController", "TrainingControlEnv", "prepare"]

_HOMES = {
    "HyperParameterOptimizer": "optimizer_agent",
    "LearnedController": "callback",
    "TrainingControlEnv": "env",
    "prepare": "live_model",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: neither Keras nor Stable-Baselines3 before they are needed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
