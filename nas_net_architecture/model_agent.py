"""`reinforce-model`: policies trained on imagined architectures, corrected by real children.

Every proposal is drawn from a policy of its own, which REINFORCE has trained on one function drawn
from the reward model's posterior (Thompson 1933; see `nas_core.reward_model`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_core.agent import Known, Preference, Proposal, Scored
from nas_core.agents.mutation import mutated
from nas_core.registry import AgentEntry
from nas_core.reward_model.observed import Observed
from nas_core.reward_model.quadratic import Quadratic
from nas_core.seeding import generator
from nas_core.space import SearchSpace, spec_of
from nas_core.tree import Tree
from nas_net_architecture.controller import Policy
from nas_net_architecture.decisions import Curriculum, Sequences, narrowed
from nas_net_architecture.explain import preferences
from nas_net_architecture.imagination import draw, trained
from nas_net_architecture.model_config import QUICK, TABLE, ModelAgentConfig

Actions = tuple[int, ...]
PARENTS = 10  # architectures whose mutations the argmax considers


class ReinforceModel:
    """Model-based policy search over any search space."""

    name = "reinforce-model"
    batch = 1

    def __init__(
        self, space: SearchSpace[Any], seed: int, config: ModelAgentConfig = TABLE
    ) -> None:
        """Start with nothing known.

        Args:
            space: Where the decisions are made.
            seed: Seed of every draw.
            config: Model, imagined training and proposals.
        """
        self.lag = config.lag
        self._space = space
        self._seed = seed
        self._config = config
        self._observed = Observed(space, config.model)
        self._everywhere = Tree(space)

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` proposals, each from a policy trained on a posterior sample of its own."""
        first = self._observed.proposed
        return [self._propose(trial) for trial in range(first, first + n)]

    def _propose(self, trial: int) -> Proposal:
        rng = generator(self._seed, "reinforce-model", trial)
        actions = self._decide(trial, rng)
        return self._observed.propose(Proposal(trial, spec_of(self._space, actions), actions))

    def _decide(self, trial: int, rng: np.random.Generator) -> Actions:
        tree, model, count = self._tree(trial), self._observed.model, 1 + self._config.redraws
        if self._observed.known < self._config.start or model.knows_nothing:
            return self._observed.first_new([tree.uniform(rng) for _ in range(count)], rng)
        posterior = model.posterior()
        function = posterior.sample(rng) if self._config.uncertain else posterior.mean()
        if self._config.proposer == "argmax":
            return self._best_candidate(function, rng, tree)
        policy = self._policy(function, rng, tree)
        drawn = draw(policy, self._space, count, rng, tree).sequences
        return self._observed.first_new([drawn.decisions(i) for i in range(count)], rng)

    def _tree(self, trial: int) -> Tree:
        if isinstance(self._space, Curriculum) and self._space.narrows:
            return narrowed(self._space, trial)
        return self._everywhere

    def _policy(self, function: Quadratic, rng: np.random.Generator, tree: Tree) -> Policy:
        """Return a policy trained on architectures that `function` scores."""
        encoder = self._observed.encoder

        def score(imagined: Sequences) -> np.ndarray:
            return function.values(encoder.batch(imagined.actions, imagined.made, imagined.sizes))

        config = self._config
        return trained(self._space, config.learner, config.updates, score, rng, tree)

    def _best_candidate(self, function: Quadratic, rng: np.random.Generator, tree: Tree) -> Actions:
        """Return the best of random architectures and of mutations of the best observed."""
        count = self._config.candidates // 2
        found = [tree.uniform(rng) for _ in range(count)]
        parents = [*self._observed.best()[:PARENTS], *found][:PARENTS]
        found += [mutated(self._space, parents[i % len(parents)], rng) for i in range(count)]
        values = function.values(self._observed.encoder.inputs(found))
        best = np.argsort(-values)[: 1 + self._config.redraws].tolist()
        return self._observed.first_new([found[place] for place in best], rng)

    def reuse(self, known: Sequence[Known]) -> None:
        """Learn from earlier runs."""
        self._observed.reuse(known)

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Tell the model. ``uniform`` is 1 while rewards say nothing, and proposals are random."""
        return self._observed.observe(scored)

    def recommend(self) -> int | None:
        """Return the trial of the best architecture by posterior mean; None before any score."""
        return self._observed.recommend()

    def preferences(self) -> list[Preference]:
        """Return what a policy trained on the posterior mean would decide next."""
        trial = self._observed.proposed
        rng, tree = generator(self._seed, "reinforce-model preferences", trial), self._tree(trial)
        if self._observed.model.knows_nothing:
            policy = trained(self._space, self._config.learner, 0, np.asarray, rng, tree)
        else:
            policy = self._policy(self._observed.model.posterior().mean(), rng, tree)
        return preferences(policy, self._space, trial)

    def state(self) -> dict[str, Any]:
        """Return what is in flight: all else follows from what was observed."""
        return self._observed.state()

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state` after `observed`."""
        self._observed.load_state(state, observed)


def build(space: SearchSpace[Any], seed: int, _trials: int, preset: str) -> ReinforceModel:
    """Return the agent of a preset: on tables one proposal at a time, else four in flight."""
    return ReinforceModel(space, seed, TABLE if preset == "table" else QUICK)


ENTRY = AgentEntry(build=build)
