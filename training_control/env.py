"""A training as a Gymnasium environment: an episode is one training, a step one interval of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from training_control.controls import OPTIMIZERS, Action, ControlSet, Hyperparameters
from training_control.episode import LOST, Clock, Episode
from training_control.masking import draw_masks
from training_control.observations import observation_space
from training_control.rewards import ReturnScale, RewardConfig
from training_control.session import Session
from training_control.tasks.base import Task
from training_control.tasks.registry import make_task

RATES = (1e-5, 1.0)  # random first learning rates, log-uniform


@dataclass(frozen=True)
class Beginning:
    """All that a training depends on, besides its actions.

    Attributes:
        task: Index of the task.
        seed: Of weights, order of examples and noise.
        start: First hyperparameters.
        hidden: Sources that look unknown.
        available: Controls that act, if the model offers them.
    """

    task: int
    seed: int
    start: Hyperparameters
    hidden: tuple[str, ...]
    available: tuple[str, ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Beginning":
        """Read the JSON values of `dataclasses.asdict` back."""
        start = Hyperparameters(**value["start"])
        hidden, available = tuple(value["hidden"]), tuple(value["available"])
        return cls(value["task"], value["seed"], start, hidden, available)


class TrainingControlEnv(gym.Env[np.ndarray, Any]):
    """Decide, train for an interval, look, be paid.

    The observation is float32 [len(FEATURES)], see `observations`. One control makes a Discrete
    action space of its moves, several a MultiDiscrete; `flat` makes it Discrete again, for DQN;
    `continuous` makes a Box. An action that is not finite or lies outside the space is ignored
    and counted in `info["ignored"]`.

    `truncated` is True when the budget is used up and never else. `terminated` is True when the
    training is lost: `LOST` intervals in a row blew up, whatever was rolled back.

    `info` has `hyperparameters`, `changed`, `train_loss`, `validation_loss`, `metrics`,
    `rolled_back`, `afresh`, `diverged`, `ignored`, `interventions`, `examples` and `reward` before
    scaling; seconds, which differ from run to run, are in `timing`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's name)

    def __init__(
        self,
        task: Task | str | Sequence[Task | str],
        controls: Sequence[str] = ("learning_rate",),
        decisions: int = 40,
        *,
        continuous: bool = False,
        flat: bool = False,
        start: Hyperparameters | None = None,
        random_start: bool = False,
        masking: bool = False,
        reward: RewardConfig | None = None,
        scale: ReturnScale | None = None,
        clock: Clock = "work",
    ) -> None:
        """Describe the episodes; data and model are made when a task's first episode starts.

        Args:
            task: A task or its name; of several, each episode draws one.
            controls: Hyperparameters to turn.
            decisions: Steps of an episode, at least 1; the task's budget is divided among them.
            continuous: Exponents instead of moves.
            flat: Several controls as one number.
            start: First hyperparameters; the task's when None.
            random_start: Draw the first learning rate log-uniformly from 1e-5 to 1.
            masking: Hide features and withhold controls at random, as models of users do.
            reward: Prices and weights.
            scale: Scales the rewards; its owner freezes and saves it.
            clock: "work" counts examples and steps, so that an episode is a function of its seed;
                "wall" measures seconds of training and of the agent.

        Raises:
            UsageError: An unknown task, control or clock, or no decisions.
        """
        if decisions < 1 or clock not in ("work", "wall"):
            raise UsageError(
                "expected at least 1 decision and the clock 'work' or 'wall', received "
                f"{decisions} and {clock!r}"
            )
        given = [task] if isinstance(task, Task | str) else list(task)
        self.tasks = [make_task(item) if isinstance(item, str) else item for item in given]
        if not self.tasks:
            raise UsageError("expected at least one task, received none: name one")
        self.controls = ControlSet(tuple(controls), continuous, flat)
        self.decisions = decisions
        self.action_space = self.controls.space()
        self.observation_space = observation_space()
        self._start, self._random_start, self._masking = start, random_start, masking
        self._reward, self._scale, self._clock = reward, scale, clock
        self._sessions: dict[int, Session] = {}
        self._episode: Episode | None = None
        self._beginning: Beginning | None = None
        self._actions: list[Action | None] = []
        self._returned = time.perf_counter()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new training.

        Args:
            seed: Of this and the following episodes.
            options: Any of `task` (an index), `start` (Hyperparameters), `seed` (of this training
                alone), `hidden` (sources) and `available` (controls) fixes what else is drawn.
        """
        super().reset(seed=seed)
        chosen = {} if options is None else dict(options)
        drawn = int(self.np_random.integers(2**31))  # drawn even if not used: same order
        index = int(self.np_random.integers(len(self.tasks)))
        rate = float(np.exp(self.np_random.uniform(*np.log(RATES))))
        index = int(chosen.get("task", index))
        session = self._session(index)
        start = self.tasks[index].start if self._start is None else self._start
        if self._random_start:
            start = replace(start, learning_rate=rate)
        hidden, offered = draw_masks(self.np_random, session.available, self.controls.names)
        if not self._masking:
            hidden, offered = (), self.controls.names
        beginning = Beginning(
            index,
            int(chosen.get("seed", drawn)),
            chosen.get("start", start),
            tuple(chosen.get("hidden", hidden)),
            tuple(chosen.get("available", offered)),
        )
        return self._begin(beginning)

    def _begin(self, beginning: "Beginning") -> tuple[np.ndarray, dict[str, Any]]:
        session, task = self._session(beginning.task), self.tasks[beginning.task]
        session.reset(beginning.seed, beginning.start)
        self._beginning, self._actions = beginning, []
        self._episode = Episode(
            session,
            task.interval(len(session.data.train), self.decisions),
            beginning.available,
            beginning.hidden,
            self._reward,
        )
        observation = self._episode.observe(0.0)
        info = self._episode.info() | {"task": task.name}
        self._returned = time.perf_counter()
        return observation, info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply an action, train for one interval, roll back if that went wrong.

        Raises:
            UsageError: Before the first `reset` or after an episode's end.
        """
        thought = time.perf_counter() - self._returned
        if self._running().over:
            raise UsageError("expected reset() after an episode's end, received step(): call it")
        result = self._advance(self.controls.decode(action), thought)
        observation, reward, terminated, truncated, info = result
        if self._scale is not None:
            reward = self._scale(reward, terminated or truncated)
        self._returned = time.perf_counter()
        return observation, reward, terminated, truncated, info

    def _advance(
        self, action: Action | None, thought: float
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Do a step's work; rewards are not scaled."""
        episode = self._running()
        self._actions.append(action)
        episode.advance(self.controls, action, thought)
        terminated = episode.failures >= LOST
        truncated = not terminated and episode.intervals >= self.decisions
        episode.over = terminated or truncated
        reward = episode.pay(self._clock, self.decisions, terminated)
        observation = episode.observe(episode.intervals / self.decisions)
        return observation, reward, terminated, truncated, episode.info() | {"reward": reward}

    def _running(self) -> Episode:
        if self._episode is None:
            raise UsageError("expected reset() first, received no episode: start one")
        return self._episode

    def state(self) -> dict[str, Any]:
        """Return JSON values from which `load_state` goes on exactly, in the middle of an episode.

        A training is a function of its beginning and its actions, so these are all there is.
        """
        beginning = self._beginning
        return {
            "rng": self.np_random.bit_generator.state,
            "beginning": None if beginning is None else asdict(beginning),
            "actions": [None if action is None else list(action) for action in self._actions],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state`'s values: the episode's intervals are trained once more."""
        if state["beginning"] is not None:
            self._begin(Beginning.from_json(state["beginning"]))
            for action in state["actions"]:
                self._advance(None if action is None else tuple(action), 0.0)
        self.np_random.bit_generator.state = state["rng"]

    @property
    def session(self) -> Session:
        """The training of the present episode.

        Raises:
            UsageError: There is none yet.
        """
        return self._running().session

    @property
    def timing(self) -> dict[str, float]:
        """Seconds of the present episode: "training", "controller" (the agent) and "other"."""
        return {} if self._episode is None else dict(self._episode.timing)

    def _session(self, index: int) -> Session:
        if index not in self._sessions:
            task = self.tasks[index]
            starts = (task.start, *(() if self._start is None else (self._start,)))
            used = tuple(dict.fromkeys(start.optimizer for start in starts))
            turned = "optimizer" in self.controls.names
            self._sessions[index] = open_session(task, OPTIMIZERS if turned else used)
        return self._sessions[index]


def open_session(task: Task, optimizers: Sequence[str] = OPTIMIZERS) -> Session:
    """Load a task's examples, build its model and trace a training of it.

    Args:
        task: The task.
        optimizers: Those that may be used; each costs memory and time.

    Raises:
        DataError: The examples cannot be had.
    """
    data = task.load()
    session = Session(
        task.build(data),
        data,
        optimizers=optimizers,
        pretrained=task.pretrained,
        warm_up_steps=task.warm_up_steps,
    )
    session.reset(0, replace(task.start, optimizer=optimizers[0]))
    session.train(1)  # traces, so that no interval is charged for it
    session.evaluate()
    return session
