"""Trainings of small networks in NumPy, hundreds side by side, where agents start to learn.

What is trained is small (`small_networks`), but trained for real: rates too low show, rates too
high ruin weights, dropout and weight decay act, what is memorised raises the validation loss. An
agent sees it through the same `Observers`, is paid by the same `Rewarder` and rolled back by the
same rules as in any other training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training_control.controls import CONTROLS, KEEP, RATE_MOVES, ControlSet
from training_control.masking import draw_masks
from training_control.observations import Observers
from training_control.rewards import Interval, ReturnScale, Rewarder, gain
from training_control.safety import CUT, starts_afresh, went_wrong
from training_control.small_networks import draw_networks

STEPS = 6  # of the networks in an interval
DECISIONS = (8, 50)  # fewest and most intervals of a training
BLOWN_UP = 100.0  # a validation loss above this many times the first is as good as infinite
LOST = 5  # intervals in a row that blew up: the training is given up
TURNED = ("learning_rate", "dropout", "weight_decay")  # what acts on the networks
WATCHED = 0.7  # share of the trainings that are observed before their first interval
BATCHES = (16, 32, 64, 128)  # shown to the agent, without effect
LOWEST, HIGHEST = 1e-5, 1.0  # first learning rates
STARTS = (0.45, 0.35, 0.2)  # shares of first rates anywhere, near what is useful, and far too high
FACTORS = np.array([1.0 if move == KEEP else float(move[1:]) for move in RATE_MOVES])


@dataclass(frozen=True)
class Told:
    """What a step of several trainings gives.

    Attributes:
        observations: float32 [N, features]; where a training has ended, the first of the next one.
        rewards: float64 [N].
        ended: bool [N].
        gains: log(first / last validation loss) of those that ended, clipped to [-1, 5], NaN
            elsewhere, float64 [N].
    """

    observations: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray
    gains: np.ndarray


class SimulatedTrainings:
    """Several trainings, one after the other in each place, under one agent.

    Attributes:
        controls: What the agent turns.
        count: Trainings at a time.
    """

    def __init__(
        self,
        controls: Sequence[str],
        count: int,
        *,
        flat: bool = False,
        scale: ReturnScale | None = None,
    ) -> None:
        """Describe the trainings.

        Args:
            controls: Any of `TURNED`.
            count: How many at a time.
            flat: Several controls as one number.
            scale: Scales the rewards; its owner freezes and saves it.
        """
        self.controls, self.count = ControlSet(tuple(controls), flat=flat), count
        self._scale = scale
        self._places = [TURNED.index(name) for name in self.controls.names]

    def reset(self, seed: int) -> np.ndarray:
        """Start new trainings everywhere; return what the agent sees, float32 [N, features]."""
        self._rng = rng = np.random.default_rng(seed)
        count = self.count
        self._networks = draw_networks(rng, count)
        self._fresh = self._networks.weights.copy()
        self._observers, self._rewarder = Observers(count), Rewarder(np.ones(count))
        self._values = {name: np.zeros(count) for name in TURNED}
        self._batch, self._loud, self._ratio, self._unit = (np.zeros(count) for _ in range(4))
        self._untrained, self._untrained_score = np.zeros(count), np.zeros(count)
        self._first, self._now = np.zeros(count), np.zeros(count)
        self._score = np.zeros(count)
        self._available = np.zeros((count, len(TURNED)), bool)
        self._decisions, self._done, self._failures = (np.zeros(count, int) for _ in range(3))
        self._watched = np.zeros(count, bool)
        self._progress = [np.full(count, np.nan) for _ in range(3)]
        self._begin(np.arange(count))
        still = np.zeros(count, bool)
        return self._observe(still, still)

    def _begin(self, rows: np.ndarray) -> None:
        """Draw new trainings for some places, int [rows]."""
        rng, count = self._rng, len(rows)
        networks = draw_networks(rng, count)
        self._networks.put(rows, networks)
        self._fresh[rows] = networks.weights
        self._draw_values(rows)
        for row in rows:
            hidden, acting = draw_masks(rng, TURNED, self.controls.names)
            self._observers.restart(int(row), acting, hidden)
            self._available[row] = [name in acting for name in TURNED]
        self._decisions[rows] = rng.integers(DECISIONS[0], DECISIONS[1] + 1, count)
        self._loud[rows], self._ratio[rows] = 10 ** rng.uniform(-1.0, 1.0, (2, count))
        self._unit[rows] = 10 ** rng.uniform(-0.5, 0.5, count)
        self._done[rows] = self._failures[rows] = 0
        self._watched[rows] = rng.random(count) < WATCHED
        loss, score = networks.evaluate()
        self._untrained[rows], self._untrained_score[rows] = loss, score
        for part in self._progress:
            part[rows] = np.nan
        unseen = np.flatnonzero(~self._watched[rows])
        loss[unseen], score[unseen] = self._train_unseen(rows[unseen], loss[unseen], score[unseen])
        self._first[rows] = self._now[rows] = loss
        self._score[rows] = score
        self._rewarder.restart(rows, loss)

    def _draw_values(self, rows: np.ndarray) -> None:
        rng, count = self._rng, len(rows)
        anywhere = 10 ** rng.uniform(np.log10(LOWEST), np.log10(HIGHEST), count)
        useful = 10 ** rng.uniform(-2.8, -1.3, count) / self._networks.reach[rows]
        high = 10 ** rng.uniform(-1.7, np.log10(HIGHEST), count)
        drawn = rng.choice(3, count, p=STARTS)
        self._values["learning_rate"][rows] = np.choose(drawn, (anywhere, useful, high))
        self._values["dropout"][rows] = rng.uniform(0.0, 0.6, count)
        self._values["weight_decay"][rows] = 10 ** rng.uniform(-6.0, -2.0, count)
        self._batch[rows] = rng.choice(BATCHES, count)

    def _train_unseen(
        self, rows: np.ndarray, loss: np.ndarray, score: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train an interval before the first look, as a callback meets it; return what is seen."""
        if len(rows) == 0:
            return loss, score
        part = self._networks.taken_out(rows)
        values = [self._values[name][rows] for name in TURNED]
        measured = part.train(self._rng, STEPS, *values)
        seen, right = part.evaluate()
        fine = np.isfinite(seen) & (seen <= BLOWN_UP * loss)
        self._networks.put(rows[fine], part.taken_out(np.flatnonzero(fine)))
        self._watched[rows[~fine]] = True
        self._done[rows[fine]] = 1
        for kept, new in zip(self._progress, measured, strict=True):
            kept[rows[fine]] = new[fine]
        return np.where(fine, seen, loss), np.where(fine, right, score)

    def step(self, actions: np.ndarray) -> Told:
        """Apply the actions [N] or [N, controls], train for an interval, pay and look."""
        before = dict(self._values)
        self._apply(actions)
        changed = np.any([before[n] != self._values[n] for n in TURNED], 0)
        self._start_afresh(self._values["learning_rate"] < before["learning_rate"])
        snapshot = self._networks.snapshot()
        values = [self._values[name] for name in TURNED]
        self._progress = list(self._networks.train(self._rng, STEPS, *values))
        trouble = self._judge(before, snapshot)
        lost = self._failures >= LOST
        ended = lost | (self._done >= self._decisions)
        final = np.where(lost, np.inf, self._now)
        rewards = self._rewarder.reward(
            Interval(self._now, changed, 0.0, 1 / self._decisions, trouble, ended, final)
        )
        gains = np.where(ended, gain(self._first, final), np.nan)
        if self._scale is not None:
            rewards = self._scale(rewards, ended)
        if ended.any():
            self._begin(np.flatnonzero(ended))
        return Told(self._observe(changed & ~ended, trouble & ~ended), rewards, ended, gains)

    def _apply(self, actions: np.ndarray) -> None:
        """Set the values that the actions mean."""
        moves = self.controls.moves_of(np.asarray(actions)).reshape(self.count, -1)
        for column, place in enumerate(self._places):
            name = TURNED[place]
            control = CONTROLS[name]
            after = self._values[name] * FACTORS[moves[:, column]]
            after = np.clip(after, control.low, control.high)
            self._values[name] = np.where(self._available[:, place], after, self._values[name])

    def _start_afresh(self, cut: np.ndarray) -> None:
        """Give the first weights to trainings that have learned nothing and whose rate falls."""
        share = self._done / self._decisions
        afresh = (self._done > 0) & starts_afresh(cut, share, self._untrained, self._now)
        networks = self._networks
        networks.weights[afresh] = self._fresh[afresh]
        networks.first[afresh] = networks.second[afresh] = 0.0
        networks.taken[afresh] = 0
        self._now = np.where(afresh, self._untrained, self._now)
        self._score = np.where(afresh, self._untrained_score, self._score)

    def _judge(self, before: dict[str, np.ndarray], snapshot: Any) -> np.ndarray:
        """Evaluate, take back what went wrong; return where it did, bool [N]."""
        seen, score = self._networks.evaluate()
        sane = np.isfinite(seen) & (seen <= BLOWN_UP * self._first)
        self._failures = np.where(sane, 0, self._failures + 1)
        trouble: np.ndarray = went_wrong(self._first, self._now, seen)
        self._now = np.where(trouble, self._now, seen)
        self._score = np.where(trouble, self._score, score)
        self._networks.restore(trouble, snapshot)
        rates, acts = self._values["learning_rate"], self._available[:, 0]
        lower = CUT * np.minimum(rates, before["learning_rate"])
        lower = np.maximum(lower, CONTROLS["learning_rate"].low)
        for name in TURNED:
            self._values[name] = np.where(trouble & acts, before[name], self._values[name])
        self._values["learning_rate"] = np.where(
            trouble & acts, lower, self._values["learning_rate"]
        )
        self._done += 1
        return trouble

    def _observe(self, changed: np.ndarray, trouble: np.ndarray) -> np.ndarray:
        loss, norm, ratio = self._progress
        return self._observers.observe(
            {
                **self._values,
                "optimizer": self._networks.optimizer.astype(float),
                "batch_size": self._batch,
                "train_loss": loss * self._unit,
                "validation_loss": self._now * self._unit,
                "metric": self._score,
                "gradient_norm": norm * self._loud,
                "update_ratio": ratio * self._ratio,
                "progress": self._done / self._decisions,
                "intervened": changed,
                "trouble": trouble,
            }
        )
