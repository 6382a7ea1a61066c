"""Make a brain of record: simulated trainings, then real ones, resumable; what it cost is kept.

OUT/manifest.json, policy-*.npz    the frozen brain: the best on the meta-validation split
OUT/learning/                      what learning goes on from
OUT/cost.json                      seconds so far
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas_core.errors import RunError, UsageError
from nas_core.files import read_json, write_json
from training_control import brain as brains
from training_control.agents import KINDS
from training_control.brain import Brain
from training_control.meta_training import AGENT_PRESETS, OURS, Round, learn_real, learn_simulated

COST, LEARNING = "cost.json", "learning"


@dataclass(frozen=True)
class Plan:
    """What a brain is made of.

    Attributes:
        agent: "ppo" or "dqn".
        simulated: Simulated decisions.
        episodes: Real trainings on generated tasks; 0 for none.
        problems: Problems of the meta-training split that they are drawn from.
        seed: Of everything random.
        preset: Settings of the agent: "ours", or "paper" as published.

    Raises:
        UsageError: On construction, for a value that cannot be.
    """

    agent: str = "ppo"
    simulated: int = 2_097_152
    episodes: int = 0
    problems: int = 24
    seed: int = 0
    preset: str = OURS

    def __post_init__(self) -> None:
        if self.agent not in KINDS:
            raise UsageError(f"expected an agent among {', '.join(KINDS)}, received {self.agent!r}")
        if self.preset not in AGENT_PRESETS:
            raise UsageError(
                f"expected --preset {' or '.join(AGENT_PRESETS)}, received {self.preset!r}"
            )
        limits = {"simulated": 1, "episodes": 0, "problems": 1, "seed": 0}
        for name, least in limits.items():
            if getattr(self, name) < least:
                raise UsageError(
                    f"expected --{name} of {least} or more, received {getattr(self, name)}"
                )


def make_brain(plan: Plan, out: Path, on_round: Callable[[Round], None]) -> Brain:
    """Train a brain into a folder, going on from what an earlier call has left there.

    Args:
        plan: What it is made of; larger numbers than before go on.
        out: Its folder.
        on_round: Called after each round of learning.

    Returns:
        The frozen brain, with its score on meta-validation.

    Raises:
        UsageError: The extra `control` is missing, or `out` is no folder.
        RunError: The folder holds something else.
    """
    above = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not above.is_dir():
        raise UsageError(
            f"expected a folder for the brain, received {out}, and {above} is a file: name "
            "another with --out"
        )
    learning = out / LEARNING
    clock = _Clock(out)

    def counted(now: Round) -> None:
        clock.save()
        on_round(now)

    brain = learn_simulated(
        plan.agent, plan.simulated, plan.seed, learning / "simulated", counted, plan.preset
    )
    if plan.episodes > 0:
        folder = learning / "real"
        brain = learn_real(
            brain, plan.episodes, plan.problems, plan.seed, folder, counted, plan.preset
        )
    clock.save()
    return brains.save(out, brains.frozen(brain))


def seconds_of(folder: Path) -> float | None:
    """Return what a brain's meta-training has taken; None if nobody has measured it."""
    try:
        return float(read_json(folder / COST)["seconds"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"expected seconds in {folder / COST}, received {error}: delete the file"
        ) from error


class _Clock:
    """Seconds of all calls together, on disk."""

    def __init__(self, out: Path) -> None:
        self._path, self._started = out / COST, time.monotonic()
        known = seconds_of(out)
        self._before = 0.0 if known is None else known

    def save(self) -> None:
        passed = time.monotonic() - self._started
        write_json(self._path, {"seconds": self._before + passed})
