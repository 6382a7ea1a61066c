"""What an agent is: it proposes architectures and learns from their scores; nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from nas_core.spec import Spec
from nas_core.trainer.base import Result

UNIFORM = "uniform"  # a metric: 1 while rewards say nothing, so that proposals are uniform


@dataclass(frozen=True)
class Proposal:
    """One architecture to be scored.

    Attributes:
        trial: Number of the trial, from 0, in the order of proposing.
        spec: The architecture.
        actions: The decisions that led to it, legal in the agent's space.
        epsilon: Probability of a random decision when it was made; None for other agents.
    """

    trial: int
    spec: Spec
    actions: tuple[int, ...]
    epsilon: float | None = None


@dataclass(frozen=True)
class Scored:
    """A proposal with its outcome.

    Attributes:
        proposal: What was proposed.
        reward: The score, or the configured penalty of a failed trial; always finite.
        result: The trainer's whole answer, with its typed status.
        fresh: False where an earlier result of the same architecture was credited.
    """

    proposal: Proposal
    reward: float
    result: Result
    fresh: bool = field(default=True)


@dataclass(frozen=True)
class Preference:
    """What an agent thinks of one decision, given the decisions before it.

    Attributes:
        decision: Its name, as the space calls it.
        options: (option, probability) of each legal one, the likeliest first; they sum to 1.
        entropy: Of these probabilities, in nats: 0 where there is no doubt left.
    """

    decision: str
    options: tuple[tuple[str, float], ...]
    entropy: float


@runtime_checkable
class Explains(Protocol):
    """An agent that can say what it prefers now."""

    def preferences(self) -> list[Preference]:
        """Return every decision in order, each given the likeliest option at those before it."""


Known = tuple[tuple[int, ...], float]  # decisions of an architecture, and a reward that it had


@runtime_checkable
class Reuses(Protocol):
    """An agent that learns from what others found in the same space."""

    def reuse(self, known: Sequence[Known]) -> None:
        """Take results of earlier runs, in order; once, before anything else.

        They count for no budget, and `state` holds them.
        """


@runtime_checkable
class Recommends(Protocol):
    """An agent that knows better than the highest score which of its architectures is the best."""

    def recommend(self) -> int | None:
        """Return the trial of an observed architecture with a score; None before there is one."""


@runtime_checkable
class Agent(Protocol):
    """Proposes and learns. One thread at a time.

    The search loop asks for proposals in groups of `batch` and hands back whole groups in the
    order of proposing. Group g is asked for once group g - `lag` has been observed, however many
    workers there are, so a run is the same for any number of workers. Repeated architectures
    are observed too, with the credited result; failed trials come with their status and penalty.
    An asynchronous search asks for one proposal whenever a worker is free and hands back the
    `batch` trials that finished first, in that order; `lag` then has no meaning.

    Attributes:
        name: As typed on the command line.
        batch: Proposals per group, at least 1.
        lag: Groups between a proposal and the knowledge that it was made with, at least 1.
    """

    name: str
    batch: int
    lag: int

    def suggest(self, n: int) -> list[Proposal]:
        """Return the next `n` proposals. Learns nothing; draws from (seed, purpose, trial)."""

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Learn from one group, in order; return what may be logged (loss, baseline, ...)."""

    def state(self) -> dict[str, Any]:
        """Return as JSON values all that `observed` cannot rebuild."""

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state` after it had observed `observed`, in order."""
