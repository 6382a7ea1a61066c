"""An agent for a training loop of your own: it decides when and how to intervene, and learns.

    optimizer = HyperParameterOptimizer(TrainingSpaces(("learning_rate", "dropout")), config)
    for epoch in range(epochs):
        new_values = optimizer.optimize_hyperparameters(observation)  # None: do not intervene
        ...                                                           # apply, train one epoch
        optimizer.learn_from_intervention(observation, reward, new_values is not None)
    optimizer.save_brain()

`observations.Observer` makes the observations and `rewards.Rewarder` the rewards.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from numbers import Real
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from nas_core.seeding import generator
from training_control import brain as brains
from training_control.adaptation import Adaptation
from training_control.agents import AgentConfig, Learner
from training_control.controls import Action, ControlSet, Hyperparameters, changes
from training_control.experience import Transition, from_arrays, to_arrays, train_dqn, train_ppo
from training_control.observations import observation_space
from training_control.optimizer_config import OptimizerConfig
from training_control.rewards import ReturnScale

LOST = -1.0  # reward of an interval whose own was not finite


class TrainingSpaces(gym.Env[np.ndarray, Any]):
    """What an agent sees and does in a training that runs elsewhere; it cannot be stepped."""

    def __init__(
        self,
        controls: Sequence[str] = ("learning_rate",),
        start: Hyperparameters | None = None,
        *,
        flat: bool = False,
    ) -> None:
        """Describe the training.

        Args:
            controls: Hyperparameters to turn.
            start: Their first values; the usual ones when None.
            flat: Several controls as one number, for DQN.
        """
        self.controls = ControlSet(tuple(controls), flat=flat)
        self.start = Hyperparameters() if start is None else start
        self.observation_space = observation_space()
        self.action_space = self.controls.space()


class HyperParameterOptimizer:
    """PPO or DQN behind three calls; it adapts when it intervenes and how often it learns.

    Attributes:
        config: Settings.
        action: The last decision as an action of the environment, for `env.step`.
        values: Hyperparameters as this agent last left them.
        adaptation: Threshold and training frequency, which move with the rewards.
        trainings: How often the agent has been trained.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        config: Mapping[str, Any] | OptimizerConfig | None = None,
    ) -> None:
        """Make an untrained agent.

        Args:
            env: A `TrainingControlEnv` or `TrainingSpaces` with discrete moves.
            config: Settings by name; those left out take their defaults.

        Raises:
            UsageError: Another kind of environment, several controls side by side for DQN, a
                setting that cannot be, or no Stable-Baselines3.
        """
        self.config = OptimizerConfig.of(config)
        self._controls = _controls_of(env, self.config.agent)
        self._env: Any = env.unwrapped
        self._scale = ReturnScale(self.config.gamma)
        self._learner = Learner(
            self.config.agent, [lambda: env], _agent_config(self.config), self.config.seed
        )
        self._policy = self._learner.policy()
        self._rng = generator(self.config.seed, "interventions")
        low, high = self.config.train_frequency_min, self.config.train_frequency_max
        self.adaptation = Adaptation(self.config.intervention_threshold, low, (low, high))
        self.values: Hyperparameters = getattr(self._env, "start", None) or Hyperparameters()
        self.action: np.ndarray = self._encoded(self._controls.keep())
        self.trainings = self._decisions = self._since = 0
        self._lived: list[Transition] = []
        self._asked: np.ndarray | None = None

    def probability(self, observation: np.ndarray) -> float:
        """Return the policy's probability of changing anything, in [0, 1]."""
        chances = self._policy.probabilities(observation)
        return 1.0 - math.exp(_log_chance(chances, self._encoded(self._controls.keep())))

    def optimize_hyperparameters(self, observation: np.ndarray) -> dict[str, Any] | None:
        """Decide on the next interval.

        Args:
            observation: float32 [features], as `Observer.observe` returns it.

        Returns:
            New values of the hyperparameters to change, or None: do not intervene.

        Raises:
            UsageError: The observation has another length, or is not finite.
        """
        self._asked = _checked(observation, self._env.observation_space)
        self._take_over_values()
        self.action = self._encoded(self._controls.keep())
        random_move = self._rng.random() < self._epsilon
        if not random_move and self.probability(self._asked) < self.adaptation.threshold:
            return None
        action = self._draw(random_move)
        parts = self._controls.decode(action)
        after = self.values if parts is None else self._controls.apply(self.values, parts)
        new = changes(self.values, after)
        if not new:  # at the end of a range, a move changes nothing
            return None
        self.action, self.values = action, after
        return new

    def learn_from_intervention(
        self, observation: np.ndarray, reward: float, intervened: bool, *, ended: bool = False
    ) -> None:
        """Learn from the interval that has passed since the last decision.

        Args:
            observation: After it, float32 [features].
            reward: Of it; one that is not finite counts as -1.
            intervened: Whether the new values were applied.
            ended: Whether the training ended with it.

        Raises:
            UsageError: No decision was asked for since the last call, the observation has another
                length or is not finite, or the reward is no number.
        """
        if self._asked is None:
            raise UsageError(
                "expected optimize_hyperparameters before learn_from_intervention, received no "
                "decision to learn from: call them in turn"
            )
        after = _checked(observation, self._env.observation_space)
        if not isinstance(reward, Real):
            raise UsageError(f"expected reward as a number, received {reward!r}")
        reward = float(reward) if math.isfinite(reward) else LOST
        action = self.action if intervened else self._encoded(self._controls.keep())
        chance = _log_chance(self._policy.probabilities(self._asked), action)
        scaled = self._scale(reward, ended)
        kept = self._lived[-(self.config.n_steps - 1) :]
        lived = Transition(self._asked, np.atleast_1d(action), chance, scaled, after, ended)
        self._lived = [*kept, lived]
        self.adaptation.observe(reward, intervened)
        self._asked = None
        self._decisions, self._since = self._decisions + 1, self._since + 1
        if self._since >= self.adaptation.frequency:
            self._train()

    def save_brain(self, score: float | None = None) -> Path:
        """Write everything that learning goes on from.

        Args:
            score: How good the agent is; the best is kept under `best/`. None: its present average
                reward.

        Returns:
            The folder.
        """
        folder = Path(self.config.brain_save_dir)
        brain = self._learner.brain(self.adaptation.fast if score is None else score)
        own = {
            "adaptation": self.adaptation.state(),
            "scale": self._scale.state(),
            "rng": self._rng.bit_generator.state,
            "values": asdict(self.values),
            "counts": [self.trainings, self._decisions, self._since],
        }
        learner = {k: v for k, v in brain.learner.items() if not k.startswith("buffer/")}
        learner |= to_arrays(self._lived)
        state = {**brain.state, "optimizer": own, "environments": []}
        brains.save(folder, replace(brain, learner=learner, state=state))
        return folder

    def load_brain(self) -> bool:
        """Go on from the brain in `brain_save_dir`.

        Returns:
            False if there is none yet.

        Raises:
            RunError: It is damaged or has another schema.
            UsageError: It belongs to another agent.
        """
        folder = Path(self.config.brain_save_dir)
        if not brains.exists(folder):
            return False
        brain = brains.load(folder, self._learner.schema)
        if "optimizer" not in brain.state:
            raise UsageError(
                f"expected a brain of HyperParameterOptimizer in {folder}, received another: "
                "name another brain_save_dir"
            )
        self._learner.restore(brain)
        own = brain.state["optimizer"]
        self.adaptation = Adaptation.restored(own["adaptation"])
        self._scale.load_state(own["scale"])
        self._rng.bit_generator.state = own["rng"]
        self.values = Hyperparameters(**own["values"])
        self.trainings, self._decisions, self._since = own["counts"]
        self._lived = from_arrays(brain.learner)
        self._policy = self._learner.policy()
        return True

    @property
    def _epsilon(self) -> float:
        if self.config.agent != "dqn":
            return 0.0
        share = min(self._decisions / self.config.epsilon_steps, 1.0)
        return self.config.epsilon * (1.0 - 0.9 * share)

    def _take_over_values(self) -> None:
        """Take what the environment has now: a rollback may have changed it."""
        if getattr(self._env, "_episode", None) is not None:
            self.values = self._env.session.hyperparameters

    def _draw(self, random_move: bool) -> np.ndarray:
        keep = self._encoded(self._controls.keep())
        for _ in range(100):
            rng, seen = self._rng, self._asked
            if seen is None or random_move:
                sizes = self._policy.sizes
                drawn = np.array([int(rng.integers(size)) for size in sizes])
                action = drawn[0] if len(sizes) == 1 else drawn
            else:
                action = self._policy.act(seen, rng)
            if not np.array_equal(action, keep):
                return np.asarray(action)
        return keep

    def _encoded(self, parts: Action) -> np.ndarray:
        """Return the action that keeps everything, as the environment takes it."""
        if self._controls.flat and len(parts) > 1:
            return np.array(0)
        return np.array(parts[0] if len(parts) == 1 else parts)

    def _train(self) -> None:
        low, high = self.config.training_timesteps_min, self.config.training_timesteps_max
        samples = round(low + self.adaptation.eagerness * (high - low))
        train = train_ppo if self.config.agent == "ppo" else train_dqn
        lived, batch = self._lived, self.config.batch_size
        self._learner.train_on(lambda model: train(model, lived, samples, batch))
        self._policy = self._learner.policy()
        self.trainings, self._since = self.trainings + 1, 0


