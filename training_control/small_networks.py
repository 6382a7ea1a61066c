"""Hundreds of small networks that are trained side by side, for real, in NumPy.

Each has two hidden layers of `UNITS` units with dropout, a problem of its own and its own optimizer
(as `live_optimizer` computes them), learning rate, dropout and weight decay. A step of all of them
is a few products of stacks of matrices.

A large network learns at lower rates than a small one. `reach` makes up for it: for kernels a rate
counts `reach` times, so that useful rates spread as those of users' networks do. For biases it
counts once: so a network whose units have died stays quietly at the loss of guessing. The units of
small networks die rarely, those of convolutional ones at any rate a few times the useful one: so
some networks here have a `limit` above which their units do.
"""

from dataclasses import dataclass, fields

import numpy as np

from training_control.controls import OPTIMIZERS
from training_control.optimizer_rules import BETA_1, BETA_2, EPSILON, MOMENTUM, RHO
from training_control.small_problems import CLASSES, INPUTS, Problems, draw_problems

UNITS, BATCH = 16, 16
ADAMW, SGD, RMSPROP = (OPTIMIZERS.index(name) for name in ("adamw", "sgd", "rmsprop"))
SHARES = (0.2, 0.4, 0.25, 0.15)  # of the optimizers, in their order
BENT = 0.3  # share of networks with tanh in place of ReLU
FRAGILE = 0.6  # share of the others that die at high rates
SHAPES = ((INPUTS, UNITS), (1, UNITS), (UNITS, UNITS), (1, UNITS), (UNITS, CLASSES), (1, CLASSES))
DEAD = -3.0  # bias of a unit that is off
OVERSHOOT = np.float32(2.0)  # factor of a dying network's kernels one step before
ENDS = tuple(int(n) for n in np.cumsum([rows * columns for rows, columns in SHAPES]))
WEIGHTS = ENDS[-1]
IS_KERNEL = np.concatenate([np.full(r * c, r > 1) for r, c in SHAPES]).astype(np.float32)


