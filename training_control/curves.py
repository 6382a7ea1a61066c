"""Pictures: every hyperparameter over time beside the loss; scores over initial learning rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import UsageError
from nas_core.files import write_with
from training_control.controls import CONTROLS

PANEL = (4.2, 3.0)  # inches
LOGARITHMIC = ("learning_rate", "weight_decay", "batch_size", "units")
COLUMNS = 3


@dataclass(frozen=True)
class Curve:
    """One training as it is drawn.

    Attributes:
        name: In the legend; equal names share a colour and one entry.
        losses: Validation losses, the first before training; None where not finite.
        train_losses: Of each interval; None where not finite.
        hyperparameters: Values by name, one for each interval.
        epochs: Budget.
        decisions: Intervals that it is divided into.
    """

    name: str
    losses: Sequence[float | None]
    train_losses: Sequence[float | None]
    hyperparameters: Mapping[str, Sequence[float | str]]
    epochs: float
    decisions: int


def varied(curves: Sequence[Curve]) -> list[str]:
    """Return the hyperparameters that some training has changed, the learning rate always."""
    found = ["learning_rate"]
    for name in CONTROLS:
        values = [curve.hyperparameters.get(name, ()) for curve in curves]
        if name not in found and any(len(set(series)) > 1 for series in values):
            found.append(name)
    return found


def draw(curves: Sequence[Curve], title: str, path: Path) -> None:
    """Draw losses and hyperparameters over epochs, a panel for each.

    Args:
        curves: At least one.
        title: Above all.
        path: .png or .svg.

    Raises:
        UsageError: The file cannot be written.
    """
    panels = ["validation loss", "training loss", *varied(curves)]
    figure = _figure(len(panels))
    colours = {name: f"C{k % 10}" for k, name in enumerate(dict.fromkeys(c.name for c in curves))}
    for axes, panel in zip(figure.axes, panels, strict=True):
        for curve in curves:
            _line(axes, curve, panel, colours[curve.name])
        axes.set_xlabel("epochs")
        axes.set_title(panel.replace("_", " "), fontsize=10)
        if panel.endswith("loss") or panel in LOGARITHMIC:
            axes.set_yscale("log")
    for name, colour in colours.items():
        figure.axes[0].plot([], [], color=colour, label=name)
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(title)
    _save(figure, path)


def draw_rates(
    by_method: Mapping[str, Mapping[float, Sequence[float]]], title: str, path: Path
) -> None:
    """Draw mean scores over initial learning rates, a line for each method.

    Raises:
        UsageError: The file cannot be written.
    """
    figure = _figure(1)
    (axes,) = figure.axes
    for method, by_rate in by_method.items():
        rates = sorted(by_rate)
        axes.plot(rates, [float(np.mean(by_rate[r])) for r in rates], marker="o", label=method)
    axes.set_xscale("log")
    axes.set_xlabel("initial learning rate")
    axes.set_ylabel("score")
    axes.legend(fontsize=7)
    figure.suptitle(title)
    _save(figure, path)


def _figure(panels: int) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no display is asked for

    columns = min(panels, COLUMNS)
    rows = -(-panels // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    for place in range(panels):
        figure.add_subplot(rows, columns, place + 1)
    return figure


def _line(axes: Any, curve: Curve, panel: str, colour: str) -> None:
    """Draw one training into a panel: losses at the ends of intervals, settings over them."""
    width = curve.epochs / curve.decisions
    style = {"color": colour, "alpha": 0.6, "linewidth": 1.0}
    if panel.endswith("loss"):
        losses = curve.losses if panel.startswith("validation") else curve.train_losses
        offset = 0 if panel.startswith("validation") else 1
        times = (np.arange(len(losses)) + offset) * width
        axes.plot(times, [np.nan if loss is None else loss for loss in losses], **style)
        return
    series = list(curve.hyperparameters.get(panel, ()))
    times = np.arange(len(series) + 1) * width
    axes.step(times, [*series, *series[-1:]][: len(times)], where="post", **style)


def _save(figure: Any, path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "nas", "svg.fonttype": "none"}):
        try:
            write_with(path, lambda file: figure.savefig(file, dpi=120))
        except OSError as error:
            raise UsageError(
                f"expected to write {path} ({error.strerror}): choose another place"
            ) from error
