"""Regularised evolution (Real et al. 2019, Algorithm 1): the oldest dies, however good it is."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas_core.agent import Proposal, Scored
from nas_core.agents.mutation import mutated
from nas_core.errors import UsageError
from nas_core.registry import AgentEntry
from nas_core.seeding import generator
from nas_core.space import SearchSpace, sample, spec_of


@dataclass(frozen=True)
class EvolutionConfig:
    """How the population lives.

    Attributes:
        population: Architectures alive, at least 1; so many are drawn at random first.
        tournament: Of these drawn with replacement, the best one is mutated; at least 1.
        lag: Proposals in flight when the next is made, at least 1.
    """

    population: int = 100
    tournament: int = 25
    lag: int = 1

    def __post_init__(self) -> None:
        if min(self.population, self.tournament, self.lag) < 1:
            raise UsageError(
                f"expected a population, a tournament and a lag of 1 or more, received {self}"
            )


PAPER = EvolutionConfig()
TABLE = EvolutionConfig(population=10, tournament=3)  # Dong & Yang 2020, for NAS-Bench-201
QUICK = EvolutionConfig(population=10, tournament=3, lag=4)


class Evolution:
    """Tournament selection and one mutation; children replace the oldest."""

    name = "evolution"
    batch = 1

    def __init__(self, space: SearchSpace[Any], seed: int, config: EvolutionConfig = PAPER) -> None:
        """Start with nobody.

        Args:
            space: Where the decisions are made.
            seed: Seed of every draw.
            config: Sizes.
        """
        self.lag = config.lag
        self._space = space
        self._seed = seed
        self._config = config
        self._alive: deque[tuple[tuple[int, ...], float]] = deque(maxlen=config.population)
        self._proposed = 0

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` proposals: random ones until the population is full, then children."""
        first, self._proposed = self._proposed, self._proposed + n
        return [self._propose(trial) for trial in range(first, first + n)]

    def _propose(self, trial: int) -> Proposal:
        rng = generator(self._seed, "evolution", trial)
        if trial < self._config.population or not self._alive:
            actions = sample(self._space, rng)
        else:
            drawn = rng.integers(len(self._alive), size=self._config.tournament).tolist()
            parent, _ = max((self._alive[place] for place in drawn), key=lambda item: item[1])
            actions = mutated(self._space, parent, rng)
        return Proposal(trial, spec_of(self._space, actions), actions)

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Let the newcomers in, the oldest out."""
        self._alive.extend((item.proposal.actions, item.reward) for item in scored)
        rewards = [reward for _, reward in self._alive]
        return {"best alive": max(rewards), "mean alive": sum(rewards) / len(rewards)}

    def state(self) -> dict[str, Any]:
        """Return the number of proposals; the population follows from what was observed."""
        return {"proposed": self._proposed}

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state` after `observed`."""
        self._proposed = int(state["proposed"])
        self._alive.clear()
        self._alive.extend((item.proposal.actions, item.reward) for item in observed)


PRESETS = {"paper": PAPER, "table": TABLE}
ENTRY = AgentEntry(
    build=lambda space, seed, trials, preset: Evolution(space, seed, PRESETS.get(preset, QUICK))
)
