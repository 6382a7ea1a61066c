"""The recurrence of the controller, forwards and backwards, as pure functions on whole batches.

Written out in NumPy: a search then needs no TensorFlow, starts at once, leaves a GPU to the
children, and repeats to the last bit. Gates come first in every shape, in the order input,
forget, output, candidate: four products of [B, H] by [H, H] are small enough for a linear-algebra
library to do at once in the calling thread, without waiting for cores that train children.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

GATES = 4


@dataclass(frozen=True)
class Trace:
    """One layer's states over time, filled in step by step; what the way back needs.

    Fresh megabytes cost an operating system more time than the sums in them: a trace is made once
    and used for group after group.

    Attributes:
        gates: [4, T, B, H], after their nonlinearities.
        cell: Cell states before the first and after every step [T + 1, B, H].
        squashed: tanh of the cell state after each step [T, B, H].
        hidden: Hidden states before the first and after every step [T + 1, B, H].
        d_gates: Room for the derivatives by the gates' sums [4, T, B, H].
        through: Room for the slopes from hidden to cell state [T, B, H].
    """

    gates: np.ndarray
    cell: np.ndarray
    squashed: np.ndarray
    hidden: np.ndarray
    d_gates: np.ndarray
    through: np.ndarray


def empty_trace(steps: int, batch: int, units: int, dtype: np.dtype[Any]) -> Trace:
    """Return room for so many steps, with states of zero before the first."""
    inside, states = (steps, batch, units), (steps + 1, batch, units)
    shapes = (GATES, *inside), states, inside, states, (GATES, *inside), inside
    return Trace(*(np.zeros(shape, dtype) for shape in shapes))


def halved(weights: np.ndarray) -> np.ndarray:
    """Return a copy in which the weights of the three sigmoid gates are halved.

    sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one tanh serves all four gates.

    Args:
        weights: [4, ...].
    """
    copy: np.ndarray = weights.copy()
    copy[:3] *= 0.5
    return copy


def lstm_step(trace: Trace, t: int) -> None:
    """Advance a batch by one step (Hochreiter & Schmidhuber 1997, with a forget gate).

    Args:
        trace: With the sums of inputs, weighted by `halved` weights, in ``gates[:, t]``; they are
            overwritten, and the states after the step filled in.
        t: The step, from 0.
    """
    gates = trace.gates[:, t]  # [4, B, H]
    np.tanh(gates, out=gates)
    sigmoids = gates[:3]
    sigmoids *= 0.5
    sigmoids += 0.5
    enter, forget, leave, candidate = gates
    cell, squashed = trace.cell[t + 1], trace.squashed[t]
    np.multiply(forget, trace.cell[t], out=cell)
    cell += enter * candidate
    np.tanh(cell, out=squashed)
    np.multiply(leave, squashed, out=trace.hidden[t + 1])


def _slopes(trace: Trace, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the derivatives by state are multiplied by, for all steps at once.

    The slope of a sigmoid s is s - s * s, that of a tanh u is 1 - u * u.

    Returns:
        From cell state (output gate: from hidden state) to the gates' sums [4, T, B, H], and from
        hidden state to cell state [T, B, H].
    """
    gates, squashed = trace.gates[:, :count], trace.squashed[:count]
    enter, _, leave, candidate = gates
    slopes = np.multiply(gates, gates, out=trace.d_gates[:, :count])
    np.subtract(gates[:3], slopes[:3], out=slopes[:3])
    np.subtract(1.0, slopes[3], out=slopes[3])
    for gate, factor in enumerate((candidate, trace.cell[:count], squashed, enter)):
        slopes[gate] *= factor
    through = np.multiply(squashed, squashed, out=trace.through[:count])
    np.subtract(1.0, through, out=through)
    through *= leave
    return slopes, through


def lstm_backward(
    trace: Trace, d_hidden: np.ndarray, recurrent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry derivatives back through the recurrence (backpropagation through time).

    Args:
        trace: Of T or more steps.
        d_hidden: Derivative of the loss by the states after each step, as far as it does not
            come through the recurrence [T, B, H].
        recurrent: Weights from hidden state to gates [4, H, H], not halved.

    Returns:
        The derivatives by the gates' sums [4, T, B, H], and by `recurrent`.
    """
    count, batch, units = d_hidden.shape
    d_gates, through = _slopes(trace, count)
    forget = trace.gates[1]
    transposed = np.ascontiguousarray(recurrent.transpose(0, 2, 1))  # twice as fast to multiply by
    back = np.zeros((GATES, batch, units), d_hidden.dtype)
    d_cell = np.zeros((batch, units), d_hidden.dtype)
    for t in range(count - 1, -1, -1):
        row = d_gates[:, t]
        d_h = back.sum(axis=0)  # [B, H]
        d_h += d_hidden[t]
        d_cell += d_h * through[t]
        by_output = d_h * row[2]
        row *= d_cell
        row[2] = by_output
        np.matmul(row, transposed, out=back)
        d_cell *= forget[t]
    flat = trace.hidden[:count].reshape(-1, units)  # [T B, H]
    return d_gates, flat.T @ d_gates.reshape(GATES, -1, units)
