"""What accuracy costs: scores against parameters and computation, with the Pareto front."""

from collections.abc import Callable, Sequence

from nas_core.report.charts import Dot, Frame, chart, curve, dots
from nas_core.report.data import SCORE
from nas_core.report.markup import Html, figure, legend, short
from nas_core.report.scales import fitted, logarithmic
from nas_core.store import TrialRow


def cost_charts(order: Sequence[TrialRow]) -> Html:
    """Return a chart per cost, for different networks with a score."""
    return Html("".join(_against_cost(order, *cost) for cost in COSTS))


def _against_cost(
    order: Sequence[TrialRow], name: str, unit: str, cost: Callable[[TrialRow], int | None]
) -> Html:
    """Return scores against a cost, with the networks that nothing cheaper matches in front."""
    points = [
        (value, row.score, row)
        for row in order
        if row.score is not None and (value := cost(row)) is not None and value > 0
    ]
    if len(points) < 2:
        return Html("")
    front = _front([(value, score) for value, score, _ in points])
    frame = Frame(
        f"Score against {name}",
        logarithmic(unit, [value for value, _, _ in points]),
        fitted(SCORE, [score for _, score, _ in points]),
    )
    groups: dict[bool, list[Dot]] = {False: [], True: []}
    for value, score, row in points:
        hint = f"trial {row.number}: {score:.4f}, {short(value)}"
        groups[(value, score) in front].append(Dot(value, score, hint))
    marks = [
        curve(frame, front, "pareto", "Pareto front", steps=True),
        dots(frame, groups[False], "agent faint"),
        dots(frame, groups[True], "pareto", 4.5),
    ]
    keys = legend([("agent faint", "network"), ("pareto", "nothing cheaper is as good")])
    return figure(f"Score against {name}", chart(frame, marks), key=keys)


def _front(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points that beat every cheaper one, cheapest first."""
    front: list[tuple[int, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


COSTS: tuple[tuple[str, str, Callable[[TrialRow], int | None]], ...] = (
    ("parameters", "parameters", lambda row: row.parameters),
    ("computation", "multiply-accumulates of one example", lambda row: row.macs),
)
