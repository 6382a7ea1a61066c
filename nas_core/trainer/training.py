"""One training from first weights to a curve: MetaQNN's ladder, the schedule, the best weights."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np

from nas_core.early_stopping import Stops, is_hopeless
from nas_core.seeding import derived_seed, generator
from nas_core.trainer.augmentation import draw_changes
from nas_core.trainer.base import Epoch
from nas_core.trainer.checkpoint import Checkpoints, Snapshot
from nas_core.trainer.control import Controller, open_controller
from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.loop import Loop, make_loop
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.schedule import better_than_random, ladder_rates, rate_at

PART_STEPS = 256  # of an epoch between two checkpoints at least

Weights = list[np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """How a training went.

    Attributes:
        curve: One entry per finished epoch of the last attempt.
        attempts: Trainings started on the ladder, at least 1.
        rate: Starting learning rate of the last attempt.
        problem: Why there is no score; empty if there is one.
        interventions: What the recipe's controller did in the last attempt; None without one.
    """

    curve: tuple[Epoch, ...]
    attempts: int
    rate: float
    problem: str = ""
    interventions: list[dict[str, Any]] | None = None


@dataclass
class _Standing:
    """Where a training stands: all that changes from epoch to epoch.

    Attributes:
        model: What is trained.
        loop: What trains it.
        fresh: Attempt -> the untrained model that it starts with.
        best: Remembers the best epoch; None where nobody asks for it.
        rng: Decides the order and the augmentation of images.
        batch: Images per step.
        attempt: On the ladder, from 0.
        curve: One entry per finished epoch of this attempt.
        parts: Of the present epoch: mean loss, accuracy and number of steps of each that is done.
        drawn: State of `rng` before the present epoch's draws.
        controller: Decides on the learning rate; None for the recipe's schedule.
        before: Under a controller, model and loop at the start of the present epoch.
    """

    model: keras.Model
    loop: Loop
    fresh: Callable[[int], keras.Model]
    best: "_Best | None"
    rng: np.random.Generator
    batch: int
    attempt: int = 0
    curve: list[Epoch] = field(default_factory=list)
    parts: list[tuple[float, float, int]] = field(default_factory=list)
    drawn: dict[str, Any] = field(default_factory=dict)
    controller: Controller | None = None
    before: tuple[Weights, Weights] = ([], [])

    def snapshot(self) -> Snapshot:
        """Return copies of everything."""
        # All variables, not just weights: those of seed generators decide dropout.
        arrays = {"model": _values(self.model), "loop": self.loop.state()}
        state = {
            "attempt": self.attempt,
            "curve": [list(astuple(epoch)) for epoch in self.curve],
            # In the middle of an epoch its order is drawn again.
            "rng": self.drawn if self.parts else self.rng.bit_generator.state,
            "parts": self.parts,
        }
        if self.best is not None:
            arrays["best"] = self.best.weights
            state["best"] = self.best.accuracy
        if self.controller is not None:
            arrays["model before"], arrays["loop before"] = self.before
            state["controller"] = self.controller.state()
        return Snapshot(arrays, state)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a copy."""
        arrays, state = snapshot.arrays, snapshot.state
        self.go_back(arrays["model"], arrays["loop"])
        self.rng.bit_generator.state = state["rng"]
        self.attempt = state["attempt"]
        self.curve = [Epoch(*values) for values in state["curve"]]
        self.parts = [tuple(values) for values in state["parts"]]
        if self.best is not None:
            self.best.weights, self.best.accuracy = arrays["best"], state["best"]
        if self.controller is not None:
            self.before = arrays["model before"], arrays["loop before"]
            self.controller.load_state(state["controller"])

    def begin_again(self) -> None:
        """Set the first weights of this attempt and forget the optimizer's moments."""
        self.model.set_weights(self.fresh(self.attempt).get_weights())
        self.loop.restart()

    def go_back(self, variables: Weights, loop: Weights) -> None:
        """Set the model's variables and what the optimizer remembers."""
        for variable, array in zip(self.model.variables, variables, strict=True):
            # NumPy forgets the names of types that are not its own, such as bfloat16.
            own = keras.ops.convert_to_numpy(variable).dtype
            variable.assign(array.view(own) if array.dtype.kind == "V" else array)
        self.loop.load_state(loop)


