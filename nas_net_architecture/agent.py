"""The agent of this package: a controller and its policy-gradient updates."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nas_core.agent import Preference, Proposal, Scored
from nas_core.errors import RunError
from nas_core.registry import AgentEntry
from nas_core.seeding import generator
from nas_core.space import SearchSpace, spec_of
from nas_net_architecture import config as presets
from nas_net_architecture import reinforce
from nas_net_architecture.adam import Adam
from nas_net_architecture.config import NASNET, LearnerConfig
from nas_net_architecture.controller import Forward, LSTMPolicy, LSTMShape, Policy
from nas_net_architecture.decisions import Sequences, replay, sample
from nas_net_architecture.explain import preferences
from nas_net_architecture.independent import IndependentPolicy
from nas_net_architecture.layout import Layout, layout_of

REWARDS: dict[str, Callable[[Scored], float]] = {
    "accuracy": reinforce.accuracy_reward,
    "cubed": reinforce.cubed_reward,
}


ZOPH_LE_LSTM = LSTMShape(units=35, layers=2, init=0.08)


def make_policy(config: LearnerConfig, layout: Layout, rng: np.random.Generator) -> Policy:
    """Return a fresh controller as `config` says."""
    critic = config.algorithm == "actor-critic"
    if config.policy == "independent":
        return IndependentPolicy(layout, rng, critic)
    sizes = ZOPH_LE_LSTM if config.policy == "lstm2" else LSTMShape()
    shape = replace(
        sizes, critic=critic, temperature=config.temperature, tanh_constant=config.tanh_constant
    )
    return LSTMPolicy(layout, shape, rng)


class Reinforce:
    """Policy gradients over any search space (Williams 1992; Zoph & Le 2017; Zoph et al. 2018)."""

    def __init__(
        self,
        space: SearchSpace[Any],
        seed: int,
        config: LearnerConfig = NASNET,
        name: str = "reinforce",
    ) -> None:
        """Start with a fresh controller.

        Args:
            space: Where the decisions are made.
            seed: Seed of the initial weights and of every draw.
            config: Algorithm, policy and rates.
            name: As typed on the command line.
        """
        self.name = name
        self.batch = config.batch
        self.lag = config.lag
        self.baseline_first = config.baseline_first  # declared: `nas doctor` asks
        self._space = space
        self._seed = seed
        self._config = config
        self._policy = make_policy(config, layout_of(space), generator(seed, "controller"))
        self._adam = Adam(
            self._policy.weights, config.learning_rate, config.clip_norm, config.betas
        )
        self._baseline = reinforce.Baseline()
        self._proposed = 0
        self._behaviour: dict[int, list[float]] = {}  # trial -> log-probabilities when drawn
        self._last: tuple[list[int], Any] | None = None  # trials drawn together, policy's memory
        self._learned: dict[str, Any] | None = None  # JSON of the controller, until it changes

    def suggest(self, n: int) -> list[Proposal]:
        """Return `n` proposals, drawn together from the controller."""
        return [
            Proposal(trial, spec_of(self._space, actions), actions)
            for trial, actions in self.draw(n)
        ]

    def draw(self, n: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return the numbers and decisions of the next `n` proposals."""
        if n == 0:
            return []
        trials = range(self._proposed, self._proposed + n)
        self._proposed += n
        steps = self._space.n_steps
        # One generator per trial: a proposal does not depend on how many are asked for at once.
        rows = [generator(self._seed, "controller sample", trial).random(steps) for trial in trials]
        drawn = sample(self._policy, self._space, trials, np.stack(rows, axis=1))
        self._last = list(trials), drawn.memory
        decided = []
        for position, trial in enumerate(trials):
            actions = drawn.sequences.decisions(position)
            self._behaviour[trial] = drawn.log_prob[: len(actions), position].tolist()
            decided.append((trial, actions))
        return decided

    def observe(self, scored: Sequence[Scored]) -> dict[str, float]:
        """Update the controller once with a group, in the order of proposing."""
        config = self._config
        trials = [item.proposal.trial for item in scored]
        sequences = replay(self._space, trials, [item.proposal.actions for item in scored])
        behaviour = self._drawn_with(trials, len(sequences.actions))
        rewards = [REWARDS[config.reward](item) for item in scored]
        advantage, self._baseline = reinforce.advantages(
            rewards, self._baseline, config.baseline_decay, config.baseline_first
        )
        epochs = config.ppo_epochs if config.algorithm == "ppo" else 1
        for _ in range(epochs):
            forward = self._forward(trials, sequences)
            metrics = self._update(sequences, forward, behaviour, np.asarray(rewards), advantage)
            self._last = None  # drawn from weights that are no more
        self._learned = None
        return {
            **metrics,
            "baseline": self._baseline.value,
            "reward": float(np.mean(rewards)),
            "advantage": float(np.mean(advantage)),
        }

    def _forward(self, trials: list[int], sequences: Sequences) -> Forward:
        """Return what today's policy says of the decisions.

        Where the controller was last led through this very group, with today's weights, its
        recurrence is not run again: the numbers are the same to the last bit.
        """
        if self._last is not None and self._last[0] == trials:
            return self._policy.outputs(self._last[1], len(sequences.actions))
        return self._policy.forward(sequences.actions)

    def _drawn_with(self, trials: Sequence[int], steps: int) -> np.ndarray:
        """Return and forget the log-probabilities [T, B] that trials were drawn with."""
        behaviour = np.zeros((steps, len(trials)))
        for position, trial in enumerate(trials):
            if trial not in self._behaviour:
                raise RunError(
                    f"expected trials that this agent proposed, received trial {trial}: "
                    "it cannot learn from another agent's proposals"
                )
            row = self._behaviour.pop(trial)
            behaviour[: len(row), position] = row
        return behaviour

    def _update(
        self,
        sequences: Sequences,
        forward: Forward,
        behaviour: np.ndarray,
        rewards: np.ndarray,
        ema: np.ndarray,
    ) -> dict[str, float]:
        """Take one step of the optimiser.

        Args:
            sequences: The decisions, exactly as they were scored.
            forward: What today's policy says of them.
            behaviour: Their log-probabilities when drawn [T, B].
            rewards: [B].
            ema: Advantages over the moving average [B].
        """
        config, made = self._config, sequences.made
        actions = sequences.actions
        log_probs = reinforce.log_softmax(forward.logits, sequences.masks)
        log_prob = reinforce.log_prob_of(log_probs, actions)
        entropy = reinforce.entropy_of(log_probs)
        advantage, value_loss, d_values = ema, 0.0, np.zeros_like(forward.values)
        if config.algorithm == "actor-critic":
            advantage = np.where(made, rewards - forward.values, 0.0)
            value_loss, d_values = reinforce.value_loss(
                forward.values, rewards, made, config.value_weight
            )
        if config.scaled:
            advantage = advantage / self._baseline.spread
        weight = reinforce.importance(log_prob, behaviour, config.importance_most)
        loss = self._loss(log_prob, behaviour, entropy, advantage, weight)
        d_logits = reinforce.d_logits(log_probs, actions, loss.d_log_prob, loss.d_entropy)
        dtype = forward.logits.dtype
        grads = self._policy.backward(
            forward.memory, d_logits.astype(dtype), d_values.astype(dtype)
        )
        norm = self._adam.update(grads)
        return {
            "loss": loss.value + value_loss,
            "entropy": float(entropy.sum() / made.sum()),
            "ratio": float(weight.mean()),
            "kl": float((behaviour - log_prob).sum(axis=0).mean()),
            "gradient_norm": norm,
        }

    def _loss(
        self,
        log_prob: np.ndarray,
        behaviour: np.ndarray,
        entropy: np.ndarray,
        advantage: np.ndarray,
        weight: np.ndarray,
    ) -> reinforce.Loss:
        config = self._config
        if config.algorithm == "ppo":
            return reinforce.ppo_loss(
                log_prob, behaviour, entropy, advantage, config.ppo_clip, config.entropy_weight
            )
        return reinforce.reinforce_loss(log_prob, entropy, advantage, weight, config.entropy_weight)

    def preferences(self) -> list[Preference]:
        """Return what the next trial's decisions would be drawn from (see `explain`)."""
        self._last = None  # asking takes the place of the memory of the last group
        return preferences(self._policy, self._space, self._proposed)

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser, baseline and what is in flight, exactly."""
        if self._learned is None:
            self._learned = self._adam.state()
        return {
            "proposed": self._proposed,
            "baseline": list(self._baseline),
            "behaviour": [[trial, row] for trial, row in self._behaviour.items()],
            "controller": self._learned,
        }

    def load_state(self, state: dict[str, Any], observed: Sequence[Scored]) -> None:
        """Become the agent that returned `state`.

        Raises:
            RunError: It is the state of a controller for another space or of another policy.
        """
        if "controller" not in state:
            raise RunError("expected the state of a controller: name the agent of this run")
        self._adam.load_state(state["controller"])
        self._last = self._learned = None
        self._proposed = int(state["proposed"])
        self._baseline = reinforce.Baseline(*state["baseline"])
        self._behaviour = {int(trial): row for trial, row in state["behaviour"]}


def _entry(
    name: str, paper: LearnerConfig, quick: LearnerConfig, table: LearnerConfig | None = None
) -> AgentEntry:
    settings = {"paper": paper, "table": quick if table is None else table}

    def build(space: SearchSpace[Any], seed: int, _trials: int, preset: str) -> Reinforce:
        return Reinforce(space, seed, settings.get(preset, quick), name)

    return AgentEntry(build=build)


REINFORCE = _entry("reinforce", NASNET, presets.QUICK_LSTM, presets.TABLE)
PPO = _entry("ppo", replace(NASNET, algorithm="ppo"), presets.QUICK_PPO)
ACTOR_CRITIC = _entry(
    "actor-critic", replace(NASNET, algorithm="actor-critic"), presets.QUICK_ACTOR_CRITIC
)
REINFORCE_LSTM2 = _entry("reinforce-lstm2", presets.ZOPH_LE, presets.QUICK_LSTM2)
REINFORCE_INDEPENDENT = _entry(
    "reinforce-independent", presets.NAS_BENCH_201, presets.QUICK_INDEPENDENT
)
PPO_INDEPENDENT = _entry(
    "ppo-independent", presets.NAS_BENCH_201_PPO, presets.QUICK_PPO_INDEPENDENT
)
