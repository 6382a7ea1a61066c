"""The pictures of a comparison, one pair for each task."""

from collections.abc import Sequence
from pathlib import Path

from training_control.comparison.records import Record
from training_control.comparison.runner import Found
from training_control.curves import Curve, draw, draw_rates

BESIDE = ("constant", "cosine")  # schedules that agents are seen beside


def curve(record: Record) -> Curve:
    """Return a training as it is drawn."""
    return Curve(
        record.method,
        record.losses,
        record.train_losses,
        record.hyperparameters,
        record.epochs,
        record.decisions,
    )


def write(found: Found, folder: Path) -> list[Path]:
    """Draw each task: agents over time beside schedules, and scores over given rates.

    Returns:
        The files.

    Raises:
        UsageError: They cannot be written.
    """
    learned = [name for name, agent in found.agents.items() if agent.meta_training]
    written = []
    for task in dict.fromkeys(task for task, _ in found.tuned):
        shown = _shown(found, task, [*learned, *BESIDE])
        if shown:
            written.append(folder / f"{_file(task)}-over-time.png")
            draw([curve(r) for r in shown], f"{task}: at tuned initial rates", written[-1])
        rated = {m: by for (t, m), by in found.at_rates.items() if t == task}
        if rated:
            scores = {
                method: {rate: [r.score for r in records] for rate, records in by_rate.items()}
                for method, by_rate in rated.items()
            }
            written.append(folder / f"{_file(task)}-over-rates.png")
            draw_rates(scores, f"{task}: from given initial rates", written[-1])
    return written


def _shown(found: Found, task: str, methods: Sequence[str]) -> list[Record]:
    return [record for name in methods for record in found.tuned.get((task, name), [])]


def _file(task: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in task)
