"""Learning-rate schedules, the baselines that an agent has to beat. Pure functions, no Keras.

A schedule gives the factor by which the initial rate is multiplied, from the part of the budget
that is used (0 at the start, below 1) or from the validation losses so far.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from nas_core.errors import UsageError

Options = Mapping[str, tuple[float, ...]]


def constant(_progress: float) -> float:
    """Return 1: the rate stays as it is."""
    return 1.0


def step(progress: float, *, gamma: float = 0.1, every: float = 1 / 3) -> float:
    """StepLR: multiply by `gamma` after each `every` of the budget.

    Args:
        progress: Part of the budget that is used, in [0, 1].
        gamma: In (0, 1].
        every: Part of the budget, in (0, 1].
    """
    return gamma ** math.floor(progress / every + 1e-9)  # 1e-9: a third three times is a whole


def exponential(progress: float, *, end: float = 0.01) -> float:
    """ExponentialLR: the same factor for each interval, `end` when the budget is used up.

    Args:
        progress: Part of the budget that is used, in [0, 1].
        end: In (0, 1].
    """
    return end**progress


def cosine(progress: float, *, warm_up: float = 0.0, end: float = 0.0) -> float:
    """CosineAnnealing (Loshchilov & Hutter 2017, equation 5, one cycle) behind a linear warm-up.

    Args:
        progress: Part of the budget that is used, in [0, 1].
        warm_up: Part of the budget over which the factor rises from a tenth to 1, in [0, 1).
        end: Factor when the budget is used up, in [0, 1].
    """
    if progress < warm_up:
        return 0.1 + 0.9 * progress / warm_up
    return _fall(1.0, end, (progress - warm_up) / (1.0 - warm_up))


def one_cycle(progress: float, *, rise: float = 0.25, start: float = 0.04) -> float:
    """One cycle (Smith & Topin 2018, with cosines as in fastai): up to 1, then down to nothing.

    Its initial rate is the peak, reached after `rise` of the budget.

    Args:
        progress: Part of the budget that is used, in [0, 1].
        rise: In (0, 1).
        start: First factor, in (0, 1]; the last one is 1e-4 of it.
    """
    if progress < rise:
        return _fall(start, 1.0, progress / rise)
    return _fall(1.0, 1e-4 * start, (progress - rise) / (1.0 - rise))


def plateau(
    losses: Sequence[float],
    *,
    factor: float = 0.5,
    patience: float = 3,
    min_delta: float = 1e-4,
    cooldown: float = 0,
) -> float:
    """ReduceLROnPlateau as Keras does it, replayed over all losses so far.

    Args:
        losses: Validation losses after each interval; one that is not finite never improves.
        factor: Of a reduction, in (0, 1).
        patience: Intervals without improvement before one, at least 1.
        min_delta: What counts as an improvement.
        cooldown: Intervals after a reduction that do not count.
    """
    best, waited, cooling, reductions = math.inf, 0, 0.0, 0
    for loss in losses:
        if cooling > 0:
            cooling, waited = cooling - 1, 0
        if loss < best - min_delta:
            best, waited = loss, 0
        elif cooling <= 0:
            waited += 1
            if waited >= patience:
                reductions, cooling, waited = reductions + 1, cooldown, 0
    return factor**reductions


def _fall(first: float, last: float, share: float) -> float:
    """Return half a cosine wave from `first` to `last`."""
    return last + (first - last) * (1.0 + math.cos(math.pi * min(share, 1.0))) / 2.0


@dataclass(frozen=True)
class Schedule:
    """A schedule and what there is to tune beside the initial rate.

    Attributes:
        shape: (progress, **parameters) -> factor, or (losses, **parameters) -> factor.
        options: Values of each parameter that tuning tries; the first one is the usual one.
        adaptive: Whether `shape` takes losses.
    """

    shape: Callable[..., float]
    options: Options
    adaptive: bool = False

    def factor(self, progress: float, losses: Sequence[float], **parameters: float) -> float:
        """Return the factor of the initial rate for the next interval.

        Args:
            progress: Part of the budget that is used, in [0, 1].
            losses: Validation losses after each interval so far.
            **parameters: Of the schedule.
        """
        return self.shape(losses if self.adaptive else progress, **parameters)


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        "constant": Schedule(constant, {}),
        "step": Schedule(step, {"gamma": (0.1, 0.3, 0.5), "every": (1 / 3, 0.5, 0.2)}),
        "exponential": Schedule(exponential, {"end": (0.01, 0.1, 0.001)}),
        "cosine": Schedule(cosine, {"warm_up": (0.0, 0.1, 0.05), "end": (0.0, 0.05)}),
        "plateau": Schedule(plateau, {"factor": (0.5, 0.1, 0.3), "patience": (3, 2, 5)}, True),
        "one-cycle": Schedule(one_cycle, {"rise": (0.25, 0.4), "start": (0.04, 0.1)}),
    }
)


def get_schedule(name: str) -> Schedule:
    """Return a schedule by name.

    Raises:
        UsageError: There is none.
    """
    if name not in SCHEDULES:
        raise UsageError(f"expected a schedule among {', '.join(SCHEDULES)}, received {name!r}")
    return SCHEDULES[name]
