"""The agent under examination: how it is made, and what it does on a small problem."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.agent import Agent, Proposal, Scored
from nas_core.doctor.problems import Problem
from nas_core.errors import UsageError
from nas_core.registry import AgentEntry, agent_entry
from nas_core.space import SearchSpace
from nas_core.trainer.base import Result, Status
from nas_core.trainer.base import failed as failed_result

Make = Callable[[SearchSpace[Any], int, int], Agent]


@dataclass(frozen=True)
class Subject:
    """An agent to be examined.

    Attributes:
        name: As typed.
        make: (space, seed, trials) -> a fresh agent.
        learns: False for a control, which is not expected to.
    """

    name: str
    make: Make
    learns: bool = True


def subject(name: str) -> Subject:
    """Return a registered agent, or a class of the caller's own as ``module:Class``.

    Raises:
        UsageError: There is none of that name.
    """
    if ":" in name:
        return Subject(name, _own(name))
    entry: AgentEntry = agent_entry(name)
    return Subject(
        name, lambda space, seed, trials: entry.build(space, seed, trials, "quick"), entry.learns
    )


def _own(name: str) -> Make:
    """Return a maker from `module:Class`, called with (space, seed[, trials[, preset]])."""
    module_name, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:  # as `python -m` would
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        signature = inspect.signature(found)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UsageError(f"expected module:Class of an agent, received {name} ({line})") from error
    wanted = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if not 2 <= len(wanted) <= 4:
        raise UsageError(
            f"expected {name} to take (space, seed), or (space, seed, trials, preset), received "
            f"{signature}"
        )

    def make(space: SearchSpace[Any], seed: int, trials: int) -> Agent:
        given = (space, seed, trials, "quick")[: len(wanted)]
        agent: Agent = found(*given)
        return agent

    return make


def scored(proposal: Proposal, score: float | None) -> Scored:
    """Return a proposal's outcome; None is a failed child with a penalty of 0."""
    if score is None:
        return Scored(proposal, 0.0, failed_result(Status.ERROR, "planted failure"))
    return Scored(proposal, score, Result(Status.OK, score))


def play(agent: Agent, problem: Problem, trials: int, in_flight: int = 1) -> list[Proposal]:
    """Let an agent search, in whole groups as the loop would, and return its proposals.

    Args:
        agent: Fresh.
        problem: What it searches.
        trials: Proposals in all.
        in_flight: Groups proposed before the first of them is observed.
    """
    proposals: list[Proposal] = []
    groups: list[Sequence[Proposal]] = []
    while len(proposals) < trials or groups:
        while len(proposals) < trials and len(groups) < in_flight:
            group = agent.suggest(min(agent.batch, trials - len(proposals)))
            groups.append(group)
            proposals += group
        agent.observe([scored(item, problem.score(item.actions)) for item in groups.pop(0)])
    return proposals
