"""From a name that a user types to an agent: one that ships, or one in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nas_core.errors import UsageError
from training_control import brain as brains
from training_control.agents import KINDS
from training_control.comparison.methods import BASELINES, Agent, replay_name
from training_control.making import seconds_of
from training_control.meta_training import untrained
from training_control.policy import FrozenPolicy
from training_control.steering import BRAINS, open_brain

UNTRAINED = "-untrained"


def find(name: str, folders: Mapping[str, str]) -> Agent:
    """Return an agent.

    Args:
        name: "default", "ppo", "dqn", or a name in `folders`.
        folders: Brains of one's own, by name.

    Raises:
        UsageError: An unknown name.
        RunError: The brain is missing, damaged or has another schema.
    """
    folder = Path(folders[name]) if name in folders else shipped(name)
    if folder is None:
        raise UsageError(
            f"expected agents among default, {', '.join(KINDS)}, or NAME=FOLDER of a brain, "
            f"received {name!r}"
        )
    brain = open_brain(brains.load(folder))
    return Agent.of(name, brain, seconds_of(folder))


def check_apart(names: Sequence[str]) -> None:
    """Refuse agents that could not be told from each other or from a baseline.

    Args:
        names: Of agents, as typed.

    Raises:
        UsageError: A name occurs twice, counting those of baselines, replays and untrained twins.
    """
    seen = set(BASELINES)
    for name in names:
        mine = {name, name + UNTRAINED, replay_name(name)}
        if seen & mine:
            raise UsageError(
                "expected agents with names of their own, received "
                f"{', '.join(names)}, where {min(seen & mine)} occurs twice: leave one out, or "
                "call a brain otherwise with NAME=FOLDER"
            )
        seen |= mine


def shipped(name: str) -> Path | None:
    """Return the folder of a brain that comes with the package; None if there is none.

    A kind of agent is also found in the default brain, if that is of this kind.
    """
    own, default = BRAINS / name, BRAINS / "default"
    if name == Path(name).name and brains.exists(own):
        return own
    if name in KINDS and brains.exists(default) and brains.load(default).kind == name:
        return default
    return None


def untrained_twin(agent: Agent) -> Agent:
    """Return the same agent before it has learned anything.

    Raises:
        UsageError: Stable-Baselines3 is missing.
    """
    kind = "dqn" if agent.policy.head == "values" else "ppo"
    try:
        policy: FrozenPolicy = untrained(kind, 0).policy()
    except UsageError as error:
        raise UsageError(f"{error}, or compare with --no-untrained") from error
    if policy.sizes != agent.policy.sizes:
        raise UsageError(
            f"expected the controls of the usual meta-training, received others of {agent.name}: "
            "compare with --no-untrained"
        )
    return replace(agent, name=agent.name + UNTRAINED, policy=policy, meta_training={})
