"""Progress of a search on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from nas_core.executors.base import Describes, Executor
from nas_core.plan import Plan
from nas_core.store import TrialRow
from nas_core.trainer.base import WARNINGS

PLAIN_SECONDS = 1.0  # least time between two plain lines


def duration(seconds: float) -> str:
    """Return a duration for people: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class SearchProgress:
    """Shows each committed trial, the best score so far, and the time left."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._seen: dict[str, list[TrialRow]] = {}
        self._best: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._last = 0.0
        self._executor: Executor | None = None

    def __enter__(self) -> "SearchProgress":
        if sys.stderr.isatty():
            self._bar = _rich_bar(self._workers)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def watch(self, executor: Executor) -> None:
        """Show the executor's own words from now on, if it has any."""
        self._executor = executor

    def _workers(self) -> str:
        return f"{self._executor.state()}  " if isinstance(self._executor, Describes) else ""

    def __call__(self, plan: Plan, row: TrialRow) -> None:
        """Show one more trial of the search or of its control."""
        rows = self._seen.setdefault(plan.agent, [])
        self._started.setdefault(
            plan.agent, time.monotonic() - (0.0 if row.seconds is None else row.seconds)
        )
        rows.append(row)
        self._warn(row)
        best = self._best.get(plan.agent)
        improved = row.score is not None and (best is None or row.score > best)
        if row.score is not None and improved:
            self._best[plan.agent] = row.score
        if self._bar is None:
            self._plain(plan, row, improved)
        else:
            self._draw(plan, row)

    def _warn(self, row: TrialRow) -> None:
        if row.result_json is None or f'"{WARNINGS}"' not in row.result_json:
            return  # a result is not read for nothing
        for line in row.result.warnings:
            print(f"trial {row.number + 1}: {line}", file=sys.stderr, flush=True)

    def _best_text(self, plan: Plan) -> str:
        best = self._best.get(plan.agent)
        return "none yet" if best is None else f"{best:.4f}"

    def _plain(self, plan: Plan, row: TrialRow, improved: bool) -> None:
        now = time.monotonic()
        last = row.number + 1 == plan.trials
        if now - self._last < PLAIN_SECONDS and not last:
            return
        self._last = now
        done = len(self._seen[plan.agent])
        left = (now - self._started[plan.agent]) / done * max(0, plan.trials - row.number - 1)
        print(
            f"{plan.agent} {row.number + 1}/{plan.trials}  {_outcome(row)}  best "
            f"{self._best_text(plan)}  {duration(left)} left  {self._workers()}{row.text}",
            file=sys.stderr,
            flush=True,
        )

    def _draw(self, plan: Plan, row: TrialRow) -> None:
        if plan.agent not in self._tasks:
            self._tasks[plan.agent] = self._bar.add_task(plan.agent, total=plan.trials, best="")
        self._bar.update(
            self._tasks[plan.agent], completed=row.number + 1, best=self._best_text(plan)
        )
        if row.credited_from is None and plan.trainer != "mock":
            self._bar.console.print(
                f"{row.number + 1:4d}  {_outcome(row)}  {row.text}", markup=False
            )


def _outcome(row: TrialRow) -> str:
    if row.credited_from is not None:
        return f"{'as ' + str(row.credited_from + 1):>12}"
    seconds = 0.0 if row.seconds is None else row.seconds
    if row.score is None:
        return f"{row.status}"
    return f"{row.score:.4f} {seconds:4.1f} s"


def _rich_bar(workers: Callable[[], str]) -> Any:
    """Return the bar; `workers` is asked at each refresh, also while no trial ends."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Workers(TextColumn):
        def render(self, task: Any) -> Text:
            return Text("" if task.finished else workers())

    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("best {task.fields[best]}"), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), Workers(""), console=Console(stderr=True),
    )  # fmt: skip
