"""Settings of `HyperParameterOptimizer`, as code or a configuration file gives them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from nas_core.errors import UsageError
from training_control.agents import KINDS

# Whole numbers and numbers by name, with the least and the largest that they may be.
WHOLE: Mapping[str, tuple[float, float]] = {
    "n_steps": (2, math.inf),
    "batch_size": (2, math.inf),
    "train_frequency_min": (1, math.inf),
    "train_frequency_max": (1, math.inf),
    "training_timesteps_min": (1, math.inf),
    "training_timesteps_max": (1, math.inf),
    "epsilon_steps": (1, math.inf),
    "seed": (0, math.inf),
}
NUMBERS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (1e-12, 1.0),
    "gamma": (0.0, 1.0),
    "intervention_threshold": (0.0, 1.0),
    "epsilon": (0.0, 1.0),
}
PAIRS = ("train_frequency", "training_timesteps")


@dataclass(frozen=True)
class OptimizerConfig:
    """Settings; the defaults are the published ones.

    Attributes:
        learning_rate: Of the agent's Adam.
        n_steps: Newest decisions that a training of the agent uses.
        batch_size: Decisions in a gradient step.
        gamma: Discount.
        brain_save_dir: Folder of the brain.
        train_frequency_min: Fewest intervals between two trainings of the agent.
        train_frequency_max: Most of them.
        training_timesteps_min: Decisions that a training goes through, repeats counted, at least.
        training_timesteps_max: The same at most.
        intervention_threshold: Probability of intervening from which on it does, at first.
        agent: "ppo" or "dqn".
        epsilon: Chance of a random move, DQN only; it decays to a tenth.
        epsilon_steps: Decisions over which it does.
        hidden: Units of the networks' hidden layers.
        seed: Of everything random, at least 0.

    Raises:
        UsageError: On construction, for a value of another type or outside its range.
    """

    learning_rate: float = 3e-4
    n_steps: int = 1024
    batch_size: int = 64
    gamma: float = 0.99
    brain_save_dir: str = "brain"
    train_frequency_min: int = 5
    train_frequency_max: int = 25
    training_timesteps_min: int = 5000
    training_timesteps_max: int = 10000
    intervention_threshold: float = 0.4
    agent: str = "ppo"
    epsilon: float = 0.1
    epsilon_steps: int = 1000
    hidden: tuple[int, ...] = (64, 64)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, limits in WHOLE.items():
            self._check(name, Integral, limits, "a whole number")
        for name, limits in NUMBERS.items():
            self._check(name, Real, limits, "a number")
        for name in PAIRS:
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low > high:
                raise _refused(f"{name}_min", f"at most {name}_max, {high}", low)
        if self.agent not in KINDS:
            raise _refused("agent", f"one of {', '.join(KINDS)}", self.agent)
        if not isinstance(self.brain_save_dir, str) or not self.brain_save_dir.strip():
            raise _refused("brain_save_dir", "a folder's name", self.brain_save_dir)
        units = self.hidden if isinstance(self.hidden, list | tuple) else ()
        if len(units) == 0 or not all(_is(Integral, unit, (1, math.inf)) for unit in units):
            raise _refused("hidden", "whole numbers of units", self.hidden)
        object.__setattr__(self, "hidden", tuple(units))  # a file gives a list

    def _check(self, name: str, kind: type, limits: tuple[float, float], what: str) -> None:
        if not _is(kind, getattr(self, name), limits):
            low, high = limits
            most = "" if math.isinf(high) else f", at most {high:g}"
            raise _refused(name, f"{what} of {low:g} or more{most}", getattr(self, name))

    @classmethod
    def of(cls, config: "Mapping[str, Any] | OptimizerConfig | None") -> "OptimizerConfig":
        """Return settings from values by name.

        Raises:
            UsageError: An unknown name, or a value of another type or outside its range.
        """
        if isinstance(config, OptimizerConfig):
            return config
        if config is not None and not isinstance(config, Mapping):
            raise UsageError(
                f"expected config as values by name, received {config!r}: see OptimizerConfig"
            )
        known = [item.name for item in fields(cls)]
        given: dict[str, Any] = {} if config is None else dict(config)
        for name in given:
            if name not in known:
                raise UsageError(
                    f"expected config keys among {', '.join(known)}, received {name!r}"
                )
        return cls(**given)


def _is(kind: type, value: Any, limits: tuple[float, float]) -> bool:
    """Return whether a value is a number of a kind and not outside its limits; NaN is."""
    whole = isinstance(value, kind) and not isinstance(value, bool)
    return whole and limits[0] <= value <= limits[1]


def _refused(name: str, wanted: str, value: Any) -> UsageError:
    return UsageError(f"expected {name} as {wanted}, received {value!r}: see OptimizerConfig")
