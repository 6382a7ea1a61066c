"""Simulated trainings in NumPy: thousands of episodes a minute, where agents start to learn.

The loss follows the noisy quadratic (see `quadratic`) with a drawn spectrum, noise, scale of useful
learning rates, floor and gap between training and validation. An agent sees it through the same
`Observer`, is paid by the same `Rewarder` and rolled back by the same rule as in a real training.
Only the learning rate acts; what the other controls do is left to real trainings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from training_control.controls import CONTROLS, OPTIMIZERS, ControlSet, Hyperparameters, changes
from training_control.masking import draw_masks
from training_control.observations import Measurement, Observer, observation_space
from training_control.rewards import Interval, ReturnScale, Rewarder
from training_control.safety import CUT, went_wrong

DIMENSION = 12
LOST = 5  # failures in a row that end a training
EXPLODED = 1e6  # loss, over the first one, that counts as not finite
SHOWN = ("learning_rate", "dropout", "weight_decay", "optimizer", "batch_size")


@dataclass(frozen=True, eq=False)
class Problem:
    """One drawn training.

    Attributes:
        curvatures: float64 [DIMENSION], at most 1.
        unit: Learning rate that is 1 in the quadratic.
        noise: Variance of gradients over curvature.
        first: Training loss at the start.
        floor: Part of `first` that cannot be learned.
        gap: Part of `first` by which validation stays above training when all is learned.
        jitter: Standard deviation of the logarithm of a measured validation loss.
        ceiling: Largest loss over `first`: adaptive optimizers stall rather than explode.
        steps: In an interval.
        decisions: Intervals.
    """

    curvatures: np.ndarray
    unit: float
    noise: float
    first: float
    floor: float
    gap: float
    jitter: float
    ceiling: float
    steps: int
    decisions: int


def draw_problem(rng: np.random.Generator) -> Problem:
    """Draw a training such as small networks show."""
    decisions = int(rng.integers(8, 41))
    steps = 10 ** rng.uniform(2.0, 3.5)
    return Problem(
        curvatures=np.logspace(-rng.uniform(1.5, 3.0), 0, DIMENSION),
        unit=float(10 ** rng.uniform(-3.5, -0.5)),
        noise=float(10 ** rng.uniform(-2.5, 0.5)),
        first=float(rng.uniform(0.7, 2.5)),
        floor=float(rng.uniform(0.02, 0.6)),
        gap=float(rng.uniform(0.0, 0.3)),
        jitter=float(10 ** rng.uniform(-3.0, -1.5)),
        ceiling=float(rng.choice((2.0, math.inf))),
        steps=max(round(steps / decisions), 1),
        decisions=decisions,
    )


class SimulatedTrainingEnv(gym.Env[np.ndarray, Any]):
    """Episodes on drawn problems, seen and acted on as `TrainingControlEnv` is."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium's name)

    def __init__(
        self,
        controls: Sequence[str] = ("learning_rate",),
        *,
        flat: bool = False,
        masking: bool = True,
        scale: ReturnScale | None = None,
    ) -> None:
        """Describe the episodes.

        Args:
            controls: As for `TrainingControlEnv`; all but the learning rate do nothing.
            flat: Several controls as one number.
            masking: Hide features and withhold controls at random.
            scale: Scales the rewards; its owner freezes and saves it.
        """
        self.controls = ControlSet(tuple(controls), flat=flat)
        self.action_space = self.controls.space()
        self.observation_space = observation_space()
        self._masking, self._scale = masking, scale

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a problem, first values and what can be seen."""
        super().reset(seed=seed)
        rng = self.np_random
        self._problem = problem = draw_problem(rng)
        hidden, available = draw_masks(rng, self.controls.names, self.controls.names)
        if not self._masking:
            hidden, available = (), self.controls.names
        self._available = available
        self._values = _first_values(rng, problem)
        self._observer = Observer(available, hidden)
        self._moments = np.ones(DIMENSION)
        self._unit_loss = float(np.sum(problem.curvatures))
        self._rewarder = Rewarder(self._validation())
        self._first = self._now = self._validation()
        self._done = self._failures = 0
        return self._observe(False, False, None), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply an action and train for one interval."""
        parts = self.controls.decode(action)
        before, moments = self._values, self._moments
        if parts is not None:
            self._values = self.controls.apply(before, parts, self._available)
        intervened = bool(changes(before, self._values))
        train, seen = self._train()
        finite = math.isfinite(seen)
        self._failures = 0 if finite else self._failures + 1
        trouble = went_wrong(self._first, self._now, seen)
        if trouble:
            lower = CUT * min(before.learning_rate, self._values.learning_rate)
            low = CONTROLS["learning_rate"].low
            self._moments, self._values = moments, replace(before, learning_rate=max(lower, low))
        else:
            self._now = seen
        self._done += 1
        lost = self._failures >= LOST
        ended = lost or self._done == self._problem.decisions
        reward = self._rewarder.reward(
            Interval(
                self._now,
                intervened,
                time=1 / self._problem.decisions,
                trouble=trouble,
                ended=ended,
                final_loss=None if lost else self._now,
            )
        )
        if self._scale is not None:
            reward = self._scale(reward, ended)
        observation = self._observe(intervened, trouble, train)
        return observation, reward, lost, ended and not lost, self._info()

    def _train(self) -> tuple[float, float]:
        """Return the mean training loss of an interval and the validation loss after it."""
        problem = self._problem
        rate = min(self._values.learning_rate / problem.unit, 1e3)
        before = self._training()
        with np.errstate(over="ignore", invalid="ignore"):
            shrink = (1 - rate * problem.curvatures) ** 2
            kept = shrink**problem.steps
            gathered = np.where(
                np.abs(1 - shrink) < 1e-9, problem.steps, (1 - kept) / (1 - shrink + 1e-12)
            )
            noise = rate**2 * problem.noise * problem.curvatures
            self._moments = self._moments * kept + noise * gathered
            largest = (problem.ceiling - problem.floor) / (1 - problem.floor)
            excess = float(problem.curvatures @ self._moments) / self._unit_loss
            if excess > largest:  # an adaptive optimizer stalls there
                self._moments = self._moments * (largest / excess)
        after = self._training()
        if not math.isfinite(after) or after > EXPLODED * problem.first:
            return math.inf, math.inf
        jitter = float(np.exp(problem.jitter * self.np_random.standard_normal()))
        return (before + 2 * after) / 3, self._validation() * jitter

    def _excess(self) -> float:
        return float(self._problem.curvatures @ self._moments) / self._unit_loss

    def _training(self) -> float:
        problem = self._problem
        return problem.first * (problem.floor + (1 - problem.floor) * self._excess())

    def _validation(self) -> float:
        learned = max(1 - self._excess(), 0.0)
        return self._training() + self._problem.first * self._problem.gap * learned**2

    def _observe(self, intervened: bool, trouble: bool, train: float | None) -> np.ndarray:
        problem, values = self._problem, self._values.values()
        squares = problem.curvatures**2 * (self._moments + problem.noise / problem.curvatures)
        norm = math.sqrt(float(np.sum(squares))) if np.isfinite(squares).all() else math.inf
        return self._observer.observe(
            Measurement(
                hyperparameters={name: values[name] for name in SHOWN},
                train_loss=train,
                validation_loss=self._now,
                metric=math.exp(-min(self._now, 50.0)),
                gradient_norm=None if train is None else norm,
                update_ratio=None if train is None else self._values.learning_rate * norm,
                progress=self._done / problem.decisions,
                intervened=intervened,
                trouble=trouble,
            )
        )

    def _info(self) -> dict[str, Any]:
        return {"validation_loss": self._now, "learning_rate": self._values.learning_rate}


def _first_values(rng: np.random.Generator, problem: Problem) -> Hyperparameters:
    wild = 10 ** rng.uniform(-5.0, 0.0)
    sensible = min(problem.unit * 10 ** rng.uniform(-1.0, 0.2), 1.0)
    return Hyperparameters(
        learning_rate=float(wild if rng.random() < 0.5 else sensible),
        dropout=float(rng.uniform(0.0, 0.5)),
        weight_decay=float(10 ** rng.uniform(-6.0, -2.0)),
        optimizer=str(rng.choice(OPTIMIZERS)),
        batch_size=int(rng.choice((16, 32, 64, 128))),
    )
