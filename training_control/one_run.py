"""One training of a task, under a brain or plain, with its logs."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nas_core.errors import RunError
from nas_core.files import write_json, write_with
from training_control.comparison.measures import intervals_to_plateau
from training_control.comparison.methods import Agent, Bench, Run, agent_method, baselines
from training_control.comparison.records import plain
from training_control.comparison.training import Outcome
from training_control.controls import OPTIMIZERS, ControlSet
from training_control.curves import Curve, draw
from training_control.interventions import Entry, TensorBoardLog, has_tensorboard, write_csv
from training_control.metrics import Evaluation
from training_control.tasks.base import Task

if TYPE_CHECKING:
    from training_control.session import Session

UNSAVED = (ValueError, TypeError, NotImplementedError)  # what Keras raises for such models


@dataclass(frozen=True)
class Finished:
    """A training and its log.

    Attributes:
        outcome: What it gave.
        entries: A decision each.
        result: What `result.json` holds.
    """

    outcome: Outcome
    entries: list[Entry]
    result: dict[str, Any]


def train_once(
    task: Task,
    agent: Agent | None,
    *,
    seed: int = 0,
    decisions: int = 30,
    test: bool = False,
    log: Path | None = None,
) -> Finished:
    """Train a task.

    Args:
        task: What is trained, from its start.
        agent: Steers; None trains plainly, at a constant rate.
        seed: Of weights and order of examples.
        decisions: Intervals.
        test: Whether the test split is opened at the end.
        log: Folder for result.json, decisions.csv, curves.png, TensorBoard files, best.keras (the
            lowest validation loss, the start among them) and last.keras; or None.

    Raises:
        DataError: The examples cannot be had.
        RunError: The folder cannot be written, or the model cannot be saved.
    """
    plainly = baselines(ControlSet())["constant"]
    method = plainly if agent is None else agent_method(agent)
    turned = () if agent is None else agent.controls.names
    kind = Bench if log is None else _Keeping
    bench = kind(task, OPTIMIZERS if "optimizer" in turned else (), decisions)
    outcome = method.train(Run(bench, task.start, {}, seed, bench.budget(test)))
    entries = _entries(outcome, task, bench.budget(test).interval)
    finished = Finished(outcome, entries, _result(task, method.name, seed, decisions, outcome))
    if log is not None:
        try:
            _write(finished, task, method.name, decisions, log)
            cast(_Watched, bench.session).save(log)
        except OSError as error:
            raise RunError(
                f"expected a folder to write to, received {log} ({error.strerror}): name another"
            ) from error
    return finished


class _Watched:
    """A session that remembers the weights with the lowest validation loss."""

    def __init__(self, session: "Session") -> None:
        """Take a session; nothing is known of it."""
        self._session = session
        self._lowest = math.inf
        self._best: list[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        """Return everything else as the session has it."""
        return getattr(self._session, name)

    def evaluate(self, split: str = "validation") -> Evaluation:
        """Evaluate, and copy the weights if none were better."""
        seen = self._session.evaluate(split)
        if split == "validation" and seen.loss < self._lowest:
            self._lowest = seen.loss
            self._best = self._session.model.get_weights()
        return seen

    def save(self, folder: Path) -> None:
        """Write the last model and the best one; without any finite loss, only the last.

        Raises:
            OSError: The folder cannot be written.
            RunError: Keras cannot save the model.
        """
        model = self._session.model
        last = model.get_weights()
        try:
            write_with(folder / "last.keras", model.save)
            if self._best is not None:
                model.set_weights(self._best)
                write_with(folder / "best.keras", model.save)
        except UNSAVED as error:
            raise RunError(
                f"expected a model that Keras can save, received one that it cannot ({error}): the "
                f"figures are in {folder}"
            ) from error
        finally:
            model.set_weights(last)


class _Keeping(Bench):
    """A bench whose session remembers its best weights."""

    @functools.cached_property
    def session(self) -> "Session":
        return cast("Session", _Watched(super().session))


def _entries(outcome: Outcome, task: Task, interval: int) -> list[Entry]:
    found: list[Entry] = []
    before: dict[str, Any] = task.start.values()
    batches = seen = 0
    examples = len(task.load().train)
    for number, values in enumerate(outcome.hyperparameters):
        batches += math.ceil(interval / int(values["batch_size"]))
        seen += interval
        changed = {n: v for n, v in values.items() if v != before[n]}
        event = "changed" if changed else "kept"
        found.append(
            Entry(
                epoch=seen // examples,
                step=batches,
                event="rolled back" if outcome.rolled_back[number] else event,
                changed="; ".join(
                    f"{n} {_short(before[n])} -> {_short(changed[n])}" for n in changed
                ),
                learning_rate=float(values["learning_rate"]),
                validation_loss=outcome.losses[number + 1],
                train_loss=outcome.train_losses[number],
                seconds=outcome.agent_seconds / len(outcome.hyperparameters),
            )
        )
        before = values
    return found


def _short(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _result(task: Task, method: str, seed: int, decisions: int, outcome: Outcome) -> dict[str, Any]:
    plateau = intervals_to_plateau([plain(loss) for loss in outcome.losses])
    return {
        "task": task.name,
        "method": method,
        "seed": seed,
        "initial_lr": task.start.learning_rate,
        "metric": task.metric,
        "validation": _figures(outcome.final),
        "test": _figures(outcome.test),
        "epochs": task.epochs,
        "epochs_to_plateau": None if plateau is None else plateau * task.epochs / decisions,
        "interventions": outcome.interventions,
        "rollbacks": sum(outcome.rolled_back),
        "seconds": outcome.seconds,
        "agent_seconds": outcome.agent_seconds,
        "crashed": outcome.crashed,
    }


def _figures(seen: Any) -> dict[str, float | None] | None:
    if seen is None:
        return None
    return {"loss": plain(seen.loss), **{n: plain(v) for n, v in seen.metrics.items()}}


def _write(finished: Finished, task: Task, method: str, decisions: int, log: Path) -> None:
    outcome = finished.outcome
    log.mkdir(parents=True, exist_ok=True)
    write_json(log / "result.json", finished.result)
    write_csv(log / "decisions.csv", finished.entries)
    curve = Curve(
        method,
        [plain(loss) for loss in outcome.losses],
        [plain(loss) for loss in outcome.train_losses],
        {n: [v[n] for v in outcome.hyperparameters] for n in task.start.values()},
        task.epochs,
        decisions,
    )
    draw([curve], f"{task.name} under {method}", log / "curves.png")
    if not has_tensorboard():
        return
    board = TensorBoardLog(log / "tensorboard")
    for entry, values in zip(finished.entries, outcome.hyperparameters, strict=True):
        board.write(entry, values, tuple(values))