def _controls_of(env: gym.Env[Any, Any], agent: str) -> ControlSet:
    """Return what an environment turns; refuse one that the agent cannot act in."""
    controls = getattr(env.unwrapped, "controls", None) if isinstance(env, gym.Env) else None
    if not isinstance(controls, ControlSet) or controls.continuous:
        raise UsageError(
            f"expected an environment with discrete controls, received {env!r}: use "
            "TrainingControlEnv or TrainingSpaces"
        )
    if agent == "dqn" and not isinstance(env.action_space, gym.spaces.Discrete):
        raise UsageError(
            f"expected one discrete choice for dqn, received {env.action_space} of "
            f"{', '.join(controls.names)}: make the environment with flat=True, or use ppo"
        )
    return controls


def _checked(observation: Any, space: gym.Space[Any]) -> np.ndarray:
    """Return an observation, float32 [features]."""
    try:
        seen = np.asarray(observation, np.float32)
    except (TypeError, ValueError):
        seen = np.full(0, np.nan, np.float32)
    if seen.shape != space.shape or not np.isfinite(seen).all():
        length = None if space.shape is None else space.shape[0]
        wrong = f"shape {seen.shape}" if seen.shape != space.shape else "some that are not"
        raise UsageError(
            f"expected an observation of {length} finite numbers, received {wrong}: make it with "
            "observations.Observer"
        )
    return seen


def _agent_config(config: OptimizerConfig) -> AgentConfig:
    return AgentConfig(
        learning_rate=config.learning_rate,
        gamma=config.gamma,
        hidden=config.hidden,
        batch_size=config.batch_size,
        n_steps=max(config.batch_size, 2),  # of a rollout that is never taken: see train_ppo
        buffer_size=config.n_steps,
        gae_lambda=0.95,
        entropy=0.0,
    )


def _log_chance(chances: Sequence[np.ndarray], action: np.ndarray) -> float:
    picks = np.atleast_1d(action)
    parts = zip(chances, picks, strict=True)
    return float(sum(math.log(max(float(chance[pick]), 1e-12)) for chance, pick in parts))
