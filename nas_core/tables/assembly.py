"""From what was asked for to the parts of a search on a table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_core.errors import DataError, UsageError
from nas_core.plan import Plan
from nas_core.tables.files import DOCS
from nas_core.tables.published import BENCHMARKS
from nas_core.tables.table import Table
from nas_core.tables.trainer import TableTrainer

# Multiply-accumulates a second, forwards and backwards: with it an average NAS-Bench-201 cell takes
# 120 s, so that the published 12,000 s are about 100 of them.
MACS_PER_SECOND = 5.5e11
BACKWARDS = 3  # a training step costs about three forward passes


@dataclass(frozen=True)
class TablePlan:
    """A table and the columns to use; None for the benchmark's own.

    Attributes:
        path: The file.
        search: Column that the search sees.
        report: Columns to read after the search, joined by commas.
        seconds: Column of training seconds; None for a model from the multiply-accumulates.
    """

    path: Path
    search: str | None = None
    report: str | None = None
    seconds: str | None = None


def plan_of(plan: Plan) -> TablePlan:
    """Return what a search's plan says about its table.

    Raises:
        UsageError: It names none.
    """
    if plan.table is None:
        raise UsageError(f"expected --table FILE for --trainer table on {plan.space}: {DOCS}")
    path = Path(plan.table)
    return TablePlan(path, plan.search_column, plan.report_columns, plan.seconds_column)


def open_table(space: str, path: Path) -> Table:
    """Return the table of a named space.

    Raises:
        UsageError: No table belongs to that space.
        DataError: The file is no table of it.
    """
    if space not in BENCHMARKS:
        raise UsageError(
            f"expected a space that has a table, {', '.join(BENCHMARKS)}, received {space!r}: "
            "use --trainer real or mock, or another space"
        )
    return Table(path, BENCHMARKS[space])


def table_trainer(table: Table, plan: TablePlan) -> TableTrainer:
    """Return a trainer that sees the searched column; the reported ones stay closed.

    Raises:
        DataError: A column is missing, or the searched one holds no accuracies.
    """
    known = table.benchmark
    name = plan.search if plan.search is not None else known.search
    _need(table, "search-column", name)
    for reported in report_names(table, plan):
        _need(table, "report-columns", reported)
    seconds, modelled = _seconds(table, plan)
    macs = _macs(table)
    weights = known.parameters if known.parameters in table.names else None
    return TableTrainer(
        space=table.space,
        source=table.source,
        column=str(name),
        accuracy=_as_fractions(table, str(name)),
        seconds=seconds,
        modelled=modelled,
        parameters=None if weights is None else _mean(table, weights),
        macs=macs,
        carried={key: _mean(table, key) for key in known.carried if key in table.names},
    )


def report_names(table: Table, plan: TablePlan) -> tuple[str, ...]:
    """Return the columns to be read after the search; the searched one where there are none."""
    if plan.report is not None:
        return tuple(name.strip() for name in plan.report.split(","))
    if table.benchmark.report:
        return table.benchmark.report
    return () if plan.search is None else (plan.search,)


def report_values(table: Table, plan: TablePlan) -> dict[str, np.ndarray]:
    """Return the reported columns [N], the mean of the draws, in the table's own unit.

    Opens what a search must not see: call it when every search has ended.
    """
    return {name: _mean(table, name) for name in report_names(table, plan)}


def _need(table: Table, option: str, name: str | None) -> None:
    if name is None or name not in table.names:
        given = "none" if name is None else repr(name)
        raise DataError(
            f"expected --{option} among {', '.join(table.names)} of {table.path}, received {given}"
        )


def _mean(table: Table, name: str) -> np.ndarray:
    values = table.column(name)
    mean: np.ndarray = values if values.ndim == 1 else values.mean(axis=1)
    return mean


def _as_fractions(table: Table, name: str) -> np.ndarray:
    """Return accuracies in [0, 1]; a column that goes beyond 1 is in percent."""
    values = table.column(name)
    if values.min() < 0.0 or values.max() > 100.0:
        raise DataError(
            f"expected accuracies in [0, 1] or in percent in the column {name!r} of {table.path}, "
            f"received {values.min():g} to {values.max():g}: choose another --search-column"
        )
    return values / 100.0 if values.max() > 1.0 else values


def _macs(table: Table) -> np.ndarray | None:
    if table.benchmark.macs is None or table.benchmark.macs[0] not in table.names:
        return None
    name, unit = table.benchmark.macs
    return _mean(table, name) * unit


def _seconds(table: Table, plan: TablePlan) -> tuple[np.ndarray, bool]:
    """Return training seconds [N], and whether they are a model."""
    if plan.seconds is not None:
        _need(table, "seconds-column", plan.seconds)
        return _mean(table, plan.seconds), False
    macs, known = _macs(table), table.benchmark
    if macs is None:
        return np.zeros(table.space.size), True
    return BACKWARDS * known.epochs * known.images * macs / MACS_PER_SECOND, True
