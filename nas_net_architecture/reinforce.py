"""The update rules, as pure functions: each returns a loss and its derivative.

Arrays are time-major: T decisions of B architectures. A decision beyond an architecture's end is
a forced one (a single legal action): log-probability 0, entropy 0, gradient 0.
Sources: Williams 1992 (REINFORCE); Zoph & Le 2017, section 3.2; Zoph et al. 2018; Schulman et al.
2017 (PPO), equation 7. Numbers in brackets are those of README.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nas_core.agent import Scored
from nas_core.trainer.base import Status

IMPOSSIBLE = -1e9  # logit of an illegal action: its probability underflows to exactly 0
BELOW_ONE = 1.0 - 2.0**-22  # times a float32, it stays below that float32
LAST_EPOCHS = 5
SMALLEST_VARIANCE = 1e-12  # of rewards; below it they differ by rounding only


def masked(logits: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return `logits` with `IMPOSSIBLE` where `masks` is False; both [..., A]."""
    return np.where(masks, logits, IMPOSSIBLE)


def log_softmax(logits: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return log-probabilities over the legal actions only.

    Args:
        logits: [..., A].
        masks: Bools, broadcastable to the same shape, True where legal; at least one per row.

    Returns:
        [..., A]; about `IMPOSSIBLE` where illegal, so that exp gives exactly 0.
    """
    shifted = masked(logits, masks)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def choose(logits: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Draw one action per row from its softmax, by inversion of the cumulative sum.

    Args:
        logits: [B, A], `masked`.
        uniforms: Random numbers in [0, 1), [B].

    Returns:
        Actions [B]; never one of probability 0.
    """
    cumulative = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)  # [B, A]
    # Rounding must not carry a number onto the total, behind which no action lies.
    reached = np.minimum(uniforms, BELOW_ONE) * cumulative[:, -1]
    return (cumulative > reached[:, None]).argmax(axis=1)


