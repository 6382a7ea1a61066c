"""How the best networks learned: validation accuracy after every epoch."""

from collections.abc import Sequence

from nas_core.report.charts import Dot, Frame, chart, curve, dots
from nas_core.report.data import SCORE
from nas_core.report.markup import Html, accuracy, figure, legend
from nas_core.report.scales import counted, fitted
from nas_core.store import TrialRow
from nas_core.summary import ranked

SHOWN = 5


def learning_curves(trials: Sequence[TrialRow]) -> Html:
    """Return the chart; nothing where no network with a score has a curve."""
    rows = ranked(trials)[:SHOWN]
    paths = {row.number: [epoch.val_accuracy for epoch in row.result.curve] for row in rows}
    longest = max(map(len, paths.values()), default=0)
    if longest == 0:
        return Html("")
    everything = [value for path in paths.values() for value in path]
    frame = Frame(
        "Validation accuracy per epoch of the best networks",
        counted("epoch", longest),
        fitted(SCORE, everything),
    )
    marks, keys = [], []
    for rank, row in enumerate(rows, 1):
        name = f"{rank}. trial {row.number}, {accuracy(row.score)}"
        points = list(enumerate(paths[row.number], 1))
        marks.append(curve(frame, points, f"c{rank}", name))
        marks.append(
            dots(
                frame, [Dot(x, y, f"{name}\nepoch {x}: {y:.4f}") for x, y in points], f"c{rank}", 3
            )
        )
        keys.append((f"c{rank}", name))
    caption = "After each epoch of the search's short training, for the networks ranked highest."
    return figure("Learning curves of the best", chart(frame, marks), caption, legend(keys))
