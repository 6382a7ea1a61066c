"""Uniform random search over legal decisions: the control that every agent must beat."""

from collections.abc import Sequence
from typing import Any

from nas_core.agent import Proposal, Scored
from nas_core.registry import AgentEntry
from nas_core.seeding import generator
from nas_core.space import SearchSpace, sample, spec_of


class RandomSearch:
    """Draws every decision uniformly among the legal ones and learns nothing.

    Note:
        Uniform over decisions is not uniform over architectures: short networks are likelier
        where an early end is one action among few.
    """

    name = "random"
    batch = 1
    lag = 16  # knows nothing, so any number of workers may be kept busy

    def __init__(self, space: SearchSpace[Any], seed: int) -> None:
        """Draw from `space` with a generator per trial, derived from `seed`."""
        self._space = space
        self._seed = seed
        self._proposed = 0

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` random proposals."""
        first, self._proposed = self._proposed, self._proposed + n
        return [self._draw(trial) for trial in range(first, first + n)]

    def _draw(self, trial: int) -> Proposal:
        actions = sample(self._space, generator(self._seed, "random", trial))
        return Proposal(trial, spec_of(self._space, actions), actions)

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Ignore the scores."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return the number of proposals made."""
        return {"proposed": self._proposed}

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Go on after the proposals made so far."""
        self._proposed = int(state["proposed"])


ENTRY = AgentEntry(
    build=lambda space, seed, trials, preset: RandomSearch(space, seed), learns=False
)
