"""Training PPO and DQN on decisions that a loop of the user's own has lived through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training_control.brain import Arrays

TARGET_KL = 0.05  # a training of PPO ends when its policy has moved this far (nats)


@dataclass(frozen=True, eq=False)
class Transition:
    """One decision and what came of it.

    Attributes:
        before: What the agent saw, float32 [features].
        action: What was done, int64 [choices].
        chance: Logarithm of the policy's probability of it, at that time.
        reward: Scaled.
        after: What it saw then, float32 [features].
        ended: Whether the training ended with it.
    """

    before: np.ndarray
    action: np.ndarray
    chance: float
    reward: float
    after: np.ndarray
    ended: bool


def to_arrays(transitions: Sequence[Transition]) -> Arrays:
    """Return transitions as arrays by name; none give no arrays."""
    if not transitions:
        return {}
    names = ("before", "action", "chance", "reward", "after", "ended")
    return {f"lived/{n}": np.array([getattr(t, n) for t in transitions]) for n in names}


def from_arrays(arrays: Arrays) -> list[Transition]:
    """Read `to_arrays`'s values back."""
    if "lived/before" not in arrays:
        return []
    columns = {name[6:]: values for name, values in arrays.items() if name.startswith("lived/")}
    return [
        Transition(
            columns["before"][i],
            columns["action"][i],
            float(columns["chance"][i]),
            float(columns["reward"][i]),
            columns["after"][i],
            bool(columns["ended"][i]),
        )
        for i in range(len(columns["before"]))
    ]


def train_ppo(model: Any, transitions: Sequence[Transition], samples: int, batch: int) -> None:
    """Improve a Stable-Baselines3 PPO on transitions in the order in which they were lived.

    Args:
        model: The model; its advantages are not normalised, so that the sign of a reward counts.
        transitions: At least one; older ones count by how likely they are now, clipped.
        samples: Transitions to go through in all, repeats counted.
        batch: Of a gradient step.
    """
    import torch
    from stable_baselines3.common.buffers import RolloutBuffer

    count = len(transitions)
    spaces = model.observation_space, model.action_space
    buffer = RolloutBuffer(
        count, *spaces, device="cpu", gae_lambda=model.gae_lambda, gamma=model.gamma
    )
    seen = torch.tensor(np.array([t.before for t in transitions] + [transitions[-1].after]))
    with torch.no_grad():
        values = model.policy.predict_values(seen)
    started = True
    for transition, value in zip(transitions, values, strict=False):
        buffer.add(
            transition.before[None],
            transition.action[None],
            np.array([transition.reward]),
            np.array([started]),
            value,
            torch.tensor([transition.chance]),
        )
        started = transition.ended
    ended = np.array([transitions[-1].ended])
    buffer.compute_returns_and_advantage(last_values=values[-1], dones=ended)
    model.rollout_buffer, model.normalize_advantage = buffer, False
    model.target_kl, model.batch_size = TARGET_KL, min(batch, count)
    model.n_epochs = max(samples // max(count, batch), 1)
    model.train()


def train_dqn(model: Any, transitions: Sequence[Transition], samples: int, batch: int) -> None:
    """Improve a Stable-Baselines3 DQN on transitions; arguments as for `train_ppo`."""
    buffer = model.replay_buffer
    buffer.reset()
    for t in transitions:
        row = (t.before[None], t.after[None], t.action[None], np.array([t.reward]))
        buffer.add(*row, np.array([t.ended]), [{}])
    model.train(gradient_steps=max(samples // batch, 1), batch_size=batch)
    model.q_net_target.load_state_dict(model.q_net.state_dict())
