"""Charts as inline SVG: pure functions from data to markup, coloured by the page's style sheet.

Drawn here rather than by a plotting library because the page's light and dark colours, the hover
texts and 1,000 points in little space all need control over every element.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nas_core.report.markup import Html, esc, is_number
from nas_core.report.scales import Axis

WIDTH, HEIGHT = 560.0, 320.0  # of the view box; a chart fills the width it is given
RIGHT, TOP, BOTTOM = 18.0, 36.0, 48.0
LANE = 20.0  # height of the strip of one kind of failure


@dataclass(frozen=True)
class Frame:
    """The plane that marks are placed on.

    Attributes:
        label: What the chart shows, for screen readers.
        lanes: Names of strips below the plot, for marks that have no value on `y`.
    """

    label: str
    x: Axis
    y: Axis
    lanes: Sequence[str] = field(default=())

    @property
    def left(self) -> float:
        """Where the plot begins: names of strips need more room than numbers."""
        return 92.0 if self.lanes else 62.0

    @property
    def height(self) -> float:
        """Height of the picture."""
        return HEIGHT + LANE * len(self.lanes)

    def across(self, value: float) -> float:
        """Return the horizontal place of a value."""
        return self.left + self.x.fraction(value) * (WIDTH - RIGHT - self.left)

    def up(self, value: float) -> float:
        """Return the vertical place of a value."""
        return HEIGHT - BOTTOM - self.y.fraction(value) * (HEIGHT - BOTTOM - TOP)

    def lane(self, name: str) -> float:
        """Return the vertical middle of a strip."""
        return HEIGHT - BOTTOM + 8 + LANE * (self.lanes.index(name) + 0.5)


@dataclass(frozen=True)
class Dot:
    """One point with the text that appears on hovering; shown only where both are finite."""

    x: float
    y: float
    title: str


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, value: object, css: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{css}">{esc(value)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{css}"/>'


def _grid(frame: Frame) -> str:
    right = WIDTH - RIGHT
    bottom = frame.height - BOTTOM + (8 if frame.lanes else 0)
    parts = [_text(8, 18, frame.y.title, "axis start")]
    for tick in frame.y.ticks:
        y = frame.up(tick)
        parts.append(_line(frame.left, y, right, y, "rule"))
        parts.append(_text(frame.left - 8, y + 4, frame.y.label(tick), "tick end"))
    for tick in frame.x.ticks:
        x = frame.across(tick)
        parts.append(_line(x, bottom, x, bottom + 5, "rule"))
        parts.append(_text(x, bottom + 19, frame.x.label(tick), "tick"))
    for name in frame.lanes:
        y = frame.lane(name)
        parts.append(_line(frame.left, y, right, y, "rule dotted"))
        parts.append(_text(frame.left - 8, y + 4, name, "tick end"))
    parts.append(_text((frame.left + right) / 2, bottom + 39, frame.x.title, "axis"))
    return "".join(parts)


def chart(frame: Frame, marks: Iterable[str]) -> Html:
    """Return a chart: the frame's grid with `marks` (from the functions below) on it."""
    box = f"0 0 {_n(WIDTH)} {_n(frame.height)}"
    return Html(
        f'<svg class="chart" viewBox="{box}" role="img" aria-label="{esc(frame.label)}">'
        f"{_grid(frame)}{''.join(marks)}</svg>"
    )


def dots(frame: Frame, points: Iterable[Dot], css: str, radius: float = 3.5) -> str:
    """Return circles at the finite points."""
    circles = "".join(
        f'<circle cx="{_n(frame.across(p.x))}" cy="{_n(frame.up(p.y))}" r="{_n(radius)}">'
        f"<title>{esc(p.title)}</title></circle>"
        for p in points
        if is_number(p.x) and is_number(p.y)
    )
    return f'<g class="dot {css}">{circles}</g>' if circles else ""


def crosses(frame: Frame, lane: str, points: Iterable[tuple[float, str]], css: str) -> str:
    """Return crosses in a strip, from (value on the horizontal axis, hover text)."""
    y = frame.lane(lane)
    marks = "".join(
        f'<path d="M{_n(frame.across(x) - 3.5)} {_n(y - 3.5)}l7 7m0-7l-7 7">'
        f"<title>{esc(title)}</title></path>"
        for x, title in points
    )
    return f'<g class="cross {css}">{marks}</g>'


def curve(
    frame: Frame, points: Iterable[tuple[float, float]], css: str, title: str, steps: bool = False
) -> str:
    """Return a line through the points, broken where a value is not finite.

    Args:
        frame: Where to draw.
        points: (x, y), in drawing order.
        css: Class of the colour.
        title: Hover text.
        steps: Keep each value until the next point, as a best-so-far does.
    """
    path, joined, row = "", False, ""
    for x, y in points:
        if not (is_number(x) and is_number(y)):
            joined = False
            continue
        place, height = _n(frame.across(x)), _n(frame.up(y))
        if not joined:
            path += f"M{place} {height}"
        elif steps:
            path += f"H{place}" + (f"V{height}" if height != row else "")
        else:
            path += f"L{place} {height}"
        joined, row = True, height
    return f'<path class="line {css}" d="{path}"><title>{esc(title)}</title></path>' if path else ""


def band(frame: Frame, points: Sequence[tuple[float, float, float]], css: str) -> str:
    """Return the area between two lines, from finite (x, lower y, upper y) in drawing order."""
    there = [f"{_n(frame.across(x))} {_n(frame.up(low))}" for x, low, _ in points]
    back = [f"{_n(frame.across(x))} {_n(frame.up(high))}" for x, _, high in reversed(points)]
    return f'<path class="band {css}" d="M{"L".join(there + back)}Z"/>'


@dataclass(frozen=True)
class Bar:
    """One column of `bars`: a finite value with a name and a remark below it."""

    name: str
    remark: str
    value: float
    css: str


def bars(label: str, y: Axis, columns: Sequence[Bar]) -> Html:
    """Return a column chart, each column's value above it, its name and remark below.

    Args:
        label: What the chart shows, for screen readers.
        y: Axis of the values.
        columns: From left to right, at least one.
    """
    frame = Frame(label, Axis("", 0.0, float(len(columns)), ()), y)
    slot = frame.across(1) - frame.across(0)
    width = min(0.72 * slot, 56.0)
    marks = [_bar(frame, index + 0.5, bar, width) for index, bar in enumerate(columns)]
    return chart(frame, marks)


def _bar(frame: Frame, place: float, bar: Bar, width: float) -> str:
    x, top, foot = frame.across(place), frame.up(bar.value), frame.up(frame.y.low)
    title = f"{bar.name}: {bar.value:.4f}, {bar.remark}"
    return (
        f'<rect class="bar {bar.css}" x="{_n(x - width / 2)}" y="{_n(top)}" width="{_n(width)}" '
        f'height="{_n(max(foot - top, 0.5))}" rx="2"><title>{esc(title)}</title></rect>'
        + _text(x, top - 5, f"{bar.value:.2f}".removeprefix("0"), "tick strong")
        + _text(x, foot + 17, bar.name, "tick strong")
        + _text(x, foot + 34, bar.remark, "tick")
    )
