"""PPO and DQN from Stable-Baselines3, made to continue exactly and to disturb nobody.

Needs the extra `control`. What is learned here runs without it: see `policy.FrozenPolicy`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from training_control.brain import Arrays, Brain
from training_control.policy import FrozenPolicy
from training_control.randomness import OwnRandomness
from training_control.rewards import ReturnScale
from training_control.schema import schema_of

KINDS = ("ppo", "dqn")


@dataclass(frozen=True)
class AgentConfig:
    """Settings of PPO and DQN.

    Attributes:
        learning_rate: Of Adam.
        gamma: Discount. Published: 0.99. Ours: 1.0 for DQN and 0.999 for PPO, because an episode
            is a training of at most 50 decisions and only its end counts; 0.99 would already
            prefer what helps now by a third.
        hidden: Units of the two networks' hidden layers.
        batch_size: Transitions in a gradient step.
        n_steps: PPO: decisions of each environment between two updates.
        n_epochs: PPO: passes over them.
        gae_lambda: PPO: 1 credits a decision with all that follows.
        entropy: PPO: weight of the entropy bonus.
        epsilon: DQN: chance of a random decision at first; it falls linearly to `epsilon_end`
            over `epsilon_steps` decisions, counted over the agent's whole life.
        epsilon_end: DQN: chance of a random decision in the end.
        epsilon_steps: DQN: see `epsilon`.
        buffer_size: DQN: transitions that are remembered.
        learning_starts: DQN: decisions before the first update.
        train_every: DQN: decisions of each environment between two rounds of gradient steps.
        gradient_steps: DQN: in a round.
        target_every: DQN: decisions between two copies of the network to the target.
        lookahead: DQN: rewards that are summed before the network's own estimate stands in.
    """

    learning_rate: float = 3e-4
    gamma: float = 0.999
    hidden: tuple[int, ...] = (64, 64)
    batch_size: int = 64
    n_steps: int = 1024
    n_epochs: int = 10
    gae_lambda: float = 0.98
    entropy: float = 0.003
    epsilon: float = 0.1
    epsilon_end: float = 0.01
    epsilon_steps: int = 20_000
    buffer_size: int = 50_000
    learning_starts: int = 500
    train_every: int = 4
    gradient_steps: int = 1
    target_every: int = 500
    lookahead: int = 1


PPO = AgentConfig()
DQN = AgentConfig(learning_rate=5e-4, gamma=1.0, epsilon=1.0, epsilon_end=0.05)


class FixedEnd(gym.Wrapper[Any, Any, Any, Any]):
    """Shows the end of the budget as a true end.

    Learners bootstrap at truncation, as if the episode went on. A training's budget is part of
    the task, its progress is observed, and its last reward is final: with a discount of 1 the value
    of what never comes would grow without bound.
    """

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step; `truncated` becomes `terminated`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated or truncated, False, info


class Learner:
    """A PPO or DQN agent with one or several environments of the same kind."""

    def __init__(
        self,
        kind: str,
        make_envs: Sequence[Callable[[], gym.Env[Any, Any]]] | Any,
        config: AgentConfig | None = None,
        seed: int = 0,
        scale: ReturnScale | None = None,
    ) -> None:
        """Make an untrained agent.

        Args:
            kind: "ppo" or "dqn".
            make_envs: Each makes an environment; or a Stable-Baselines3 `VecEnv` whose ends are
                true ends.
            config: Settings; None for ours.
            seed: Decides weights, exploration and starts, at least 0.
            scale: The one that the environments scale rewards with; saved with the brain.

        Raises:
            UsageError: An unknown kind, or the extra `control` is missing.
        """
        if kind not in KINDS:
            raise UsageError(f"expected an agent among {', '.join(KINDS)}, received {kind!r}")
        stable = stable_baselines()
        self.kind = kind
        self.config = config if config is not None else (PPO if kind == "ppo" else DQN)
        self._randomness, self._scale = OwnRandomness(seed), scale
        if isinstance(make_envs, stable.common.vec_env.VecEnv):
            vector: Any = make_envs
            self.envs: list[Any] = [vector]
        else:
            self.envs = [FixedEnd(make()) for make in make_envs]
            vector = stable.common.vec_env.DummyVecEnv([_giver(env) for env in self.envs])
        self.schema = schema_of(self.envs[0])
        vector.seed(seed)
        with self._randomness.lent():
            build = _ppo if kind == "ppo" else _dqn
            self.model: Any = build(stable, vector, self.config)
            self.model.action_space.seed(seed)
        self.model.set_logger(stable.common.logger.Logger(None, []))

    @property
    def steps(self) -> int:
        """Decisions taken so far."""
        return int(self.model.num_timesteps)

    def learn(self, steps: int) -> None:
        """Take `steps` more decisions in the environments (PPO: whole rollouts) and learn."""
        with self._randomness.lent():
            self.model.learn(steps, reset_num_timesteps=self.steps == 0)

    def train_on(self, update: Callable[[Any], None]) -> None:
        """Let `update` train the Stable-Baselines3 model, with this learner's randomness."""
        with self._randomness.lent():
            update(self.model)

    def policy(self) -> FrozenPolicy:
        """Return what the agent does now, in NumPy."""
        return frozen(self.kind, self.model)

    def brain(self, score: float | None = None) -> Brain:
        """Return everything that learning goes on from."""
        policy = self.policy()
        return Brain(
            kind=self.kind,
            schema=self.schema,
            config=policy.config(),
            policy=policy.arrays(),
            learner=_learner_arrays(self.kind, self.model),
            state={
                "config": asdict(self.config),
                "randomness": self._randomness.state(),
                "actions_rng": self.model.action_space.np_random.bit_generator.state,
                "counters": {name: _plain(getattr(self.model, name)) for name in _counters(self)},
                "environments": [_env_state(env) for env in self.envs],
                "scale": None if self._scale is None else self._scale.state(),
            },
            score=score,
        )

    def restore(self, brain: Brain) -> None:
        """Go on from a brain.

        Exact if the brain was made with as many environments and these can save their state
        (methods `state` and `load_state`); other environments start a new episode.

        Raises:
            UsageError: Another kind of agent, other settings, or a brain that only acts.
        """
        if brain.kind != self.kind or not brain.learner:
            raise UsageError(
                f"expected a brain that {self.kind} can go on learning from, received one of "
                f"{brain.kind} with {len(brain.learner)} arrays: use the same agent, or start anew"
            )
        _load_arrays(self.kind, self.model, brain.learner)
        self._randomness.load_state(brain.state["randomness"])
        self.model.action_space.np_random.bit_generator.state = brain.state["actions_rng"]
        for name, value in brain.state["counters"].items():
            setattr(self.model, name, value)
        if self._scale is not None and brain.state["scale"] is not None:
            self._scale.load_state(brain.state["scale"])
        states = brain.state["environments"]
        whole = len(states) == len(self.envs) and None not in states
        if whole:
            for env, state in zip(self.envs, states, strict=True):
                env.unwrapped.load_state(state)
        if not whole or "last_obs" not in brain.learner:
            self.model._last_obs = None
            self.model._last_episode_starts = None


