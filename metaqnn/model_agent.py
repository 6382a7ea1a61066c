"""`metaqnn-model`: Q-learning that also learns from imagined networks (Dyna, Sutton 1990).

Real networks are replayed as ever. Between them the learner walks its own table; the networks that
it imagines are scored by one function drawn from the reward model's posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaqnn.agent import hashable
from metaqnn.epsilon import Schedule, epsilon_at, scaled_schedule
from metaqnn.imagination import Steps, imagined
from metaqnn.q_learning import QTable, Row, update_sequence
from nas_core.agent import Known, Proposal, Scored
from nas_core.errors import UsageError
from nas_core.registry import AgentEntry
from nas_core.reward_model.model import RANKED, ModelConfig
from nas_core.reward_model.observed import Observed
from nas_core.seeding import generator
from nas_core.space import SearchSpace, spec_of
from nas_core.tree import Tree

SHARES = ((1.0, 0.04), (0.05, 0.96))  # (epsilon, share of the proposals)
LOGISTIC = 1.702  # 1 / (1 + exp(-1.702 x)) is the normal distribution function within 0.01


@dataclass(frozen=True)
class ModelAgentConfig:
    """A Dyna learner; the defaults were chosen on NAS-Bench-Macro.

    Attributes:
        model: How rewards are modelled.
        alpha: Learning rate of Q, in (0, 1].
        replay: Real networks replayed after every new one.
        imagined: Networks imagined after every new one; 0 is plain Q-learning.
        imagined_epsilon: Exploration while imagining, in [0, 1].
        uncertain: Whether imagined networks are scored by a draw from the posterior; else by its
            mean.
        redraws: How often a proposal that was made before is drawn again.
        lag: Proposals in flight when the next is made, at least 1.
        schedule: (epsilon, proposals) phases of the real proposals.
    """

    model: ModelConfig = RANKED
    alpha: float = 0.2
    replay: int = 50
    imagined: int = 100
    imagined_epsilon: float = 0.3
    uncertain: bool = True
    redraws: int = 5
    lag: int = 1
    schedule: Schedule = ((1.0, 8), (0.05, 192))

    def __post_init__(self) -> None:
        counts = min(self.replay, self.imagined, self.redraws)
        shares = 0.0 < self.alpha <= 1.0 and 0.0 <= self.imagined_epsilon <= 1.0
        if not shares or counts < 0 or self.lag < 1:
            raise UsageError(
                "expected alpha in (0, 1], imagined_epsilon in [0, 1], replay, imagined and "
                f"redraws of 0 or more and lag of 1 or more, received {self}: correct the learner"
            )


DYNA = ModelAgentConfig()


class MetaQNNModel:
    """Tabular Q-learning over any space's `key`, from real and from imagined networks.

    Rewards are shares in (0, 1): about how many of the networks so far are worse.
    """

    name = "metaqnn-model"
    batch = 1

    def __init__(
        self,
        space: SearchSpace[Any],
        seed: int,
        config: ModelAgentConfig = DYNA,
    ) -> None:
        """Start with an empty table, its values the median's share.

        Args:
            space: Where the decisions are made.
            seed: Seed of every draw.
            config: Model, learner and schedule.
        """
        self.lag = config.lag
        self._space = space
        self._seed = seed
        self._config = config
        self._observed = Observed(space, config.model)
        self._tree = Tree(space)
        self._table = QTable(space.n_actions, 0.5)
        self._real: list[Steps] = []  # of each reward of the model

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` epsilon-greedy proposals."""
        first = self._observed.proposed
        return [self._propose(trial) for trial in range(first, first + n)]

    def _propose(self, trial: int) -> Proposal:
        rng = generator(self._seed, "metaqnn-model walk", trial)
        nothing = self._observed.model.knows_nothing
        epsilon = 1.0 if nothing else epsilon_at(self._config.schedule, self._observed.known)
        drawn = [self._walk(epsilon, rng) for _ in range(1 + self._config.redraws)]
        actions = self._observed.first_new(drawn, rng)
        spec = spec_of(self._space, actions)
        return self._observed.propose(Proposal(trial, spec, actions, epsilon))

    def _walk(self, epsilon: float, rng: np.random.Generator) -> tuple[int, ...]:
        """Decide with the table as it is, which a walk does not change."""
        node, actions = self._tree.root(), []
        while options := self._tree.options[node]:
            values = self._table.values(self._tree.key(node)).tolist()
            actions.append(_choice(values, options, epsilon, rng.random(2)))
            node = self._tree.child(node, actions[-1])
        return tuple(actions)

    def reuse(self, known: Sequence[Known]) -> None:
        """Learn from earlier runs: they are replayed like real networks of this one."""
        self._observed.reuse(known)
        self._remember()

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Tell the model of real networks, replay some, and learn from imagined ones."""
        metrics: dict[str, float] = {}
        for item in scored:
            metrics = self._observed.observe([item])
            self._remember()
            if not self._observed.model.knows_nothing:
                self._learn(generator(self._seed, "metaqnn-model learn", item.proposal.trial))
        return {**metrics, "states": float(len(self._table))}

    def _remember(self) -> None:
        """Keep the rows of what the model has taken up since the last time."""
        for actions in self._observed.model.sequences(len(self._real)):
            self._real.append(self._steps(actions))

    def _steps(self, actions: Sequence[int]) -> Steps:
        node, steps = self._tree.root(), []
        for action in actions:
            steps.append((self._row(node), action))
            node = self._tree.child(node, action)
        return steps[::-1]

    def _row(self, node: int) -> Row:
        return self._table.row(self._tree.key(node), self._tree.mask(node))

    def _learn(self, rng: np.random.Generator) -> None:
        """Replay real networks with what their rewards mean by now, then imagine others."""
        config, model = self._config, self._observed.model
        shares = _shares(model.targets()).tolist()
        for place in rng.integers(len(shares), size=config.replay).tolist():
            update_sequence(self._real[place], shares[place], config.alpha, 1.0)
        if config.imagined == 0:
            return
        posterior = model.posterior()
        function = posterior.sample(rng) if config.uncertain else posterior.mean()
        # All walks of a round begin from the same table, so that they are taken together.
        chances = rng.random((config.imagined, self._space.n_steps, 2))
        walk = self._tree.walk(config.imagined)
        walks = imagined(walk, self._table, config.imagined_epsilon, chances)
        inputs = self._observed.encoder.inputs(walks.actions, walks.sizes)
        shares = _shares(function.values(inputs)).tolist()
        for steps, share in zip(walks.rows(self._table), shares, strict=True):
            update_sequence(steps, share, config.alpha, 1.0)

    def recommend(self) -> int | None:
        """Return the trial of the best network by posterior mean; None before any score."""
        return self._observed.recommend()

    def state(self) -> dict[str, Any]:
        """Return the Q-table and what is in flight; all else follows from what was observed."""
        table = [[key, list(values.items())] for key, values in self._table.items()]
        return {**self._observed.state(), "q": table}

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state` after `observed`."""
        for key, values in state["q"]:
            self._table.load(hashable(key), {int(action): float(q) for action, q in values})
        self._observed.load_state(state, observed)
        self._remember()


def _choice(values: list[float], options: list[int], epsilon: float, chances: np.ndarray) -> int:
    """Return a random legal action with probability `epsilon`, else the best, ties at random.

    Args:
        values: Q of all actions.
        options: The legal ones.
        epsilon: In [0, 1].
        chances: Two random numbers in [0, 1).
    """
    if chances[0] >= epsilon:
        best = max(values[action] for action in options)
        options = [action for action in options if values[action] == best]
    return options[int(chances[1] * len(options))]


def _shares(targets: np.ndarray) -> np.ndarray:
    """Return the share in (0, 1) of networks that a normal score is above."""
    shares: np.ndarray = 1.0 / (1.0 + np.exp(-LOGISTIC * targets))
    return shares


def build(space: SearchSpace[Any], seed: int, trials: int, preset: str) -> MetaQNNModel:
    """Return the agent of a preset, its schedule scaled to the trials."""
    config = ModelAgentConfig(
        lag=1 if preset == "table" else 4, schedule=scaled_schedule(SHARES, trials)
    )
    return MetaQNNModel(space, seed, config)


ENTRY = AgentEntry(build=build)
