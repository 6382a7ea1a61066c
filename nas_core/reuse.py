"""Results of earlier runs, for agents that can learn from them (`nas search --reuse RUN`)."""

from pathlib import Path
from typing import Any

from nas_core.agent import Agent, Known, Reuses
from nas_core.errors import SpecError, UsageError
from nas_core.space import SearchSpace
from nas_core.store import RunStore, TrialRow


def reuse(agent: Agent, space: SearchSpace[Any], run: Path) -> None:
    """Tell a fresh agent what a run found, whichever agent it was searched by.

    Architectures outside the space are left out. Rewards are those of that run: they help where
    its training was about as long as this one's.

    Raises:
        UsageError: The agent does not learn from others, or nothing of the run fits the space.
        RunError: There is no such run.
    """
    if not isinstance(agent, Reuses):
        raise UsageError(
            f"expected --reuse with an agent that has a model of the reward, received "
            f"{agent.name}: use --agent reinforce-model or metaqnn-model"
        )
    with RunStore.open(run) as store:
        known = [item for row in store.trials() if (item := _known(space, row)) is not None]
    if not known:
        raise UsageError(
            f"expected --reuse of a run with results in the space {space.name}, found none in "
            f"{run}: name another run"
        )
    agent.reuse(known)


def _known(space: SearchSpace[Any], row: TrialRow) -> Known | None:
    """Return a trial's decisions in this space and its reward; None where it has none."""
    if row.reward is None or row.credited_from is not None:
        return None
    try:
        return space.encode(row.spec), row.reward
    except SpecError:
        return None