def log_prob_of(log_probs: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of exactly these actions.

    Args:
        log_probs: [T, B, A], each row under the prefix that these same actions form.
        actions: [T, B].
    """
    return np.take_along_axis(log_probs, actions[..., None], axis=-1)[..., 0]


def entropy_of(log_probs: np.ndarray) -> np.ndarray:
    """Return -sum p log p of each row, in nats: [T, B] from [T, B, A]."""
    return -(np.exp(log_probs) * log_probs).sum(axis=-1)


def d_logits(
    log_probs: np.ndarray, actions: np.ndarray, d_log_prob: np.ndarray, d_entropy: np.ndarray
) -> np.ndarray:
    """Return the derivative by the logits, from those by log-probability and entropy.

    d log p(a) / d logit_k = [k = a] - p_k;  d H / d logit_k = -p_k (log p_k + H).

    Args:
        log_probs: [T, B, A], or [T, 1, A] where all architectures have the same.
        actions: [T, B].
        d_log_prob: Derivative of the loss by the actions' log-probabilities [T, B].
        d_entropy: Derivative of the loss by the entropies [T, B].

    Returns:
        [T, B, A], 0 where illegal.
    """
    probs = np.exp(log_probs)
    alike = log_probs - (probs * log_probs).sum(axis=-1, keepdims=True)
    inner = np.empty((*actions.shape, log_probs.shape[-1]), log_probs.dtype)
    np.multiply(alike, d_entropy[..., None], out=inner, casting="same_kind")
    inner += d_log_prob[..., None]
    inner *= -probs
    chosen = np.take_along_axis(inner, actions[..., None], axis=-1) + d_log_prob[..., None]
    np.put_along_axis(inner, actions[..., None], chosen, axis=-1)
    return inner


class Baseline(NamedTuple):
    """Exponential moving averages of rewards, from 0, with what their bias correction needs.

    Attributes:
        total: The uncorrected average.
        weight: 1 - decay ** rewards: the share of the totals that rewards make up.
        squares: The uncorrected average of the squared rewards.
    """

    total: float = 0.0
    weight: float = 0.0
    squares: float = 0.0

    @property
    def value(self) -> float:
        """The average; 0 before the first reward."""
        return self.total / self.weight if self.weight > 0.0 else 0.0

    @property
    def spread(self) -> float:
        """The standard deviation; 1 while all rewards were the same."""
        if self.weight == 0.0:
            return 1.0
        variance = self.squares / self.weight - self.value**2
        return math.sqrt(variance) if variance > SMALLEST_VARIANCE else 1.0


def update_baseline(baseline: Baseline, rewards: Sequence[float], decay: float) -> Baseline:
    """Return b <- decay b + (1 - decay) R for each reward in order (2).

    Args:
        baseline: Before.
        rewards: In the order of proposing.
        decay: In [0, 1).
    """
    total, weight, squares = baseline
    for reward in rewards:
        total = decay * total + (1.0 - decay) * reward
        weight = decay * weight + (1.0 - decay)
        squares = decay * squares + (1.0 - decay) * reward**2
    return Baseline(total, weight, squares)


def advantages(
    rewards: Sequence[float], baseline: Baseline, decay: float, baseline_first: bool
) -> tuple[np.ndarray, Baseline]:
    """Return A = R - b for each architecture (3), and the baseline after these rewards.

    Args:
        rewards: [B].
        baseline: From earlier groups. While there are none, an architecture's baseline is the
            mean of the other rewards of its group, which leaves its own out as well.
        decay: Of the moving average.
        baseline_first: False (Zoph & Le): b holds earlier rewards only. True (the published
            NAS-Bench-201 baseline): b already holds these rewards, so the advantage is smaller.
    """
    updated, given = update_baseline(baseline, rewards, decay), np.asarray(rewards, np.float64)
    if baseline_first:
        return given - updated.value, updated
    if baseline.weight == 0.0 and len(given) > 1:
        return given - (given.sum() - given) / (len(given) - 1), updated
    return given - baseline.value, updated


def importance(log_prob: np.ndarray, behaviour: np.ndarray, most: float) -> np.ndarray:
    """Return pi(architecture) / mu(architecture), truncated (4): the weight of a stale sample.

    Args:
        log_prob: Of the decisions under today's policy [T, B].
        behaviour: Of the same decisions under the policy that drew them [T, B].
        most: Upper bound of the ratio, which bounds the variance.

    Returns:
        [B]; 1 where the policy has not changed since.
    """
    ratio: np.ndarray = np.exp((log_prob - behaviour).sum(axis=0))
    return np.minimum(ratio, most)


class Loss(NamedTuple):
    """A loss and its derivatives.

    Attributes:
        value: Mean over the architectures.
        d_log_prob: Derivative by the log-probabilities [T, B].
        d_entropy: Derivative by the entropies [T, B].
    """

    value: float
    d_log_prob: np.ndarray
    d_entropy: np.ndarray


def reinforce_loss(
    log_prob: np.ndarray,
    entropy: np.ndarray,
    advantage: np.ndarray,
    weight: np.ndarray,
    entropy_weight: float,
) -> Loss:
    """Return -mean_k [ w_k sum_t (log p(a_t | a_<t) A_t + beta H_t) ] (1).

    The advantage is a number here: no gradient flows through it.

    Args:
        log_prob: Of the sampled actions [T, B].
        entropy: [T, B].
        advantage: [B], or [T, B] with a baseline per decision.
        weight: Importance ratios [B]; 1 for samples of today's policy.
        entropy_weight: beta.
    """
    scale = np.broadcast_to(advantage * weight, log_prob.shape) / log_prob.shape[1]
    beta = entropy_weight / log_prob.shape[1]
    value = -(scale * log_prob).sum() - beta * entropy.sum()
    return Loss(float(value), -scale, np.full_like(entropy, -beta))


def ppo_loss(
    log_prob: np.ndarray,
    behaviour: np.ndarray,
    entropy: np.ndarray,
    advantage: np.ndarray,
    clip: float,
    entropy_weight: float,
) -> Loss:
    """Return -mean_k sum_t [ min(r A, clip(r, 1 - eps, 1 + eps) A) + beta H ] (5).

    Args:
        log_prob: Of the sampled actions under today's policy [T, B].
        behaviour: Under the policy that drew them [T, B].
        entropy: [T, B].
        advantage: [B] or [T, B].
        clip: eps.
        entropy_weight: beta.
    """
    ratio = np.exp(log_prob - behaviour)  # [T, B]
    advantage = np.broadcast_to(advantage, ratio.shape)
    bounded = np.clip(ratio, 1.0 - clip, 1.0 + clip)
    objective = np.minimum(ratio * advantage, bounded * advantage)
    # Where the bound is the smaller one, the ratio has gone far enough: no gradient.
    active = ratio * advantage <= bounded * advantage
    count, beta = ratio.shape[1], entropy_weight / ratio.shape[1]
    value = -objective.sum() / count - beta * entropy.sum()
    slope = np.where(active, -ratio * advantage / count, 0.0)
    return Loss(float(value), slope, np.full_like(entropy, -beta))


def value_loss(
    values: np.ndarray, rewards: np.ndarray, made: np.ndarray, weight: float
) -> tuple[float, np.ndarray]:
    """Return weight * mean_k sum_t (V_t - R)^2 / 2 and its derivative by V [T, B] (6).

    The discount is 1 and only the finished architecture is rewarded, so that the return after
    every decision is the reward.

    Args:
        values: The critic's V(a_<t) [T, B].
        rewards: [B].
        made: Bools [T, B]: False beyond an architecture's end.
        weight: Of this loss beside the policy's.
    """
    error = np.where(made, values - rewards, 0.0)
    count = values.shape[1]
    return float(weight * (error * error).sum() / (2 * count)), weight * error / count


def accuracy_reward(item: Scored) -> float:
    """Return the score (NASNet: the validation accuracy), or the penalty of a failed trial."""
    return item.reward


def cubed_reward(item: Scored) -> float:
    """Return (max validation accuracy of the last five epochs)^3 (7; Zoph & Le 2017, section 4.1).

    A failed trial keeps its penalty; a result without a curve is cubed as it is.
    """
    if item.result.status is not Status.OK:
        return item.reward
    last = [epoch.val_accuracy for epoch in item.result.curve[-LAST_EPOCHS:]]
    return float(max(last, default=item.reward) ** 3)