@dataclass(eq=False)
class Networks:
    """Networks in the middle of their training; [N, ...], float32 where nothing else is said.

    Attributes:
        problems: What they learn.
        weights: [N, WEIGHTS], kernels and biases one after the other as in `SHAPES`.
        first: Moving average or sum of gradients, like the weights.
        second: Moving average of their squares.
        taken: Steps since the start.
        optimizer: Index into `OPTIMIZERS`, int.
        reach: What a rate counts for kernels.
        bent: Whether units are tanh, bool.
        limit: Rate above which all units die, float64; infinite for most.
    """

    problems: Problems
    weights: np.ndarray
    first: np.ndarray
    second: np.ndarray
    taken: np.ndarray
    optimizer: np.ndarray
    reach: np.ndarray
    bent: np.ndarray
    limit: np.ndarray

    def put(self, rows: np.ndarray, others: "Networks") -> None:
        """Replace some networks, int [rows], by others."""
        self.problems.put(rows, others.problems)
        for item in fields(self)[1:]:
            getattr(self, item.name)[rows] = getattr(others, item.name)

    def taken_out(self, rows: np.ndarray) -> "Networks":
        """Return a copy of some of them, int [rows]."""
        parts = [getattr(self, item.name)[rows] for item in fields(self)[1:]]
        return Networks(self.problems.taken(rows), *parts)

    def snapshot(self) -> tuple[np.ndarray, ...]:
        """Return copies of everything that training changes."""
        return tuple(a.copy() for a in (self.weights, self.first, self.second, self.taken))

    def restore(self, rows: np.ndarray, snapshot: tuple[np.ndarray, ...]) -> None:
        """Take some networks, bool [N], back to a snapshot."""
        changing = (self.weights, self.first, self.second, self.taken)
        for now, before in zip(changing, snapshot, strict=True):
            now[rows] = before[rows]

    def train(
        self,
        rng: np.random.Generator,
        steps: int,
        rate: np.ndarray,
        dropout: np.ndarray,
        decay: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Train all of them; a network whose numbers overflow goes on with what is not finite.

        Args:
            rng: Of batches and dropout.
            steps: At least 1.
            rate: Learning rates [N].
            dropout: [N].
            decay: Weight decays [N].

        Returns:
            Means over the steps, float64 [N]: loss, gradient norm, norm of an update over that of
            the weights.
        """
        sums = np.zeros((3, len(rate)))
        killed = rate > self.limit
        scale = (rate[:, None] * np.where(IS_KERNEL > 0, self.reach[:, None], 1.0)).astype(
            np.float32
        )
        kept = (1.0 - dropout).astype(np.float32)[:, None, None]
        with np.errstate(all="ignore"):
            for step in range(steps):
                self._perish(killed, steps // 2 - step)
                loss, gradient = self._gradient(rng, kept)
                update = self._update(gradient, scale, decay.astype(np.float32)[:, None])
                norm = _norm(self.weights)
                self.weights -= update
                sums += loss, _norm(gradient), _norm(update) / (norm + EPSILON)
        return tuple(sums / steps)

    def _perish(self, rows: np.ndarray, left: int) -> None:
        """Let networks overshoot in the step before their end, then switch all units off for good.

        After that only the last biases go on learning.

        Args:
            rows: Which networks, bool [N].
            left: Steps until the end.
        """
        if left == 1:
            self.weights[rows] *= np.where(IS_KERNEL > 0, OVERSHOOT, 1.0)
        if left == 0:
            self.weights[rows, : ENDS[3]] = np.where(IS_KERNEL[: ENDS[3]] > 0, 0.0, DEAD)

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Return loss and score (accuracy, or R squared but at least 0) on validation, [N]."""
        problems = self.problems
        targets = problems.held[:, :, INPUTS:]
        with np.errstate(all="ignore"):
            outputs = self._hidden(problems.held[:, :, :INPUTS], None)[-1] @ self._parts()[4]
            outputs += self._parts()[5] + problems.offsets
            loss = _loss(outputs, targets, problems.regression)[0]
            right = outputs.argmax(2) == targets.argmax(2)
            spread = targets[:, :, 0].var(1, dtype=float)
            explained = np.maximum(1.0 - loss / (spread + EPSILON), 0.0)
        return loss, np.where(problems.regression, explained, right.mean(1))

    def _parts(self) -> list[np.ndarray]:
        starts = (0, *ENDS[:-1])
        return [
            self.weights[:, start:end].reshape(-1, *shape)
            for start, end, shape in zip(starts, ENDS, SHAPES, strict=True)
        ]

    def _hidden(
        self, inputs: np.ndarray, masks: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return both hidden layers' values [N, B, UNITS], after dropout."""
        one, bias_one, two, bias_two, *_ = self._parts()
        first = self._active(inputs @ one + bias_one)
        if masks is not None:
            first *= masks[0]
        second = self._active(first @ two + bias_two)
        if masks is not None:
            second *= masks[1]
        return first, second

    def _active(self, values: np.ndarray) -> np.ndarray:
        bent = np.flatnonzero(self.bent)
        curved = np.tanh(values[bent])
        np.maximum(values, 0.0, out=values)
        values[bent] = curved
        return values

    def _gradient(
        self, rng: np.random.Generator, kept: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses [N] and gradients [N, WEIGHTS] on a batch."""
        problems, count = self.problems, len(self.weights)
        rows = (rng.random((count, BATCH)) * problems.count[:, None]).astype(int)
        batch = problems.examples[np.arange(count)[:, None], rows]
        inputs, targets = batch[:, :, :INPUTS], batch[:, :, INPUTS:]
        masks = (rng.random((2, count, BATCH, UNITS), np.float32) < kept) / kept
        first, second = self._hidden(inputs, masks)
        _, _, two, _, last, bias = self._parts()
        loss, error = _loss(second @ last + bias + problems.offsets, targets, problems.regression)
        back = self._through(error @ last.transpose(0, 2, 1), second, masks[1], kept)
        before = self._through(back @ two.transpose(0, 2, 1), first, masks[0], kept)
        parts = []
        for values, slope in ((inputs, before), (first, back), (second, error)):
            parts += [values.transpose(0, 2, 1) @ slope, slope.sum(1)]
        return loss, np.concatenate([part.reshape(count, -1) for part in parts], 1)

    def _through(
        self, slope: np.ndarray, values: np.ndarray, mask: np.ndarray, kept: np.ndarray
    ) -> np.ndarray:
        """Return a loss's slope before an activation from the one after its dropout."""
        bent = np.flatnonzero(self.bent)
        inner = (values > 0).astype(np.float32)
        inner[bent] = 1.0 - (values[bent] * kept[bent]) ** 2
        return np.asarray(slope * inner * mask)

    def _update(self, gradient: np.ndarray, scale: np.ndarray, decay: np.ndarray) -> np.ndarray:
        """Follow the gradients, which are changed; return what is taken off the weights."""
        kind = self.optimizer[:, None]
        kernels = self.weights * IS_KERNEL
        apart = np.where(kind == ADAMW, decay, 0.0)
        gradient += (decay - apart) * kernels
        self._follow(gradient, kind)
        self.taken += 1
        taken = self.taken[:, None]
        fair = np.sqrt(1.0 - BETA_2**taken) / (1.0 - BETA_1**taken)
        moments = (kind != SGD) & (kind != RMSPROP)
        inside = np.where(kind == RMSPROP, EPSILON, 0.0).astype(np.float32)
        size = np.sqrt(self.second + inside)
        size += EPSILON
        size[self.optimizer == SGD] = 1.0
        update = self.first / size
        update *= scale * np.where(moments, fair, 1.0).astype(np.float32)
        kernels *= scale * apart
        update += kernels
        return update

    def _follow(self, gradient: np.ndarray, kind: np.ndarray) -> None:
        keeps = np.where(kind == SGD, MOMENTUM, np.where(kind == RMSPROP, 0.0, BETA_1))
        adds = np.where((kind == RMSPROP) | (kind == SGD), 1.0, 1.0 - BETA_1).astype(np.float32)
        squares = np.where(kind == RMSPROP, RHO, BETA_2).astype(np.float32)
        self.first *= keeps.astype(np.float32)
        self.first += adds * gradient
        self.second *= squares
        square = gradient**2
        square *= 1.0 - squares
        self.second += square


def draw_networks(rng: np.random.Generator, count: int) -> Networks:
    """Draw networks at the start of their training."""
    weights = np.zeros((count, WEIGHTS), np.float32)
    gain = 10 ** rng.uniform(-0.6, 0.15, count)
    for start, end, (ins, outs) in zip((0, *ENDS[:-1]), ENDS, SHAPES, strict=True):
        if ins > 1:
            limit = gain[:, None] * np.sqrt(6.0 / (ins + outs))
            weights[:, start:end] = limit * rng.uniform(-1.0, 1.0, (count, end - start))
    optimizer = rng.choice(len(OPTIMIZERS), count, p=SHARES)
    reach = 10 ** rng.uniform(-0.5, 1.4, count)
    bent = rng.random(count) < BENT
    fragile = ~bent & (rng.random(count) < FRAGILE)
    limit = np.where(fragile, 10 ** rng.uniform(-2.0, -1.0, count), np.inf) / reach
    return Networks(
        draw_problems(rng, count),
        weights,
        np.zeros_like(weights),
        np.zeros_like(weights),
        np.zeros(count, int),
        optimizer,
        reach.astype(np.float32),
        bent,
        limit,
    )


def _loss(
    outputs: np.ndarray, targets: np.ndarray, regression: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean losses, float64 [N] (cross-entropy or squared error), and their slopes."""
    top = outputs[:, :, :1]
    for column in range(1, CLASSES):  # much faster than a maximum over a short axis
        top = np.maximum(top, outputs[:, :, column : column + 1])
    shifted = outputs - top
    powers = np.exp(shifted)
    total = powers @ np.ones((CLASSES, 1), np.float32)
    crossed = np.log(total[:, :, 0]) - np.einsum("nbc,nbc->nb", targets, shifted)
    away = outputs[:, :, 0] - targets[:, :, 0]
    error = powers / total - targets
    error[regression] = 0.0
    error[regression, :, 0] = 2.0 * away[regression]
    losses = np.where(regression[:, None], away**2, crossed)
    return losses.mean(1, dtype=float), error / outputs.shape[1]


def _norm(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("nw,nw->n", values, values))
