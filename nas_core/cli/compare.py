"""`nas compare`: agents beside random search, over many seeds."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas_core.cli.output import (
    ReportColumns,
    SearchColumn,
    TableFile,
    check_writable,
    command,
    number,
    say,
    table,
)
from nas_core.errors import RunError, UsageError

if TYPE_CHECKING:
    from nas_core.compare.comparison import Comparison

QUIET_SECONDS = 1.0  # least time between two lines of progress


@command
def compare(
    space: Annotated[str, typer.Option(help="Search space: nasbench201, metaqnn, ...")],
    agents: Annotated[
        str, typer.Option(help="Names A,B,C; random search is always among them.")
    ] = "reinforce,evolution,random",
    evaluations: Annotated[str, typer.Option(help="Budget, or several: 50,100,200.")] = "100",
    seeds: Annotated[int, typer.Option(help="Searches of each agent, with seeds from 0.")] = 100,
    trainer: Annotated[
        str | None, typer.Option(help="mock, or table with --table; never real.")
    ] = None,
    table_file: TableFile = None,
    search_column: SearchColumn = None,
    report_columns: ReportColumns = None,
    preset: Annotated[str, typer.Option(help="quick or paper.")] = "quick",
    noise: Annotated[
        float, typer.Option(help="Error added to scores, in interquartile ranges of them.")
    ] = 0.0,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves: FILE.png or .svg.")] = None,
) -> None:
    """Compare agents: same space, same budget, same seeds, with intervals.

    Examples:  nas compare --space metaqnn --agents metaqnn,evolution --evaluations 100 --seeds 50

    nas compare --space nasbench201 --table nasbench201.npz --evaluations 50,100 --json out.json
    """
    from nas_core.compare.plot import check_plot, write_plot
    from nas_core.compare.run import compare as run_compare
    from nas_core.files import write_json

    _check_trainer(trainer, table_file)
    if json_file is not None:
        check_writable(json_file, "--json")
    if plot is not None:
        check_plot(plot)
    found = run_compare(
        space, _names(agents), evaluations=_numbers(evaluations), seeds=seeds, table=table_file,
        search_column=search_column, report_columns=report_columns, preset=preset, noise=noise,
        workers=workers, on_progress=_Progress(),
    )  # fmt: skip
    if json_file is not None:
        try:
            write_json(json_file, found.to_json())
        except OSError as error:
            raise RunError(f"cannot write {json_file} ({error.strerror})") from error
    if plot is not None:
        write_plot(found, plot)
    _print(found)


def _check_trainer(trainer: str | None, table_file: Path | None) -> None:
    """Refuse a trainer that does not go with the table.

    Raises:
        UsageError: It is real, unknown, or the table is missing.
    """
    usual = "mock" if table_file is None else "table"
    if trainer not in (None, usual):
        raise UsageError(
            f"expected --trainer {usual} {'without' if table_file is None else 'with'} --table, "
            f"received {trainer!r}: comparisons need thousands of evaluations, from the mock or "
            "from a --table FILE"
        )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _numbers(text: str) -> list[int]:
    parts = _names(text)
    if not all(part.isdecimal() for part in parts):
        raise UsageError(
            f"expected --evaluations as whole numbers such as 50,100, received {text!r}"
        )
    return [int(part) for part in parts]


class _Progress:
    """Lines on stderr with the time left."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = self._started

    def __call__(self, agent: str, done: int, total: int) -> None:
        from nas_core.cli.progress import duration

        now = time.monotonic()
        if now - self._last < QUIET_SECONDS and done < total:
            return
        self._last = now
        left = (now - self._started) / done * (total - done)
        say(f"{done}/{total} searches  {duration(left)} left  ({agent})")


def _print(found: "Comparison") -> None:
    middle = {
        (row["agent"], row["evaluations"], row["metric"]): row["iqm"]
        for row in found.interquartile_means()
    }
    cells = [
        (
            row["evaluations"],
            row["agent"],
            number(row["mean"]),
            f"[{number(row['ci_low'])}, {number(row['ci_high'])}]",
            number(row["std"]),
            number(middle[row["agent"], row["evaluations"], row["metric"]]),
            row["metric"],
        )
        for row in sorted(found.rows(), key=lambda row: (row["metric"], row["evaluations"]))
    ]
    header = ("evaluations", "agent", "mean", "95 %", "std", "middle half", "of what")
    print(f"{found.space}, {found.trainer}, {found.seeds} seeds\n\n{table(header, cells)}\n")
    print("\n".join(found.verdicts()))


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command()(compare)
