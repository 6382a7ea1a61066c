"""The MetaQNN agent: epsilon-greedy proposals, Q-learning from replayed networks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from metaqnn.config import PAPER_SCHEDULE, QUICK_SHARES, TABLE_SHARES, LearnerConfig
from metaqnn.epsilon import epsilon_at, epsilon_greedy, scaled_schedule
from metaqnn.q_learning import QTable, update_sequence
from metaqnn.replay import Experience, ReplayMemory
from nas_core.agent import Proposal, Scored
from nas_core.registry import AgentEntry
from nas_core.seeding import generator
from nas_core.space import SearchSpace

QUICK = LearnerConfig(alpha=0.1, by_unique=False)
TABLE = replace(QUICK, alpha=0.5)
PAPER = LearnerConfig(schedule=PAPER_SCHEDULE)


class MetaQNN:
    """Tabular Q-learning over any space's `key`."""

    name = "metaqnn"
    batch = 1

    def __init__(self, space: SearchSpace[Any], seed: int, config: LearnerConfig = PAPER) -> None:
        """Start with an empty table.

        Args:
            space: Where the decisions are made.
            seed: Seed of exploration and of replay.
            config: Learning rates and schedule.
        """
        self.lag = config.lag
        self._space = space
        self._seed = seed
        self._config = config
        self._table = QTable(space.n_actions, config.initial_q)
        self._memory = ReplayMemory()
        self._unique: set[str] = set()
        self._proposed = 0

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` epsilon-greedy proposals."""
        first, self._proposed = self._proposed, self._proposed + n
        return [self._walk(trial) for trial in range(first, first + n)]

    def epsilon(self, trial: int) -> float:
        """Return the exploration of a trial: by unique models met, or by its number."""
        count = len(self._unique) if self._config.by_unique else trial
        return epsilon_at(self._config.schedule, count)

    def _walk(self, trial: int) -> Proposal:
        rng = generator(self._seed, "metaqnn walk", trial)
        epsilon = self.epsilon(trial)
        state, actions = self._space.initial(), []
        while not self._space.is_terminal(state):
            values = self._table.values(self._space.key(state))
            actions.append(epsilon_greedy(values, self._space.legal(state), epsilon, rng))
            state = self._space.step(state, actions[-1])
        return Proposal(trial, self._space.spec(state), tuple(actions), epsilon)

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Remember each network and replay stored ones (Algorithm 1)."""
        alpha, gamma = self._config.alpha, self._config.gamma
        for item in scored:
            self._remember(item)
            rng = generator(self._seed, "metaqnn replay", item.proposal.trial)
            for experience in self._memory.draw(self._config.replay, rng):
                update_sequence(experience.steps, experience.reward, alpha, gamma)
        return {"states": float(len(self._table)), "unique": float(len(self._unique))}

    def _remember(self, item: Scored) -> None:
        steps, state = [], self._space.initial()
        for action in item.proposal.actions:
            row = self._table.row(self._space.key(state), self._space.legal(state))
            steps.append((row, action))
            state = self._space.step(state, action)
        self._memory.append(Experience(tuple(reversed(steps)), item.reward))
        self._unique.add(item.proposal.spec.digest)

    def state(self) -> dict[str, Any]:
        """Return the Q-table; memory and unique models follow from the observed trials."""
        table = [[key, list(values.items())] for key, values in self._table.items()]
        return {"proposed": self._proposed, "q": table}

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state` after `observed`."""
        self._proposed = int(state["proposed"])
        for key, values in state["q"]:
            self._table.load(hashable(key), {int(action): float(q) for action, q in values})
        for item in observed:
            self._remember(item)


def hashable(key: Any) -> Any:
    """Return a state key as it was before JSON turned its tuples into lists."""
    return tuple(hashable(part) for part in key) if isinstance(key, list) else key


def build(space: SearchSpace[Any], seed: int, trials: int, preset: str) -> MetaQNN:
    """Return the agent of a preset; all but `paper` scale their schedule to the trials."""
    if preset == "paper":
        return MetaQNN(space, seed, PAPER)
    config, shares = (TABLE, TABLE_SHARES) if preset == "table" else (QUICK, QUICK_SHARES)
    return MetaQNN(space, seed, replace(config, schedule=scaled_schedule(shares, trials)))


ENTRY = AgentEntry(build=build)
