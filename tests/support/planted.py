"""A plain policy-gradient agent, and the mistakes of published code as variations of it."""

import random
from typing import Any

import numpy as np

from nas_core.agent import Proposal
from nas_core.seeding import generator
from nas_core.space import spec_of


class Plain:
    """REINFORCE with a table of logits by prefix, plain gradient steps and a moving baseline."""

    name = "plain"
    batch = 4
    lag = 1
    rate, decay = 0.5, 0.9

    def __init__(self, space: Any, seed: int):
        self.space, self.seed = space, seed
        self.proposed, self.mean, self.weight = 0, 0.0, 0.0
        self.table: dict[tuple[int, ...], np.ndarray] = {}

    def logits(self, prefix: tuple[int, ...]) -> np.ndarray:
        return self.table.setdefault(prefix, np.zeros(self.space.n_actions))

    def probabilities(self, state: tuple[int, ...]) -> np.ndarray:
        masked = np.where(self.mask(state), self.logits(state), -1e9)
        powers = np.exp(masked - masked.max())
        return powers / powers.sum()

    def mask(self, state: tuple[int, ...]) -> np.ndarray:
        return self.space.legal(state)

    def choose(self, state: tuple[int, ...], rng: np.random.Generator) -> int:
        return int(rng.choice(self.space.n_actions, p=self.probabilities(state)))

    def rng(self, trial: int) -> np.random.Generator:
        return generator(self.seed, "plain", trial)

    def walk(self, rng: np.random.Generator) -> tuple[int, ...]:
        state = self.space.initial()
        while not self.space.is_terminal(state):
            state = self.space.step(state, self.choose(state, rng))
        return state

    def suggest(self, n: int) -> list[Proposal]:
        first, self.proposed = self.proposed, self.proposed + n
        return [self.propose(trial) for trial in range(first, first + n)]

    def propose(self, trial: int) -> Proposal:
        actions = self.walk(self.rng(trial))
        return Proposal(trial, spec_of(self.space, actions), actions)

    def moving(self, rewards: list[float]) -> None:
        for reward in rewards:
            self.mean = self.decay * self.mean + (1 - self.decay) * reward
            self.weight = self.decay * self.weight + 1 - self.decay

    def baseline(self) -> float:
        return self.mean / self.weight if self.weight else 0.0

    def observe(self, scored: Any) -> dict[str, float]:
        rewards = [item.reward for item in scored]
        advantages = [reward - self.baseline() for reward in rewards]
        self.moving(rewards)
        self.learn([item.proposal.actions for item in scored], advantages)
        return {}

    def learn(self, sequences: list[tuple[int, ...]], advantages: list[float]) -> None:
        for actions, advantage in zip(sequences, advantages, strict=True):
            for t, action in enumerate(actions):
                step = -self.probabilities(actions[:t])
                step[action] += 1.0
                self.table[actions[:t]] = self.logits(actions[:t]) + self.rate * advantage * step

    def state(self) -> dict[str, Any]:
        table = [[list(prefix), row.tolist()] for prefix, row in self.table.items()]
        return {"proposed": self.proposed, "ema": [self.mean, self.weight], "table": table}

    def load_state(self, state: dict[str, Any], observed: Any) -> None:
        self.proposed, (self.mean, self.weight) = state["proposed"], state["ema"]
        self.table = {tuple(prefix): np.array(row) for prefix, row in state["table"]}


class Argmax(Plain):
    def choose(self, state, rng):
        return int(np.argmax(self.probabilities(state)))


class OtherActions(Plain):
    """Multiplies the reward with the log-probabilities of freshly drawn actions."""

    def learn(self, sequences, advantages):
        rng = generator(self.seed, "again", self.proposed)
        super().learn([self.walk(rng) for _ in sequences], advantages)


class BaselineFirst(Plain):
    def observe(self, scored):
        rewards = [item.reward for item in scored]
        self.moving(rewards)
        advantages = [reward - self.baseline() for reward in rewards]
        self.learn([item.proposal.actions for item in scored], advantages)
        return {}


class BaselineFirstDeclared(BaselineFirst):
    baseline_first = True


class BaselineFirstLogged(Plain):
    """The average starts at 0 without a correction; only the log shows the order."""

    def observe(self, scored):
        rewards = [item.reward for item in scored]
        for reward in rewards:
            self.mean = self.decay * self.mean + (1 - self.decay) * reward
        advantages = [reward - self.mean for reward in rewards]
        self.learn([item.proposal.actions for item in scored], advantages)
        return {"baseline": self.mean, "advantage": float(np.mean(advantages))}


class ForgetsFailures(Plain):
    def observe(self, scored):
        return super().observe([item for item in scored if item.result.score is not None])


class NeverZero(Plain):
    """One legal decision is never taken, as in code that filters its options wrongly."""

    def mask(self, state):
        legal = self.space.legal(state).copy()
        if legal.sum() > 1:
            legal[np.flatnonzero(legal)[0]] = False
        return legal


class Masksless(Plain):
    """Ignores masks and says that the network is that of legal decisions."""

    def propose(self, trial):
        proposal = super().propose(trial)
        return Proposal(trial, proposal.spec, (*proposal.actions[:-1], 0))


class Global(Plain):
    def rng(self, trial):
        return np.random.default_rng(random.getrandbits(32))


class Seedless(Plain):
    def rng(self, trial):
        return generator(0, "plain", trial)


class LastOnly(Plain):
    """Credits every result to the proposals made last."""

    def suggest(self, n):
        self.last = super().suggest(n)
        return self.last

    def observe(self, scored):
        rewards = [item.reward for item in scored]
        advantages = [reward - self.baseline() for reward in rewards]
        self.moving(rewards)
        self.learn([item.actions for item in self.last][: len(rewards)], advantages)
        return {}


class Descends(Plain):
    rate = -0.5


class Amnesiac(Plain):
    def load_state(self, state, observed):
        self.proposed = state["proposed"]


class Restless(Plain):
    """Its draws depend on how many are asked for."""

    def suggest(self, n):
        first, self.proposed = self.proposed, self.proposed + n
        rng = generator(self.seed, "plain", first)
        walks = [self.walk(rng) for _ in range(n)]
        return [
            Proposal(first + k, spec_of(self.space, actions), actions)
            for k, actions in enumerate(walks)
        ]


class Raises(Plain):
    def observe(self, scored):
        raise KeyError("no such trial")


BUGS = {
    Argmax: "argmax sampling",
    OtherActions: "re-sampled log-probabilities",
    BaselineFirst: "baseline contains the reward",
    BaselineFirstLogged: "baseline contains the reward",
    ForgetsFailures: "failures are forgotten",
    NeverZero: "unreachable decisions",
    Masksless: "illegal decisions",
    Global: "global randomness",
    Seedless: "seed ignored",
    LastOnly: "results credited to other proposals",
    Descends: "reward with the wrong sign",
    Amnesiac: "state is incomplete",
    Restless: "suggest changes the agent",
    Raises: "exception",
}
