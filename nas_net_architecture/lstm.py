"""The recurrence of the controller, forwards and backwards, as pure functions on whole batches.

Written out in NumPy: a search then needs no TensorFlow, starts at once, leaves a GPU to the
children, and repeats to the last bit. Gates come first in every shape, in the order input,
forget, output, candidate: four products of [B, H] by [H, H] are small enough for a linear-algebra
library to do at once in the calling thread, without waiting for cores that train children.
"""

from typing import NamedTuple

import numpy as np

GATES = 4


class Step(NamedTuple):
    """What one step keeps for the way back.

    Attributes:
        gates: [4, B, H], after their nonlinearities.
        cell_tm1: Cell state before the step, [B, H].
        squashed: tanh of the cell state after it, [B, H].
    """

    gates: np.ndarray
    cell_tm1: np.ndarray
    squashed: np.ndarray


def halved(weights: np.ndarray) -> np.ndarray:
    """Return a copy in which the weights of the three sigmoid gates are halved.

    sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one tanh serves all four gates.

    Args:
        weights: [4, ...].
    """
    copy: np.ndarray = weights.copy()
    copy[:3] *= 0.5
    return copy


def lstm_step(
    gates: np.ndarray, cell_tm1: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, Step]:
    """Advance a batch by one step (Hochreiter & Schmidhuber 1997, with a forget gate).

    Args:
        gates: Sums of inputs weighted by `halved` weights [4, B, H]; overwritten.
        cell_tm1: Cell state [B, H].
        hidden: Where the new hidden state is written [B, H].

    Returns:
        The new cell state [B, H], and what the way back needs.
    """
    np.tanh(gates, out=gates)
    sigmoids = gates[:3]
    sigmoids *= 0.5
    sigmoids += 0.5
    enter, forget, leave, candidate = gates
    cell = forget * cell_tm1
    cell += enter * candidate
    squashed = np.tanh(cell)
    np.multiply(leave, squashed, out=hidden)
    return cell, Step(gates, cell_tm1, squashed)


def lstm_backward(
    steps: list[Step], hidden: np.ndarray, d_hidden: np.ndarray, recurrent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry derivatives back through the recurrence (backpropagation through time).

    Args:
        steps: T steps, in order.
        hidden: Hidden states before the first and after every step [T + 1, B, H].
        d_hidden: Derivative of the loss by the states after each step, as far as it does not
            come through the recurrence [T, B, H].
        recurrent: Weights from hidden state to gates [4, H, H], not halved.

    Returns:
        The derivatives by the gates' sums [T, 4, B, H], and by `recurrent`.
    """
    count, batch, units = d_hidden.shape
    d_gates = np.empty((count, GATES, batch, units), d_hidden.dtype)
    d_recurrent = np.zeros_like(recurrent)
    transposed = np.ascontiguousarray(recurrent.transpose(0, 2, 1))  # twice as fast to multiply by
    d_h = np.zeros((batch, units), d_hidden.dtype)
    d_cell = np.zeros_like(d_h)
    for t in range(count - 1, -1, -1):
        gates, cell_tm1, squashed = steps[t]
        enter, forget, leave, candidate = gates
        row = d_gates[t]
        d_h += d_hidden[t]
        by_output = d_h * squashed
        d_cell += (d_h - by_output * squashed) * leave  # d_h * leave * (1 - squashed ** 2)
        # The slope of a sigmoid s is s - s * s, that of a tanh u is 1 - u * u.
        slopes = gates * gates
        np.subtract(gates[:3], slopes[:3], out=slopes[:3])
        np.subtract(1.0, slopes[3], out=slopes[3])
        np.multiply(d_cell, candidate, out=row[0])
        np.multiply(d_cell, cell_tm1, out=row[1])
        row[2] = by_output
        np.multiply(d_cell, enter, out=row[3])
        row *= slopes
        d_recurrent += hidden[t].T @ row
        d_h = (row @ transposed).sum(axis=0)  # [B, H]
        d_cell *= forget
    return d_gates, d_recurrent
