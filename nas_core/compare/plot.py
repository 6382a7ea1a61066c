"""Best-so-far curves with their intervals, as a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from nas_core.compare.comparison import RANDOM, Comparison
from nas_core.compare.statistics import interval, resamples
from nas_core.errors import UsageError
from nas_core.files import write_with

SUFFIXES = (".png", ".svg")
PANEL = (6.0, 4.2)  # inches
GREY = "0.45"  # of random search, which the others are seen against


def check_plot(path: Path) -> None:
    """Refuse a file that is no picture, before anything is searched.

    Raises:
        UsageError: Another suffix than png and svg.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"expected --plot with {' or '.join(SUFFIXES)}, received {path}")


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw one panel per metric: the mean over seeds, and its interval as a band.

    Raises:
        UsageError: The suffix is unknown, or the file cannot be written.
    """
    check_plot(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure  # without pyplot: no display is asked for

    count = len(comparison.metrics)
    with mpl.rc_context({"svg.hashsalt": "nas", "svg.fonttype": "none"}):
        figure = Figure(figsize=(PANEL[0] * count, PANEL[1]), layout="constrained")
        for axes, metric in zip(
            np.atleast_1d(figure.subplots(1, count)), comparison.metrics, strict=True
        ):
            _draw(axes, comparison, metric)
        figure.suptitle(
            f"{comparison.space}: best so far, mean of {comparison.seeds} seeds and its 95 % "
            "interval"
        )
        try:
            write_with(path, lambda file: figure.savefig(file, dpi=150))
        except OSError as error:
            raise UsageError(
                f"expected to write {path} ({error.strerror}): choose another place"
            ) from error


def _draw(axes: Any, comparison: Comparison, metric: str) -> None:
    weights = resamples(comparison.seeds)
    number = np.arange(1, comparison.evaluations[-1] + 1)
    for agent in comparison.agents:
        curves = comparison.curves[agent, metric]
        low, high = interval(curves, weights)
        style = {"color": GREY, "linestyle": "--"} if agent == RANDOM else {}
        (line,) = axes.plot(number, curves.mean(axis=0), label=agent, **style)
        axes.fill_between(number, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    # The first few evaluations are far below the rest and would flatten everything.
    settled = [curve.mean(axis=0)[len(number) // 10 :] for curve in _of(comparison, metric)]
    axes.set_ylim(bottom=min(float(curve.min()) for curve in settled))
    axes.set_xlabel("evaluations")
    axes.set_ylabel(metric)
    axes.legend()


def _of(comparison: Comparison, metric: str) -> list[np.ndarray]:
    return [comparison.curves[agent, metric] for agent in comparison.agents]