def _values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable).copy() for variable in model.variables]


def score_of(curve: tuple[Epoch, ...], recipe: Recipe) -> float:
    """Return the mean of the best, or the last, `recipe.score_epochs` validation accuracies."""
    accuracies = [epoch.val_accuracy for epoch in curve]
    if recipe.score == "best":
        accuracies.sort()
    counted = accuracies[-recipe.score_epochs :]  # fewer of a training that was stopped
    return sum(counted) / len(counted)


def train(
    build: Callable[[int], keras.Model],
    pixels: Pixels,
    recipe: Recipe,
    seed: int,
    *,
    batch: int | None = None,
    keep_best: bool = False,
    checkpoints: Checkpoints | None = None,
    stops: Stops = (),
) -> tuple[keras.Model, Outcome]:
    """Train one architecture.

    Sets Keras's global seed, so it belongs into a process of its own, or into one whose other
    parts draw from generators of their own.

    Args:
        build: Number of training steps -> an untrained model; called again for each restart.
        pixels: Data.
        recipe: How to train.
        seed: Decides weights, dropout, the order of images and their augmentation.
        batch: Images per step; None for the recipe's.
        keep_best: Whether the model ends with the weights of the epoch of best validation
            accuracy (the first of equals) rather than the last epoch's; for recipes with score
            "best".
        checkpoints: Where a long training keeps its state; one that is there already goes on from
            it, and ends exactly as if it had never stopped (on one processor thread).
        stops: Accuracy below which it ends after each of the first epochs.

    Returns:
        The trained model and how the training went.
    """
    size = min(recipe.batch_size if batch is None else batch, len(pixels.train.labels))
    steps = len(pixels.train.labels) // size * recipe.epochs
    fresh = partial(_fresh, build, steps, seed)
    model = fresh(0)
    loop = make_loop(model, pixels, recipe, size)
    best = _Best(model) if keep_best and recipe.score == "best" else None
    standing = _Standing(model, loop, fresh, best, generator(seed, "images", 0), size)
    rates = ladder_rates(recipe)
    found = None if checkpoints is None else checkpoints.load()
    attempt = 0 if found is None else found.state["attempt"]
    standing.controller = _controller(recipe, rates[attempt])
    if found is not None:
        standing.restore(found)
    while (outcome := _attempt(standing, pixels, recipe, rates, checkpoints, stops)) is None:
        standing.attempt += 1
        if standing.attempt == len(rates):
            problem = (
                f"never better than random, at {len(rates)} learning rates down to {rates[-1]:.3g}"
            )
            return model, Outcome((), len(rates), rates[-1], problem)
        standing.begin_again()
        standing.rng, standing.curve = generator(seed, "images", standing.attempt), []
        standing.parts = []
        standing.controller = _controller(recipe, rates[standing.attempt])
    if best is not None:
        best.restore()
    return model, outcome


def _fresh(build: Callable[[int], keras.Model], steps: int, seed: int, attempt: int) -> keras.Model:
    keras.utils.set_random_seed(derived_seed(seed, "weights", attempt))
    return build(steps)


def _attempt(
    standing: _Standing,
    pixels: Pixels,
    recipe: Recipe,
    rates: Sequence[float],
    checkpoints: Checkpoints | None,
    stops: Stops,
) -> Outcome | None:
    """Return one training's outcome, or None if its first epoch was not better than random."""
    rate, attempts = rates[standing.attempt], standing.attempt + 1
    for epoch in range(len(standing.curve), recipe.epochs):
        finished = _next_epoch(standing, pixels, recipe, epoch, rate, checkpoints)
        if not _finite(finished):
            problem = f"the loss was not finite in epoch {epoch + 1}"
            return Outcome(tuple(standing.curve), attempts, rate, problem, _log(standing))
        standing.curve.append(finished)
        if epoch == 0 and recipe.restarts > 0:
            accuracy, margin = finished.val_accuracy, recipe.random_margin
            if not better_than_random(accuracy, pixels.classes, margin):
                return None
        if standing.best is not None:
            standing.best.consider(finished.val_accuracy)
        if is_hopeless(epoch + 1, finished.val_accuracy, stops):
            break
        if checkpoints is not None and checkpoints.due():
            checkpoints.save(standing.snapshot)
    return Outcome(tuple(standing.curve), attempts, rate, interventions=_log(standing))


