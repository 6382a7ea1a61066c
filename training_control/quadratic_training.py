"""Train the brain of the noisy quadratic, the command of record of `brains/quadratic`.

    python -m training_control.quadratic_training --out brains/quadratic

Several seeds; the brain with the lowest mean final loss on starts of its own is kept.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from nas_core.seeding import derived_seed
from training_control import brain as brains
from training_control.agents import PPO, AgentConfig, Learner
from training_control.policy import FrozenPolicy
from training_control.quadratic import DECISIONS, QuadraticEnv

ENVIRONMENTS = 64
# A decision is credited with the end it leads to and nothing else: no discount, no bootstrapping.
CONFIG = replace(
    PPO,
    learning_rate=1e-3,
    gamma=1.0,
    gae_lambda=1.0,
    n_steps=DECISIONS,
    batch_size=1280,
    n_epochs=8,
    entropy=0.003,
)


def replay(policy: FrozenPolicy, starts: int, seed: int) -> np.ndarray:
    """Return final losses of the greedy policy on drawn starts, float64 [starts].

    Args:
        policy: Of an agent trained on `QuadraticEnv`.
        starts: Number of trainings.
        seed: Decides the starts, at least 0.
    """
    env, losses = QuadraticEnv(seed), np.empty(starts)
    for number in range(starts):
        observation, info = env.reset()
        terminated = False
        while not terminated:
            action = np.int64(policy.act(observation))
            observation, _, terminated, _, info = env.step(action)
        losses[number] = info["loss"]
    return losses


def train(decisions: int, seed: int, config: AgentConfig = CONFIG) -> tuple[Learner, float]:
    """Train one agent.

    Args:
        decisions: Number of decisions in its life.
        seed: Decides everything, at least 0.
        config: Settings of PPO.

    Returns:
        The agent and its mean final loss on starts that only this choice uses.
    """
    seeds = [derived_seed(seed, "quadratic", number) for number in range(ENVIRONMENTS)]
    makers = [lambda each=each: QuadraticEnv(each) for each in seeds]
    learner = Learner("ppo", makers, config, seed)
    part = 20 * config.n_steps * ENVIRONMENTS
    for _ in range(max(decisions // part, 1)):
        learner.learn(part)
        loss = float(np.mean(replay(learner.policy(), 50, seed=1)))
        print(f"seed {seed}: {learner.steps} decisions, loss {loss:.4f}", file=sys.stderr)
    return learner, float(np.mean(replay(learner.policy(), 200, seed=1)))


def main() -> None:
    """Train, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the brain")
    parser.add_argument("--decisions", type=int, default=102_400, help="of each agent")
    parser.add_argument("--seeds", type=int, default=1, help="agents to choose from")
    given = parser.parse_args()
    trained = [train(given.decisions, seed) for seed in range(given.seeds)]
    learner, loss = min(trained, key=lambda pair: pair[1])
    brains.save(given.out, replace(learner.brain(), learner={}, state={"decisions": learner.steps}))
    print(f"best of {given.seeds}: mean final loss {loss:.4f}, written to {given.out}")


if __name__ == "__main__":
    main()
