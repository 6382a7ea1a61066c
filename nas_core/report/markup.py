"""Small pieces of HTML: escaping, numbers for people, tables. Everything unknown is escaped."""

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

NOTHING = "–"


class Html(str):
    """Markup that may enter the page as it is; any other value is escaped first."""


def esc(value: object) -> Html:
    """Return `value` as text that is safe between tags and inside quoted attributes."""
    if isinstance(value, Html):
        return value
    # A lone surrogate, which JSON allows, cannot be written as UTF-8.
    return Html(html.escape(str(value).encode("utf-8", "replace").decode(), quote=True))


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite int or float (and no bool)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def accuracy(value: Any) -> str:
    """Return an accuracy with four decimals."""
    return f"{value:.4f}" if is_number(value) else NOTHING


def whole(value: Any) -> str:
    """Return a whole number with separators, such as 1,234,567."""
    return f"{value:,.0f}" if is_number(value) else NOTHING


def short(value: Any) -> str:
    """Return a large number in three digits, such as 12.3 M."""
    if not is_number(value):
        return NOTHING
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def duration(seconds: Any) -> str:
    """Return seconds as people say them, such as 2 h 05 min."""
    if not is_number(seconds):
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun, such as ``1 trial`` or ``1,200 trials``."""
    several = f"{noun}s" if nouns is None else nouns
    return f"{count:,} {noun if count == 1 else several}"


def mean_and_spread(values: Sequence[float]) -> str:
    """Return the mean, with the sample standard deviation where there are two values or more."""
    if not values:
        return NOTHING
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return accuracy(mean)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{mean:.4f} ± {spread:.4f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numeric: int = 0) -> Html:
    """Return a table; cells are escaped unless they are `Html`.

    Args:
        head: Column titles.
        rows: Cells, in the order of `head`.
        numeric: How many of the last columns hold numbers and are set flush right.
    """
    first = len(head) - numeric
    lines = [
        "".join(f"<td{_right(i, first)}>{esc(c)}</td>" for i, c in enumerate(row)) for row in rows
    ]
    top = "".join(f'<th scope="col"{_right(i, first)}>{esc(c)}</th>' for i, c in enumerate(head))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    whole_table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return Html(f'<div class="scroll">{whole_table}</div>')


def _right(column: int, first: int) -> str:
    return ' class="number"' if column >= first else ""


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Return labelled values side by side."""
    items = "".join(
        f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in pairs
    )
    return Html(f'<dl class="facts">{items}</dl>')


def legend(items: Iterable[tuple[str, str]]) -> Html:
    """Return the key of a chart from (class of the colour, label)."""
    keys = "".join(f'<li><i class="key {css}"></i>{esc(label)}</li>' for css, label in items)
    return Html(f'<ul class="legend">{keys}</ul>')


def figure(title: str, chart: str, caption: str = "", key: str = "") -> Html:
    """Return a titled chart with its key and an explanation; all but the title is markup."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return Html(f"<figure><h3>{esc(title)}</h3>{chart}{key}{below}</figure>")


def section(name: str, title: str, body: str) -> Html:
    """Return a section that the page's table of contents can point to; nothing for no body."""
    if not body:
        return Html("")
    return Html(f'<section id="{name}"><h2>{esc(title)}</h2>{body}</section>')
