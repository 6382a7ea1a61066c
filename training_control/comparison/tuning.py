"""Which settings a method tries before it is compared: equally many for every method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

import numpy as np

from nas_core.errors import UsageError
from nas_core.seeding import generator
from training_control.comparison.methods import SCHEDULE, Method
from training_control.comparison.records import Parameters, Record
from training_control.schedules import SCHEDULES, Options

LOWEST, HIGHEST = 1e-4, 1e-1  # ends of the grid of initial learning rates
WIDEST = (1e-5, 1e-1)  # random search draws from here
FEWEST = 3
GRID_SCHEDULES = ("constant", "cosine", "step")
SEED = 1_000_000  # of tuning trainings: no compared training has it


@dataclass(frozen=True)
class Candidate:
    """A setting.

    Attributes:
        initial_lr: First learning rate.
        parameters: Of the method.
    """

    initial_lr: float
    parameters: Parameters = field(default_factory=dict)


def check_tuning(trainings: int) -> int:
    """Return the number of tuning trainings if it is enough.

    Raises:
        UsageError: It is below 3.
    """
    if trainings < FEWEST:
        raise UsageError(
            f"expected {FEWEST} tuning trainings or more of each method, received {trainings}"
        )
    return trainings


def first_candidates(method: Method, trainings: int) -> list[Candidate]:
    """Return what is tried first: all of a search's candidates, two thirds of the others'.

    Args:
        method: What is tuned.
        trainings: Of its whole tuning, 3 or more.
    """
    if method.design == "grid":
        return _grid(trainings)
    if method.design == "random":
        return _random(trainings)
    return [Candidate(rate, usual(method.options)) for rate in rates(_coarse(trainings))]


def next_candidates(method: Method, trainings: int, best: Candidate) -> list[Candidate]:
    """Return what is tried then, around the best so far; together exactly `trainings`.

    A method tries its parameters' other values, then rates in between those of the grid.
    """
    left = trainings - len(first_candidates(method, trainings))
    varied = [
        Candidate(best.initial_lr, {**best.parameters, name: value})
        for name, value in others(method.options)
    ][:left]
    between = _between(rates(_coarse(trainings)), best.initial_lr)[: left - len(varied)]
    return varied + [Candidate(rate, best.parameters) for rate in between]


def _coarse(trainings: int) -> int:
    return max(FEWEST, trainings - trainings // 3)


def _between(grid: Sequence[float], best: float) -> list[float]:
    """Return the middles between a grid's rates, those next to the best first."""
    middles = [float(np.sqrt(low * high)) for low, high in pairwise(grid)]
    near = sorted(middles, key=lambda rate: (round(abs(np.log(rate / best)), 6), -rate))
    return [_neat(rate) for rate in near]


def rates(count: int) -> list[float]:
    """Return initial learning rates, evenly spaced in their logarithm."""
    return [_neat(rate) for rate in np.geomspace(LOWEST, HIGHEST, count)]


def usual(options: Options) -> dict[str, float]:
    """Return the first value of each parameter."""
    return {name: values[0] for name, values in options.items()}


def others(options: Options) -> list[tuple[str, float]]:
    """Return the other values: the second of each parameter, then the third of each."""
    columns = [[(name, value) for value in values[1:]] for name, values in options.items()]
    return [pair for row in zip_longest(*columns) for pair in row if pair is not None]


def best_of(records: Sequence[Record]) -> int:
    """Return the place of the best: highest score, then lowest validation loss, then first."""

    def rank(place: int) -> tuple[float, float, int]:
        record = records[place]
        loss = np.inf if record.validation_loss is None else record.validation_loss
        return (-1.0 if record.crashed else record.score, -loss, -place)

    return max(range(len(records)), key=rank)


def _grid(trainings: int) -> list[Candidate]:
    count = -(-trainings // len(GRID_SCHEDULES))
    inner = np.geomspace(LOWEST, HIGHEST, count + 2)[1:-1]
    found = [
        Candidate(_neat(rate), {SCHEDULE: name, **usual(SCHEDULES[name].options)})
        for rate in inner
        for name in GRID_SCHEDULES
    ]
    return found[:trainings]


def _random(trainings: int) -> list[Candidate]:
    found = []
    for number in range(trainings):
        rng = generator(SEED, "random search", number)
        rate = _neat(float(np.exp(rng.uniform(*np.log(WIDEST)))))
        name = str(rng.choice(sorted(SCHEDULES)))
        drawn: Mapping[str, float] = {
            parameter: float(rng.choice(values))
            for parameter, values in SCHEDULES[name].options.items()
        }
        found.append(Candidate(rate, {SCHEDULE: name, **drawn}))
    return found


def _neat(rate: float) -> float:
    """Return a rate with two digits, as people would type it."""
    return float(f"{rate:.2g}")
