"""A search space as a Gymnasium environment: one episode builds one architecture."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from nas_core.seeding import derived_seed
from nas_core.space import SearchSpace
from nas_core.trainer.base import Job, Result, Trainer


class ArchitectureEnv(gym.Env[np.ndarray, np.int64]):
    """Decisions in, reward out.

    The observation is the sequence of decisions so far, float32 [n_steps]: -1 where nothing is
    decided yet, else the action's number. `info["action_mask"]` holds int8 [n_actions], 1 for
    legal actions, ready for `action_space.sample(mask)`. The reward is 0 until the architecture is
    complete, then the trainer's score (the penalty if it failed). An illegal action is refused: it
    changes nothing and costs the penalty, so that agents without masks can still run.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012  (Gymnasium's name)

    def __init__(
        self,
        space: SearchSpace[Any],
        trainer: Trainer,
        *,
        seed: int = 0,
        penalty: float = 0.0,
        on_result: Callable[[Result], None] = lambda result: None,
        render_mode: str | None = None,
    ) -> None:
        """Wrap a space and a trainer.

        Args:
            space: Where decisions are made.
            trainer: Scores complete architectures, in this process.
            seed: Children's randomness comes from (seed, architecture).
            penalty: Reward of a failed child and of an illegal action.
            on_result: Called with each child's whole result.
            render_mode: "ansi" makes `render` return the decisions as text.

        Raises:
            UsageError: An unknown render mode.
        """
        if render_mode not in (None, "ansi"):
            raise UsageError(f"expected render_mode None or 'ansi', received {render_mode!r}")
        self.render_mode = render_mode
        self._space = space
        self._trainer = trainer
        self._seed = seed
        self._penalty = penalty
        self._on_result = on_result
        self._episode = 0
        self.action_space = gym.spaces.Discrete(space.n_actions)
        self.observation_space = gym.spaces.Box(
            -1.0, float(space.n_actions - 1), (space.n_steps,), np.float32
        )
        self._state = space.initial()
        self._actions: list[int] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an empty architecture."""
        super().reset(seed=seed)
        self._state = self._space.initial()
        self._actions = []
        return self._observation(), self._info()

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one decision; `truncated` is never True."""
        choice = int(action)
        if not self._space.legal(self._state)[choice]:
            return self._observation(), self._penalty, False, False, self._info()
        self._state = self._space.step(self._state, choice)
        self._actions.append(choice)
        done = self._space.is_terminal(self._state)
        reward, info = 0.0, self._info()
        if done:
            result = self._score()
            reward = self._penalty if result.score is None else result.score
            info |= {"status": result.status.value, "text": self._space.spec(self._state).to_text()}
        return self._observation(), reward, done, False, info

    def _score(self) -> Result:
        spec = self._space.spec(self._state)
        job = Job(self._episode, derived_seed(self._seed, f"child {spec.digest}"))
        self._episode += 1
        result = self._trainer.score(spec, job)
        self._on_result(result)
        return result

    def _observation(self) -> np.ndarray:
        decided = np.full(self._space.n_steps, -1.0, np.float32)
        decided[: len(self._actions)] = self._actions
        return decided

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self._space.legal(self._state).astype(np.int8)}

    def render(self) -> str | None:
        """Return the decisions so far as text, if the render mode says so."""
        if self.render_mode != "ansi":
            return None
        return " ".join(self._space.describe(action) for action in self._actions)
