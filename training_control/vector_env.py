"""Simulated trainings as Stable-Baselines3 sees environments. Needs the extra `control`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from training_control.observations import observation_space
from training_control.simulated import SimulatedTrainings


class SimulatedVecEnv(VecEnv):
    """Many simulated trainings at a time. Their end is a true end: nothing is bootstrapped."""

    def __init__(self, trainings: SimulatedTrainings) -> None:
        """Take trainings that have not started.

        Args:
            trainings: What is stepped.
        """
        self.trainings, self.controls = trainings, trainings.controls
        self._seed = 0
        self._actions = np.zeros(0)
        space = trainings.controls.space()
        self._infos: list[dict[str, Any]] = [{} for _ in range(trainings.count)]
        super().__init__(trainings.count, observation_space(), space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set what the next reset draws from."""
        self._seed = 0 if seed is None else seed
        return [self._seed] * self.num_envs

    def reset(self) -> np.ndarray:
        """Start everywhere, float32 [N, features]."""
        return self.trainings.reset(self._seed)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Take the step."""
        told = self.trainings.step(self._actions)
        return told.observations, told.rewards, told.ended, self._infos

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the trainings, once for each place."""
        return [getattr(self.trainings, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the trainings."""
        setattr(self.trainings, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Call a method of the trainings."""
        return [getattr(self.trainings, method_name)(*args, **kwargs)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return that nothing is wrapped."""
        return [False] * self.num_envs