def _controller(recipe: Recipe, rate: float) -> Controller | None:
    if recipe.controller is None:
        return None
    return open_controller(recipe.controller, rate, recipe.optimizer)


def _log(standing: _Standing) -> list[dict[str, Any]] | None:
    return None if standing.controller is None else standing.controller.interventions


def _next_epoch(
    standing: _Standing,
    pixels: Pixels,
    recipe: Recipe,
    epoch: int,
    start: float,
    checkpoints: Checkpoints | None,
) -> Epoch:
    """Train an epoch at the schedule's rate, or at the controller's, which may take it back.

    What is then recorded of it is the validation of the weights that are kept. An epoch after which
    the training begins again is recorded as it went: its weights stay until the next one starts.
    """
    controller = standing.controller
    if controller is None:
        return _epoch(standing, pixels, recipe, rate_at(recipe, epoch, start), checkpoints)
    if not standing.parts:  # else it goes on in the middle, and knows how the epoch began
        if epoch == 0:
            controller.begin(standing.loop.validate()[0])
        elif controller.begins_again:
            standing.begin_again()
        standing.before = _values(standing.model), standing.loop.state()
    finished = _epoch(standing, pixels, recipe, controller.rate, checkpoints)
    if not controller.see(finished, epoch + 1, recipe.epochs):
        return finished
    standing.go_back(*standing.before)
    standing.parts.clear()
    held = standing.loop.validate()
    loss = finished.loss if math.isfinite(finished.loss) else held[0]
    return Epoch(loss, finished.accuracy, *held, finished.learning_rate)


def _epoch(
    standing: _Standing,
    pixels: Pixels,
    recipe: Recipe,
    rate: float,
    checkpoints: Checkpoints | None,
) -> Epoch:
    count, parts, span = len(pixels.train.labels), standing.parts, PART_STEPS * standing.batch
    standing.drawn = dict(standing.rng.bit_generator.state)
    order = standing.rng.permutation(count).astype(np.int32)
    changes = draw_changes(recipe.augmentation, count, pixels.image_shape, standing.rng)
    whole = count - count % standing.batch
    for start in range(len(parts) * span, whole, span):
        rows = slice(start, start + span)
        loss, accuracy = standing.loop.train_epoch(order[rows], changes[rows], rate)
        parts.append((loss, accuracy, min(span, whole - start) // standing.batch))
        if not math.isfinite(loss):
            return Epoch(loss, accuracy, math.nan, 0.0, rate)
        if start + span < whole and checkpoints is not None and checkpoints.due():
            checkpoints.save(standing.snapshot)
    loss, accuracy = _over(parts)
    parts.clear()
    return Epoch(loss, accuracy, *standing.loop.validate(), rate)


def _over(parts: Sequence[tuple[float, float, int]]) -> tuple[float, float]:
    """Return mean loss and accuracy of an epoch from those of its parts."""
    if len(parts) == 1:
        return parts[0][:2]
    steps = sum(part[2] for part in parts)
    return (
        sum(part[0] * part[2] for part in parts) / steps,
        sum(part[1] * part[2] for part in parts) / steps,
    )


def _finite(epoch: Epoch) -> bool:
    return math.isfinite(epoch.loss) and math.isfinite(epoch.val_loss)


class _Best:
    """Remembers the weights of the best epoch.

    Attributes:
        accuracy: Its validation accuracy; -1 before the first.
        weights: Empty before the first.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self.accuracy = -1.0
        self.weights: Weights = []

    def consider(self, accuracy: float) -> None:
        """Keep the present weights if no epoch before was as good."""
        if accuracy > self.accuracy:
            self.accuracy, self.weights = accuracy, self._model.get_weights()

    def restore(self) -> None:
        """Give the model the best weights back."""
        if self.weights:
            self._model.set_weights(self.weights)
