"""Skip connections by anchor points (Zoph & Le 2017, section 3.3).

    P(layer j is an input of layer i) = sigmoid(v^T tanh(W_prev h_j + W_curr h_i))

h is the controller's hidden state at a layer's anchor point. Between two actions, a logit of s
for "connect" and 0 for "refuse" gives exactly this probability.
"""

import numpy as np

from nas_net_architecture.layout import Anchors


def anchor_logit(
    weights: dict[str, np.ndarray],
    anchors: Anchors,
    n_actions: int,
    current: np.ndarray,
    earlier: np.ndarray,
) -> np.ndarray:
    """Return the logits [B, A] of one skip decision.

    Args:
        weights: With anchor_previous, anchor_current [H, H] and anchor_vector [H].
        anchors: Which actions refuse and connect.
        n_actions: A.
        current: h_i [B, H].
        earlier: h_j [B, H].
    """
    mixed = np.tanh(earlier @ weights["anchor_previous"] + current @ weights["anchor_current"])
    logits = np.zeros((len(current), n_actions), current.dtype)
    logits[:, anchors.connect] = mixed @ weights["anchor_vector"]
    return logits


def _places(anchors: Anchors, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers [K] of the skip decisions and of both their anchors."""
    rows = [(t, *pair) for t, pair in sorted(anchors.pairs.items()) if t < count]
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _mixed(
    weights: dict[str, np.ndarray], hidden: np.ndarray, current: np.ndarray, earlier: np.ndarray
) -> np.ndarray:
    """Return tanh(W_prev h_j + W_curr h_i) of all skip decisions [K, B, H]."""
    by_previous = hidden @ weights["anchor_previous"]
    by_current = hidden @ weights["anchor_current"]
    return np.tanh(by_previous[earlier] + by_current[current])


def anchor_logits(
    weights: dict[str, np.ndarray], anchors: Anchors, hidden: np.ndarray, logits: np.ndarray
) -> np.ndarray:
    """Return `logits` [T, B, A] with the skip decisions' put in, from `hidden` [T, B, H]."""
    at, current, earlier = _places(anchors, len(hidden))
    logits = logits.copy()
    logits[at] = 0.0
    logits[at, :, anchors.connect] = (
        _mixed(weights, hidden, current, earlier) @ weights["anchor_vector"]
    )
    return logits


def anchor_backward(
    weights: dict[str, np.ndarray],
    anchors: Anchors,
    hidden: np.ndarray,
    d_logits: np.ndarray,
    d_hidden: np.ndarray,
    grads: dict[str, np.ndarray],
) -> None:
    """Carry the skip decisions' derivatives back, in place.

    Args:
        weights: As in `anchor_logit`.
        anchors: Which decisions are skip connections.
        hidden: [T, B, H].
        d_logits: [T, B, A]; the rows of skip decisions are used up and become 0.
        d_hidden: [T, B, H]; added to.
        grads: Those of the three weights are set.
    """
    at, current, earlier = _places(anchors, len(hidden))
    mixed, vector = _mixed(weights, hidden, current, earlier), weights["anchor_vector"]
    d_score = d_logits[at, :, anchors.connect]  # [K, B]
    d_logits[at] = 0.0
    grads["anchor_vector"][:] = np.einsum("kb,kbh->h", d_score, mixed)
    d_mixed = d_score[..., None] * vector * (1.0 - mixed * mixed)  # [K, B, H]
    for name, places in (("anchor_previous", earlier), ("anchor_current", current)):
        d_projected = np.zeros_like(hidden)
        np.add.at(d_projected, places, d_mixed)
        units = hidden.shape[-1]
        grads[name][:] = hidden.reshape(-1, units).T @ d_projected.reshape(-1, units)
        d_hidden += d_projected @ weights[name].T
