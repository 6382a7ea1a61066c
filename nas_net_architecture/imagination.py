"""A policy trained without children: architectures are imagined, and a function scores them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_core.space import SearchSpace
from nas_core.tree import Tree
from nas_net_architecture import reinforce
from nas_net_architecture.adam import Adam
from nas_net_architecture.agent import make_policy
from nas_net_architecture.config import LearnerConfig
from nas_net_architecture.controller import Policy
from nas_net_architecture.decisions import Drawn, Sequences, sample
from nas_net_architecture.independent import IndependentPolicy
from nas_net_architecture.layout import layout_of

Score = Callable[[Sequences], np.ndarray]  # B architectures -> rewards [B]


def trained(
    space: SearchSpace[Any],
    learner: LearnerConfig,
    updates: int,
    score: Score,
    rng: np.random.Generator,
    tree: Tree,
) -> Policy:
    """Return a fresh policy after REINFORCE with a moving baseline on imagined architectures.

    Args:
        space: Where the decisions are made.
        learner: Policy, rates, and `batch` architectures per update.
        updates: How many, 0 or more.
        score: Rewards of imagined architectures.
        rng: Source of the first weights and of every draw.
        tree: What is known of the space's masks.
    """
    policy = make_policy(learner, layout_of(space), rng)
    adam = Adam(policy.weights, learner.learning_rate, learner.clip_norm, learner.betas)
    baseline = reinforce.Baseline()
    for _ in range(updates):
        drawn = draw(policy, space, learner.batch, rng, tree)
        advantage, baseline = reinforce.advantages(
            score(drawn.sequences).tolist(), baseline, learner.baseline_decay, False
        )
        adam.update(_gradient(policy, drawn, advantage / baseline.spread, learner.entropy_weight))
    return policy


def draw(
    policy: Policy, space: SearchSpace[Any], count: int, rng: np.random.Generator, tree: Tree
) -> Drawn:
    """Return `count` architectures drawn from a policy."""
    return sample(policy, space, range(count), rng.random((space.n_steps, count)), tree)


def _gradient(
    policy: Policy, drawn: Drawn, advantage: np.ndarray, entropy_weight: float
) -> dict[str, np.ndarray]:
    """Return the derivative of REINFORCE's loss (1) by the weights that drew these very actions."""
    sequences = drawn.sequences
    forward = policy.outputs(drawn.memory, len(sequences.actions))
    log_probs = drawn.log_probs
    if not isinstance(policy, IndependentPolicy):  # whose batch is added up in another order
        log_probs = reinforce.log_softmax(forward.logits, sequences.masks)
    entropy = np.broadcast_to(reinforce.entropy_of(log_probs), drawn.log_prob.shape)
    ones = np.ones(len(advantage))
    loss = reinforce.reinforce_loss(drawn.log_prob, entropy, advantage, ones, entropy_weight)
    d_logits = reinforce.d_logits(log_probs, sequences.actions, loss.d_log_prob, loss.d_entropy)
    dtype = forward.logits.dtype
    return policy.backward(
        forward.memory, d_logits.astype(dtype, copy=False), np.zeros_like(forward.values)
    )
