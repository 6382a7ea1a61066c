"""Meta-training: one brain from many small trainings, as `nas control train` runs it.

First trainings of small networks (`simulated`), hundreds at a time, then larger ones: generated
tasks of the meta-training split with drawn starts, hidden features and withheld controls. The
meta-validation split decides which generation is best; the held-out split is only measured:

    python -m training_control.meta_training --brain default
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from nas_core.errors import UsageError
from nas_core.files import as_read_back
from nas_core.seeding import derived_seed, generator
from training_control import brain as brains
from training_control.agents import DQN, PPO, AgentConfig, Learner, stable_baselines
from training_control.brain import Brain
from training_control.controls import CONTROLS, ControlSet
from training_control.policy import FrozenPolicy
from training_control.rewards import ReturnScale
from training_control.simulated import SimulatedTrainings
from training_control.steering import open_brain
from training_control.tasks.presets import PRESETS

CONTROLLED = ("learning_rate", "dropout", "weight_decay")
DECISIONS = 30  # of a real training that is measured
LENGTHS = (20, 30, 40)  # decisions of real trainings that are learned from, side by side
ROUND = 120  # real trainings between two checks
CHECKS = (8, 4)  # tasks of the meta-validation split, and trainings of each
PARTS = {"ppo": 262_144, "dqn": 65_536}  # simulated decisions between two checks
CHECKED = 512  # simulated trainings of a check
KEEP_BIAS = 2.0  # logits in favour of "keep" that PPO starts with
SIDE_BY_SIDE = {"ppo": 256, "dqn": 64}  # simulated trainings
CONFIGS: dict[str, AgentConfig] = {
    "ppo": replace(
        PPO,
        learning_rate=5e-4,
        n_steps=32,
        batch_size=1024,
        n_epochs=6,
        gae_lambda=0.98,
        entropy=0.002,
    ),
    "dqn": replace(
        DQN,
        train_every=1,
        gradient_steps=4,
        learning_starts=4096,
        epsilon_steps=200_000,
        batch_size=256,
        buffer_size=200_000,
        target_every=12_800,  # 800 gradient steps
        lookahead=8,
    ),
}
# What differs on real trainings, of which there are few.
ON_REAL: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 400, "batch_size": 400, "learning_rate": 2e-4},
    "dqn": {"epsilon": 0.1, "epsilon_steps": 20_000, "learning_starts": 0, "batch_size": 64},
}
# Settings of the agents above those of `CONFIGS` and `ON_REAL`: none, or as published.
OURS, PAPER = "ours", "paper"
AGENT_PRESETS: dict[str, dict[str, Any]] = {OURS: {}, PAPER: dict(PRESETS[PAPER].agent)}


def config_of(kind: str, preset: str = OURS, *, real: bool = False) -> AgentConfig:
    """Return an agent's settings in meta-training.

    Args:
        kind: "ppo" or "dqn".
        preset: "ours" or "paper".
        real: Whether on real trainings.
    """
    differ = ON_REAL[kind] if real else {}
    return replace(CONFIGS[kind], **{**differ, **AGENT_PRESETS[preset]})


def untrained(kind: str, seed: int, preset: str = OURS) -> Learner:
    """Return a new agent on simulated trainings.

    Raises:
        UsageError: Stable-Baselines3 is not installed.
    """
    stable_baselines()  # else the next import fails
    from training_control.vector_env import SimulatedVecEnv

    config = config_of(kind, preset)
    scale = ReturnScale(config.gamma)
    trainings = SimulatedTrainings(CONTROLLED, SIDE_BY_SIDE[kind], flat=kind == "dqn", scale=scale)
    learner = Learner(kind, SimulatedVecEnv(trainings), config, seed, scale)
    if kind == "ppo":
        learner.train_on(_prefer_keeping)
    return learner


def _prefer_keeping(model: Any) -> None:
    """Start near "leave it alone" where nothing has been learned: a random habit would harm."""
    import torch

    bias, offset = model.policy.action_net.bias, 0
    with torch.no_grad():
        for name in CONTROLLED:
            if name != "learning_rate":
                bias[offset + CONTROLS[name].keep] += KEEP_BIAS
            offset += len(CONTROLS[name].moves)


def on_real_trainings(brain: Brain, tasks: Sequence[Any], seed: int, preset: str = OURS) -> Learner:
    """Return an agent that goes on from a brain, on the given tasks."""
    from training_control.env import TrainingControlEnv

    kind = brain.kind
    config = config_of(kind, preset, real=True)
    scale = ReturnScale(config.gamma)

    def maker(number: int, decisions: int) -> Callable[[], gym.Env[Any, Any]]:
        return lambda: TrainingControlEnv(
            tasks[number :: len(LENGTHS)],
            CONTROLLED,
            decisions,
            flat=kind == "dqn",
            random_start=True,
            masking=True,
            scale=scale,
        )

    makers = [maker(n, decisions) for n, decisions in enumerate(LENGTHS) if n < len(tasks)]
    learner = Learner(kind, makers, config, seed, scale)
    kept = {k: v for k, v in brain.learner.items() if not k.startswith(("buffer/", "last_"))}
    learner.restore(replace(brain, learner=kept))
    return learner


def gains(
    policy: FrozenPolicy | None, env: gym.Env[Any, Any], resets: Sequence[dict[str, Any]]
) -> np.ndarray:
    """Return log(first validation loss / last) of trainings, clipped to [-1, 5], float64 [resets].

    Args:
        policy: Decides greedily; None keeps everything.
        env: A `TrainingControlEnv`.
        resets: Arguments of `env.reset` for each training.
    """
    controls: ControlSet = env.unwrapped.controls  # type: ignore[attr-defined]
    keep = 0 if controls.flat else np.array(controls.keep())
    found = np.empty(len(resets))
    for number, reset in enumerate(resets):
        observation, info = env.reset(**reset)
        first, ended, terminated = info["validation_loss"], False, False
        while not ended:
            action = keep if policy is None else policy.act(observation)
            observation, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
        ratio = first / max(info["validation_loss"], 1e-8)
        found[number] = -1.0 if terminated else min(max(math.log(ratio), -1.0), 5.0)
    return found


def simulated_gains(
    policy: FrozenPolicy | None, count: int, seed: int = 0, flat: bool = False
) -> np.ndarray:
    """Return the gains of simulated trainings, the same ones for every policy, float64 [count].

    Args:
        policy: Decides greedily; None keeps everything.
        count: Trainings.
        seed: Which ones; agents learn from others.
        flat: Form of the actions.
    """
    trainings = SimulatedTrainings(CONTROLLED, count, flat=flat)
    observations = trainings.reset(derived_seed(seed, "simulated check"))
    keep = 0 if flat else np.array(trainings.controls.keep())
    found = np.full(count, np.nan)
    while np.isnan(found).any():
        actions = np.tile(keep, (count, 1)) if policy is None else policy.best(observations)
        told = trainings.step(actions)
        observations = told.observations
        found = np.where(np.isnan(found), told.gains, found)
    return found


def real_resets(tasks: int, starts: int) -> list[dict[str, Any]]:
    """Return trainings of each task: from its own start, then from drawn learning rates."""
    seeds = [derived_seed(0, "real check", number) for number in range(tasks * starts)]
    return [
        {"seed": seed, "options": {"task": number % tasks, "seed": seed}}
        for number, seed in enumerate(seeds)
    ]


@dataclass(frozen=True)
class Round:
    """How far meta-training is.

    Attributes:
        stage: Such as "ppo simulated".
        done: Simulated decisions or real trainings so far.
        total: In the end.
        gain: Mean log(first / last validation loss) on checks, in nats.
        still: The same when everything is kept as it is.
    """

    stage: str
    done: int
    total: int
    gain: float
    still: float


def _say(now: Round) -> None:
    print(
        f"{now.stage} {now.done}: gain {now.gain:.3f}, kept as it is {now.still:.3f}",
        file=sys.stderr,
        flush=True,
    )


OnRound = Callable[[Round], None]


def _go_on(learner: Learner, folder: Path) -> None:
    """Go on from a folder's brain.

    Raises:
        UsageError: It was begun with other settings.
    """
    brain = brains.load(folder, learner.schema)
    if brain.state["config"] != as_read_back(asdict(learner.config)):
        raise UsageError(
            f"expected the settings that the brain in {folder} was begun with, received others: "
            "give the --preset of before, or name another --out"
        )
    learner.restore(brain)


def learn_simulated(
    kind: str,
    decisions: int,
    seed: int,
    out: Path,
    on_round: OnRound = _say,
    preset: str = OURS,
) -> Brain:
    """Train on simulated trainings, going on from what is in `out`; return the best generation."""
    learner = untrained(kind, seed, preset)
    flat = kind == "dqn"
    still = float(simulated_gains(None, CHECKED, flat=flat).mean())
    if brains.exists(out):
        _go_on(learner, out)
        learner.model.env.seed(derived_seed(seed, "simulated", learner.steps))  # other problems
    while learner.steps < decisions:
        learner.learn(min(PARTS[kind], decisions - learner.steps))
        score = float(simulated_gains(learner.policy(), CHECKED, flat=flat).mean())
        brains.save(out, learner.brain(score))
        on_round(Round(f"{kind} simulated", learner.steps, decisions, score, still))
    return brains.load(out / brains.BEST)


def learn_real(
    brain: Brain,
    episodes: int,
    problems: int,
    seed: int,
    out: Path,
    on_round: OnRound = _say,
    preset: str = OURS,
) -> Brain:
    """Go on with real trainings; return the generation that does best on meta-validation."""
    from training_control.env import TrainingControlEnv
    from training_control.tasks.instances import instances

    tasks = [instance.task() for instance in instances("meta-train", problems)]
    checks = [instance.task() for instance in instances("meta-validation", CHECKS[0])]
    env = TrainingControlEnv(
        checks, CONTROLLED, DECISIONS, flat=brain.kind == "dqn", random_start=True
    )
    resets = real_resets(*CHECKS)
    still = float(gains(None, env, resets).mean())
    learner = on_real_trainings(brain, tasks, seed, preset)
    if brains.exists(out):
        _go_on(learner, out)
    start = brain.state["counters"]["num_timesteps"]
    done = round((learner.steps - start) / DECISIONS)
    while True:
        score = float(gains(learner.policy(), env, resets).mean())
        brains.save(out, learner.brain(score))
        on_round(Round(f"{brain.kind} real", done, episodes, score, still))
        if done >= episodes:
            return brains.load(out / brains.BEST)
        learner.learn(ROUND * DECISIONS)
        done += ROUND


def measure(brain: Brain, tasks: int, starts: int, split: str = "held-out") -> dict[str, Any]:
    """Compare a brain with itself untrained and with always keeping.

    Args:
        brain: Of an agent that has learned on instances of the split meta-train.
        tasks: Instances, at least 1.
        starts: Trainings of each, at least 1.
        split: Of the instances.

    Returns:
        Mean gains, and the mean differences with 95 % bootstrap intervals over trainings.
    """
    from training_control.env import TrainingControlEnv
    from training_control.tasks.instances import instances

    held = [instance.task() for instance in instances(split, tasks)]
    flat = brain.kind == "dqn"
    env = TrainingControlEnv(held, CONTROLLED, DECISIONS, flat=flat, random_start=True)
    resets = real_resets(len(held), starts)
    policies = {
        "brain": FrozenPolicy.restored(brain.config, brain.policy),
        "untrained": untrained(brain.kind, 0).policy(),
        "always keep": None,
    }
    found = {name: gains(policy, env, resets) for name, policy in policies.items()}
    means = {name: float(values.mean()) for name, values in found.items()}
    against = {name: _interval(found["brain"] - found[name]) for name in found if name != "brain"}
    return {"trainings": len(resets), "gain": means, "brain minus": against}


def _interval(differences: np.ndarray) -> dict[str, float]:
    rng = generator(0, "bootstrap")
    draws = rng.integers(len(differences), size=(5000, len(differences)))
    low, high = np.quantile(differences[draws].mean(1), (0.025, 0.975))
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}


def main() -> None:
    """Print how a brain does on real trainings that it has not seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--brain", default="default", help="default, or a brain's folder")
    parser.add_argument("--tasks", type=int, default=6, help="of the split")
    parser.add_argument("--starts", type=int, default=5, help="of each task")
    parser.add_argument("--split", choices=("held-out", "meta-validation"), default="held-out")
    given = parser.parse_args()
    brain = open_brain(given.brain)
    print(json.dumps(measure(brain, given.tasks, given.starts, given.split), indent=2))


if __name__ == "__main__":
    main()
