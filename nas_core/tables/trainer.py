"""A trainer that looks the answer up: one number of a table, drawn afresh at every query."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nas_core.errors import SpecError
from nas_core.seeding import generator
from nas_core.spec import Spec
from nas_core.tables.space import TableSpace
from nas_core.trainer.base import Job, Result, Status, failed


@dataclass(frozen=True)
class TableTrainer:
    """Answers with the searched column. It holds no column that a report will show.

    Attributes:
        space: Knows which row a specification is.
        source: SHA-256 of the table's file.
        column: Name of the searched column.
        accuracy: The searched column [N], or [N, draws] of which every query draws one; in [0, 1].
        seconds: Training seconds [N].
        modelled: Whether `seconds` is a model and no measurement.
        parameters: Weights [N]; None where the table does not say.
        macs: Multiply-accumulates [N]; None where the table does not say.
        carried: Further columns [N] by name, for the trials' details.
    """

    name: ClassVar[str] = "table"
    repeats: ClassVar[bool] = True  # a repeat is a query of its own, with a fresh draw

    space: TableSpace
    source: str
    column: str
    accuracy: np.ndarray
    seconds: np.ndarray
    modelled: bool = True
    parameters: np.ndarray | None = None
    macs: np.ndarray | None = None
    carried: dict[str, np.ndarray] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """Return JSON values that scores depend on."""
        return {"trainer": self.name, "table": self.source, "search_column": self.column}

    def score(self, spec: Spec, job: Job) -> Result:
        """Return the row's searched value; which draw depends on the job's seed and trial."""
        try:
            row = self.space.row(spec)
        except SpecError as error:
            return failed(Status.INVALID, str(error))
        details: dict[str, Any] = {name: float(v[row]) for name, v in self.carried.items()}
        if self.modelled:
            details["seconds"] = "modelled"
        return Result(
            Status.OK,
            self._draw(row, job),
            seconds=float(self.seconds[row]),
            parameters=None if self.parameters is None else int(self.parameters[row]),
            macs=None if self.macs is None else int(self.macs[row]),
            details=details,
        )

    def _draw(self, row: int, job: Job) -> float:
        if self.accuracy.ndim == 1:
            return float(self.accuracy[row])
        draws = self.accuracy.shape[1]
        rng = generator(job.seed, "table draw", job.trial)
        return float(self.accuracy[row, rng.integers(draws)])
