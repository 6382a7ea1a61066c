"""`make faults`: measure every figure about faults, print one table, fail where one is missed.

    python tests/faults/figures.py [--only WORD] [--table FILE]

Counts come from the environment: NAS_FAULT_KILLS (per figure of random kills; 200 inside saves and
100 of drivers and workers by default), NAS_FAULT_MINUTES (least length of the run that is killed
nine times; 6), NAS_FAULT_MUTANTS (10000), NAS_SOAK_MOCK (1000) and NAS_SOAK_REAL (20).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "support"), str(HERE)]

import cluster_figures as cluster  # noqa: E402
import exact_figures as exact  # noqa: E402
import hostile_figures as hostile  # noqa: E402
from figures import Figure  # noqa: E402  # tests/support comes first on the path
from figures_table import insert, text  # noqa: E402

from nas_core.cli.progress import duration  # noqa: E402

Measured = Callable[[], Figure | list[Figure]]


def count(name: str, usual: int) -> int:
    return int(os.environ.get(name, usual))


@dataclass(frozen=True)
class Step:
    """One measurement.

    Attributes:
        name: For progress and `--only`.
        seconds: About how long it takes on two quiet cores.
        measure: Returns a figure or several.
    """

    name: str
    seconds: float
    measure: Measured


def steps() -> list[Step]:
    """Return all measurements, the quick ones first."""
    saves, kills = count("NAS_FAULT_KILLS", 200), count("NAS_FAULT_KILLS", 100)
    minutes = count("NAS_FAULT_MINUTES", 6)
    mock, real = count("NAS_SOAK_MOCK", 1000), count("NAS_SOAK_REAL", 20)
    mutants = count("NAS_FAULT_MUTANTS", 10_000)
    return [
        Step("commits", 10, lambda: exact.figure_commits(2000)),
        Step("listing", 15, lambda: exact.figures_listing(10_000)),
        Step("soak mock", mock * 0.01, lambda: exact.figure_soak_mock(mock)),
        Step("soak real", 15 + 1.5 * real, lambda: exact.figure_soak_real(real)),
        Step("saves", 0.2 * saves, lambda: exact.figure_saves(saves)),
        Step("planted", 60, exact.figure_planted),
        Step("kills", 1.5 * kills, lambda: exact.figure_kills(kills)),
        Step("ray kills", 150, lambda: cluster.figure_ray_kills(1)),
        Step("two workers", 120, lambda: cluster.figure_two_workers(6, 200)),
        Step("simulated workers", 20, lambda: cluster.figure_simulated_workers(2000)),
        Step("archives", 5, hostile.figure_archives),
        Step("corruption", 60, hostile.figure_corruption),
        Step("mutants", 0.012 * mutants, lambda: hostile.figure_mutants(mutants)),
        Step("interrupted", 95 * minutes, lambda: exact.figures_interrupted(9, 60.0 * minutes)),
    ]


def measured(step: Step) -> list[Figure]:
    """Return a step's figures; one that cannot be measured is one that is missed."""
    try:
        found = step.measure()
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return [Figure(step.name, "", "a measurement", line[-300:], ok=False)]
    return found if isinstance(found, list) else [found]


def main() -> int:
    """Return 0 if every figure is as good as it should be, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="measurements with this word in their name")
    parser.add_argument("--table", type=Path, help="also put the table into this document")
    options = parser.parse_args()
    wanted = [step for step in steps() if options.only in step.name]
    figures, began = [], time.monotonic()
    for place, step in enumerate(wanted):
        left = duration(sum(later.seconds for later in wanted[place:]))
        print(f"{place + 1}/{len(wanted)} {step.name}, about {left} left", file=sys.stderr)
        found = measured(step)
        figures += found
        print(text(found), file=sys.stderr)
    print(text(figures))
    print(f"\n{duration(time.monotonic() - began)}", file=sys.stderr)
    if options.table is not None:
        insert(options.table, figures)
    return 0 if figures and all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
