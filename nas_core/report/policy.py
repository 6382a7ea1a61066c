"""How a policy changed: reward and baseline, advantage and entropy of every update."""

from collections.abc import Sequence
from statistics import fmean

from nas_core.inspection import ENTROPY
from nas_core.report.charts import Dot, Frame, chart, curve, dots
from nas_core.report.data import ReportData
from nas_core.report.markup import Html, figure, is_number, legend, section
from nas_core.report.scales import counted, fitted
from nas_core.store import METRICS

SMOOTHED = 20  # parts of the run that a trend averages over: short runs are shown as they are
Update = dict[str, float]


def policy_section(data: ReportData) -> Html:
    """Return the section on the controller's updates; nothing for agents without a policy."""
    updates = [
        detail
        for _, kind, detail in data.events
        if kind == METRICS and isinstance(detail, dict) and is_number(detail.get(ENTROPY))
    ]
    if len(updates) < 2:
        return Html("")
    charts = _rewards(updates) + _advantages(updates) + _entropies(updates)
    return section("policy", "The policy", f'<div class="grid">{charts}</div>')


def _rewards(updates: Sequence[Update]) -> Html:
    rewards, baselines = _series(updates, "reward"), _series(updates, "baseline")
    if not rewards or not baselines:
        return Html("")
    frame = Frame(
        "Reward and baseline of every update",
        counted("update", len(updates)),
        fitted("reward", [value for _, value in rewards + baselines]),
    )
    marks = [
        dots(frame, _hints("mean reward", rewards), "agent faint"),
        curve(frame, baselines, "c2", "baseline"),
    ]
    keys = legend([("agent", "mean reward of the group"), ("c2", "moving baseline")])
    caption = "The baseline is the moving average of earlier rewards."
    return figure("Reward and baseline", chart(frame, marks), caption, keys)


def _advantages(updates: Sequence[Update]) -> Html:
    values = _series(updates, "advantage")
    caption = (
        "Reward minus the baseline before the group, mean over it: above 0 the controller proposes "
        "better networks than it did."
    )
    return _with_trend("Advantage", "mean advantage", values, len(updates), "c1", caption)


def _entropies(updates: Sequence[Update]) -> Html:
    values = _series(updates, ENTROPY)
    caption = "How open the decisions still are: 0 when the controller always proposes the same."
    return _with_trend("Entropy", "nats per decision", values, len(updates), "c4", caption)


def _with_trend(
    title: str,
    unit: str,
    values: Sequence[tuple[float, float]],
    last: int,
    css: str,
    caption: str,
) -> Html:
    """Return dots for all values and a line through their moving means, zero included."""
    if not values:
        return Html("")
    axis = fitted(unit, [value for _, value in values], zero=True)
    frame = Frame(f"{title} of every update", counted("update", last), axis)
    zero = curve(frame, [(0, 0.0), (max(last, 1), 0.0)], "zero", "0")
    line = curve(frame, trend(values), css, f"{title.lower()}, moving mean")
    marks = [zero, dots(frame, _hints(unit, values), f"{css} faint"), line]
    return figure(title, chart(frame, marks), caption)


def _series(updates: Sequence[Update], name: str) -> list[tuple[float, float]]:
    """Return (number of the update from 1, value) where a value was logged."""
    return [
        (float(number), update[name])
        for number, update in enumerate(updates, 1)
        if is_number(update.get(name))
    ]


def _hints(name: str, values: Sequence[tuple[float, float]]) -> list[Dot]:
    return [Dot(x, y, f"update {x:.0f}: {name} {y:.4f}") for x, y in values]


def trend(values: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the mean of each value and its neighbours, a twentieth of all of them.

    Args:
        values: (place, value) in order.
    """
    reach = len(values) // SMOOTHED // 2
    return [
        (x, fmean(value for _, value in values[max(0, at - reach) : at + reach + 1]))
        for at, (x, _) in enumerate(values)
    ]
