"""What model-based agents share: the model, what was scored, what is in flight."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_core.agent import UNIFORM, Known, Proposal, Scored
from nas_core.agents.mutation import mutated
from nas_core.reward_model.encoding import Actions, Encoder
from nas_core.reward_model.model import ModelConfig, RewardModel
from nas_core.space import SearchSpace

MOST_CHANGES = 20
EQUAL = 3


class Observed:
    """A reward model with the book-keeping around it.

    Attributes:
        encoder: Turns decisions into what the model sees.
        model: Of all rewards so far; failed children enter with their penalty.
        proposed: Number of proposals so far.
    """

    def __init__(self, space: SearchSpace[Any], config: ModelConfig) -> None:
        """Start with nothing observed.

        Args:
            space: Where the decisions are made.
            config: How rewards are modelled.
        """
        self.encoder = Encoder.of(space)
        self.model = RewardModel(self.encoder, config)
        self.proposed = 0
        self._reused: list[Known] = []
        self._flying: dict[int, Actions] = {}
        self._scored: dict[Actions, int] = {}  # architectures with a score: their first trial
        self._space = space
        self._rewards: dict[Actions, float] = {}  # the first of each architecture
        self._repeats_tell: bool | None = None  # None while too few were seen to say
        self._equal = 0  # repeats with the very same score

    def __contains__(self, actions: Actions) -> bool:
        """Return whether an architecture was proposed before, in this run."""
        return actions in self._rewards or actions in self._flying.values()

    @property
    def known(self) -> int:
        """Number of proposals so far, and of rewards from earlier runs."""
        return self.proposed + len(self._reused)

    def reuse(self, known: Sequence[Known]) -> None:
        """Tell the model of earlier runs' architectures and rewards; before anything else."""
        self._reused += known
        for actions, reward in known:
            self.model.add(actions, reward)

    def propose(self, proposal: Proposal) -> Proposal:
        """Note a proposal; return it."""
        self._flying[proposal.trial] = proposal.actions
        self.proposed = proposal.trial + 1
        return proposal

    def first_new(self, drawn: Sequence[Actions], rng: np.random.Generator) -> Actions:
        """Return what to propose of some draws, the first of which counts most.

        That is the first that was not proposed before. Where all were, the first draw again, if
        repeats tell anything: not while it is in flight, and not once a repeat was credited, or
        the first `EQUAL` had the very same score. Then decisions of it are changed, one after the
        other, until it is new, `MOST_CHANGES` at most.
        """
        new = next((actions for actions in drawn if actions not in self), None)
        if new is not None:
            return new
        actions = drawn[0]
        again = self._repeats_tell is not False and actions not in self._flying.values()
        for _ in range(0 if again else MOST_CHANGES):
            actions = mutated(self._space, actions, rng)
            if actions not in self:
                return actions
        return drawn[0]

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Tell the model; return what may be logged. A repeat's credited result is no news."""
        for item in scored:
            actions = item.proposal.actions
            self._flying.pop(item.proposal.trial, None)
            if actions in self._rewards:
                self._compare(item, self._rewards[actions])
            if item.fresh or actions not in self._rewards:
                self.model.add(actions, item.reward)
            self._rewards.setdefault(actions, item.reward)
            if item.result.score is not None:
                self._scored.setdefault(actions, item.proposal.trial)
        return {
            "reward": sum(item.reward for item in scored) / len(scored),
            "model noise": self.model.noise,
            UNIFORM: float(self.model.knows_nothing),
        }

    def _compare(self, item: Scored, before: float) -> None:
        """Learn from a repeat whether repeats tell anything. One other score settles it."""
        self._equal += item.reward == before
        if item.fresh and item.reward != before:
            self._repeats_tell = True
        elif self._repeats_tell is None and (not item.fresh or self._equal >= EQUAL):
            self._repeats_tell = False

    def best(self) -> list[Actions]:
        """Return the architectures with a score, the highest posterior mean first."""
        known = list(self._scored)
        if not known:
            return []
        means = self.model.expected(known)
        return [known[place] for place in sorted(range(len(known)), key=lambda i: -means[i])]

    def recommend(self) -> int | None:
        """Return the trial of the best architecture by posterior mean; None before any score."""
        found = self.best()
        return self._scored[found[0]] if found else None

    def state(self) -> dict[str, Any]:
        """Return what the observations do not tell."""
        return {
            "proposed": self.proposed,
            "reused": [[list(actions), reward] for actions, reward in self._reused],
            "flying": [[t, list(a)] for t, a in self._flying.items()],
        }

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become what returned `state` after it had observed `observed`."""
        self.reuse([(tuple(actions), float(reward)) for actions, reward in state["reused"]])
        if observed:
            self.observe(observed)
        self.proposed = int(state["proposed"])
        self._flying = {int(trial): tuple(actions) for trial, actions in state["flying"]}