def _giver(env: gym.Env[Any, Any]) -> Callable[[], gym.Env[Any, Any]]:
    return lambda: env


def stable_baselines() -> Any:
    """Return the library.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import stable_baselines3
        import stable_baselines3.common.logger
        import stable_baselines3.common.vec_env
    except ImportError as error:
        raise UsageError(
            f"expected Stable-Baselines3 to train an agent, received {error}: "
            "pip install '.[control]' in this project's folder"
        ) from None
    return stable_baselines3


def _ppo(stable: Any, vector: Any, config: AgentConfig) -> Any:
    return stable.PPO(
        "MlpPolicy",
        vector,
        learning_rate=config.learning_rate,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy,
        policy_kwargs={"net_arch": list(config.hidden)},
        device="cpu",
    )


def _dqn(stable: Any, vector: Any, config: AgentConfig) -> Any:
    model = stable.DQN(
        "MlpPolicy",
        vector,
        learning_rate=config.learning_rate,
        buffer_size=config.buffer_size,
        learning_starts=config.learning_starts,
        batch_size=config.batch_size,
        gamma=config.gamma,
        train_freq=config.train_every,
        gradient_steps=config.gradient_steps,
        target_update_interval=config.target_every,
        n_steps=config.lookahead,
        policy_kwargs={"net_arch": list(config.hidden)},
        device="cpu",
    )
    # By decisions taken, not by the share of one call of `learn`, so that two calls equal one.
    start, fall = config.epsilon, config.epsilon - config.epsilon_end
    model.exploration_schedule = lambda _: (
        start - fall * min(model.num_timesteps / config.epsilon_steps, 1.0)
    )
    return model


def frozen(kind: str, model: Any) -> FrozenPolicy:
    """Return a Stable-Baselines3 model's policy in NumPy, equal to its own within 1e-5."""
    weights = {name: tensor.numpy() for name, tensor in model.policy.state_dict().items()}
    space = model.action_space
    inner = "mlp_extractor.policy_net" if kind == "ppo" else "q_net.q_net"
    names = sorted(
        {name.rsplit(".", 1)[0] for name in weights if name.startswith(inner + ".")},
        key=lambda name: int(name.rsplit(".", 1)[1]),
    )
    names += ["action_net"] if kind == "ppo" else []
    layers = tuple(
        (weights[f"{name}.weight"].T.copy(), weights[f"{name}.bias"].copy()) for name in names
    )
    if isinstance(space, gym.spaces.Box):
        return FrozenPolicy("gaussian", (1,) * int(np.prod(space.shape)), layers, "tanh")
    discrete = isinstance(space, gym.spaces.Discrete)
    sizes = (int(space.n),) if discrete else tuple(int(n) for n in space.nvec)
    head, activation = ("categorical", "tanh") if kind == "ppo" else ("values", "relu")
    return FrozenPolicy(head, sizes, layers, activation)


