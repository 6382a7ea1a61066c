"""From the forms in which tables are published to npz."""

from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import UsageError
from nas_core.registry import OWN_TABLE
from nas_core.tables.assembly import open_table
from nas_core.tables.files import write_npz


def convert_table(source: Path, space: str, out: Path) -> dict[str, Any]:
    """Write a table as npz, rows in the order of its space, and say what is in it.

    Args:
        source: npz or JSON (see docs/tables.md); pickles are refused.
        space: Whose table it is.
        out: The npz to write.

    Raises:
        UsageError: `out` is no npz, or no table belongs to `space`.
        DataError: The source cannot be read, is not complete, or has holes.
    """
    if out.suffix != ".npz":
        raise UsageError(f"expected --out with .npz, received {out}")
    table = open_table(space, source)
    arrays: dict[str, np.ndarray] = {name: table.column(name) for name in table.names}
    arrays[table.benchmark.rows] = table.space.codes()
    if space == OWN_TABLE:
        decisions = table.space.decisions
        most = max(len(decision.choices) for decision in decisions)
        padded = [[*item.choices, *[""] * (most - len(item.choices))] for item in decisions]
        arrays["decisions"] = np.array([decision.name for decision in decisions])
        arrays["choices"] = np.array(padded)
    write_npz(out, arrays)
    return {
        "path": str(out),
        "architectures": table.space.size,
        "columns": list(table.names),
        "source": table.source,
    }
