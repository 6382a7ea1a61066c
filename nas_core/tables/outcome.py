"""What a search on a table amounts to: the reported columns of the network that it recommends."""

from pathlib import Path
from typing import Any

from nas_core.artefacts import note
from nas_core.database import one_line
from nas_core.datasets.test_split import record_opening
from nas_core.files import read_json, write_json
from nas_core.plan import Plan
from nas_core.store import RunStore
from nas_core.summary import ranked, recommended
from nas_core.tables.assembly import open_table, plan_of, report_values

OUTCOME = "table.json"


def write_outcome(plan: Plan, store: RunStore) -> dict[str, float]:
    """Read the reported columns of the network that a finished search recommends.

    That is the agent's own recommendation, or the best by the searched column.

    Writes ``table.json`` into the run's folder, records the opening, and returns the columns'
    values; a run without any score opens nothing.

    Raises:
        DataError: The table has changed for the worse, or has no such columns.
    """
    order = ranked(store.trials())
    if not order:
        return {}
    wanted, best = plan_of(plan), recommended(store) or order[0]
    table = open_table(plan.space, wanted.path)
    reason = "reported columns of the recommended network"
    record_opening(store.folder, reason, table.path.name, table.source)
    row = table.space.row(best.spec)
    values = {name: float(column[row]) for name, column in report_values(table, wanted).items()}
    found = {"trial": best.number, "text": best.text, "digest": best.digest, "columns": values}
    with one_line(store.folder):
        write_json(store.folder / OUTCOME, found)
        note(store.folder, store.folder / OUTCOME)
    return values


def read_outcome(run: Path) -> dict[str, Any]:
    """Return what `write_outcome` wrote; empty before, or where it cannot be read."""
    try:
        value = read_json(run / OUTCOME)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
