"""Figures as a table, for a terminal and for a document."""

from collections.abc import Sequence
from pathlib import Path

from figures import Figure

from nas_core.files import write_text

START, END = "<!-- figures -->", "<!-- end of figures -->"
HEADINGS = ("figure", "anchor", "asked for", "ours", "ok")


def _rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    return [
        (item.name, item.anchor or "-", item.target, item.measured, "yes" if item.ok else "NO")
        for item in figures
    ]


def text(figures: Sequence[Figure]) -> str:
    """Return lines with columns of equal width."""
    rows = [HEADINGS, *_rows(figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
             for row in rows)  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def markdown(figures: Sequence[Figure]) -> str:
    """Return a table in Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *_rows(figures)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def insert(document: Path, figures: Sequence[Figure]) -> None:
    """Put the table between the two marks of a document, in the place of an earlier one.

    Raises:
        ValueError: The marks are not there.
    """
    head, start, rest = document.read_text(encoding="utf-8").partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise ValueError(f"expected {START} and {END} in {document}, found neither or one")
    write_text(document, f"{head}{start}\n{markdown(figures)}{end}{tail}")