def _counters(learner: Learner) -> list[str]:
    shared = ["num_timesteps", "_n_updates", "_episode_num"]
    return shared if learner.kind == "ppo" else [*shared, "_n_calls", "exploration_rate"]


def _plain(value: Any) -> int | float:
    return float(value) if isinstance(value, float | np.floating) else int(value)


def _env_state(env: gym.Env[Any, Any]) -> Any:
    state = getattr(env.unwrapped, "state", None)
    return state() if callable(state) else None


BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def _learner_arrays(kind: str, model: Any) -> Arrays:
    arrays: Arrays = {}
    for name, tensor in model.policy.state_dict().items():
        arrays[f"model/{name}"] = tensor.numpy().copy()
    for index, slots in model.policy.optimizer.state_dict()["state"].items():
        for slot, tensor in slots.items():
            arrays[f"optimizer/{index}/{slot}"] = tensor.numpy().copy()
    if model._last_obs is not None:
        arrays["last_obs"] = np.array(model._last_obs)
        arrays["last_starts"] = np.array(model._last_episode_starts)
    if kind == "dqn":
        buffer = model.replay_buffer
        used = buffer.buffer_size if buffer.full else buffer.pos
        arrays["buffer/position"] = np.array([buffer.pos, int(buffer.full)])
        for name in BUFFER:
            arrays[f"buffer/{name}"] = getattr(buffer, name)[:used].copy()
    return arrays


def _load_arrays(kind: str, model: Any, arrays: Arrays) -> None:
    import torch

    weights = {k[6:]: torch.tensor(v) for k, v in arrays.items() if k.startswith("model/")}
    try:
        model.policy.load_state_dict(weights)
    except RuntimeError:
        raise UsageError(
            "expected a brain with this agent's layers, received others: use the same settings"
        ) from None
    slots: dict[int, dict[str, Any]] = {}
    for key, value in arrays.items():
        if key.startswith("optimizer/"):
            _, index, slot = key.split("/")
            slots.setdefault(int(index), {})[slot] = torch.tensor(value)
    groups = model.policy.optimizer.state_dict()["param_groups"]
    model.policy.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    model._last_obs = arrays.get("last_obs")
    model._last_episode_starts = arrays.get("last_starts")
    if kind == "dqn" and "buffer/position" in arrays:
        buffer = model.replay_buffer
        position, full = arrays["buffer/position"]
        buffer.pos, buffer.full = int(position), bool(full)
        for name in BUFFER:
            stored = arrays[f"buffer/{name}"]
            getattr(buffer, name)[: len(stored)] = stored
