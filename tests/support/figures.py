"""One row of the table that `make faults` prints."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured figure beside what was asked for.

    Attributes:
        name: What was measured, with its counts.
        anchor: What other tools were measured to do.
        target: What is asked for here.
        measured: What was found here.
        ok: Whether the target was met.
    """

    name: str
    anchor: str
    target: str
    measured: str
    ok: bool
