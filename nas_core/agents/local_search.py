"""Local search: up to the first better neighbour, and a new start where there is none.

A neighbour differs in one decision (White et al. 2021, "Exploring the loss landscape in NAS", in
the variant that moves at the first improvement).
"""

from collections.abc import Sequence
from typing import Any

from nas_core.agent import Proposal, Scored
from nas_core.agents.mutation import Change, changed, changes
from nas_core.registry import AgentEntry
from nas_core.seeding import generator
from nas_core.space import SearchSpace, sample, spec_of


class LocalSearch:
    """Hill climbing with restarts. Every draw belongs to a trial."""

    name = "local-search"
    batch = 1

    def __init__(self, space: SearchSpace[Any], seed: int, lag: int = 1) -> None:
        """Start nowhere.

        Args:
            space: Where the decisions are made.
            seed: Seed of starts and of the order in which neighbours are tried.
            lag: Proposals in flight when the next is made, at least 1.
        """
        self.lag = lag
        self._space = space
        self._seed = seed
        self._proposed = 0
        self._centre: tuple[int, ...] = ()
        self._height = float("-inf")  # the centre's reward
        self._untried: list[Change] = []  # changes of the centre, the next one last
        self._starts: set[int] = set()  # new starts in flight

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` proposals: the centre's next neighbours, or a new start after the last."""
        first, self._proposed = self._proposed, self._proposed + n
        return [self._propose(trial) for trial in range(first, first + n)]

    def _propose(self, trial: int) -> Proposal:
        rng = generator(self._seed, "local search", trial)
        if self._untried:
            actions = changed(self._space, self._centre, self._untried.pop(), rng)
        else:
            actions = sample(self._space, rng)
            self._starts.add(trial)
        return Proposal(trial, spec_of(self._space, actions), actions)

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Move to what is better than the centre, or to a new start once all else is tried."""
        for item in scored:
            trial = item.proposal.trial
            restart = trial in self._starts and not self._untried
            self._starts.discard(trial)
            if restart or item.reward > self._height:
                self._move(trial, item.proposal.actions, item.reward)
        return {"centre": self._height, "untried": float(len(self._untried))}

    def _move(self, trial: int, actions: tuple[int, ...], reward: float) -> None:
        self._centre, self._height = actions, reward
        found = changes(self._space, actions)
        order = generator(self._seed, "local search order", trial).permutation(len(found))
        self._untried = [found[place] for place in order.tolist()]

    def state(self) -> dict[str, Any]:
        """Return where the search stands; before the first result there is no height."""
        return {
            "proposed": self._proposed,
            "centre": list(self._centre),
            "height": self._height if self._centre else None,
            "untried": [list(change) for change in self._untried],
            "starts": sorted(self._starts),
        }

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state`."""
        self._proposed = int(state["proposed"])
        self._centre = tuple(int(action) for action in state["centre"])
        self._height = float("-inf") if state["height"] is None else float(state["height"])
        self._untried = [(int(place), int(action)) for place, action in state["untried"]]
        self._starts = {int(trial) for trial in state["starts"]}


ENTRY = AgentEntry(
    build=lambda space, seed, trials, preset: LocalSearch(
        space, seed, lag=1 if preset == "table" else 4
    )
)
