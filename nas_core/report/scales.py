"""Axes: from values to pixels, with ticks at round numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nas_core.report.markup import is_number, short


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Attributes:
        title: What is measured, with its unit.
        low: Value at the start; positive when `log`.
        high: Value at the end, above `low`.
        ticks: Values that are marked, within [low, high].
        log: Whether equal steps are equal ratios.
    """

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def fraction(self, value: float) -> float:
        """Return the place of `value`, 0 at `low` and 1 at `high`."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def label(self, tick: float) -> str:
        """Return a tick as text, with the decimals that its neighbours need."""
        if self.log or abs(self.high) >= 10_000:
            return short(tick)
        step = min((b - a for a, b in zip(self.ticks, self.ticks[1:], strict=False)), default=1.0)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick:.{decimals}f}"


def _round_step(span: float, most: int) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that gives at most `most` steps."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(m * power for m in (1, 2, 5, 10) if span <= m * power * most * (1 + 1e-9))


def _multiples(step: float, low: float, high: float) -> tuple[float, ...]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(index * step, 12) for index in range(first, last + 1))


def fitted(title: str, values: Iterable[float], zero: bool = False, most: int = 5) -> Axis:
    """Return a linear axis around all finite values, widened to round numbers.

    Args:
        title: What is measured.
        values: May hold NaN and infinities, which are left out; may be empty.
        zero: Whether 0 has to be on the axis.
        most: Most steps between ticks.
    """
    finite = [value for value in values if is_number(value)] + ([0.0] if zero else [])
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if high - low < 1e-9:
        low, high = (low, low + 1.0) if zero else (low - 0.05, high + 0.05)
    step = _round_step(high - low, most)
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    return Axis(title, low, high, _multiples(step, low, high))


def counted(title: str, last: int) -> Axis:
    """Return an axis of whole numbers from 0 to `last`, ending where the data end."""
    high = max(last, 1)
    step = max(1.0, _round_step(high, 6))
    return Axis(title, 0.0, float(high), _multiples(step, 0.0, high))


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """Return a logarithmic axis around all positive finite values, ticks at 1, 2, 5 or 1 only."""
    positive = [value for value in values if is_number(value) and value > 0]
    low, high = min(positive, default=1.0) / 1.15, max(positive, default=10.0) * 1.15
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        ticks = tuple(m * 10.0**p for p in powers for m in multiples if low <= m * 10.0**p <= high)
        if len(ticks) >= 3:
            break
    return Axis(title, low, high, ticks, log=True)
