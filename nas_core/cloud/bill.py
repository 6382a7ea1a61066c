"""What a run's jobs were billed, kept beside the run as cost.json, which its report shows."""

from pathlib import Path
from typing import Any

from nas_core.cloud.costs import billed, read_prices
from nas_core.cloud.record import where
from nas_core.cloud.sweep import run_jobs
from nas_core.files import write_json

BILL = "cost.json"


def write_bill(run: Path, prices: Path | None = None) -> dict[str, Any]:
    """Ask SageMaker what a run's jobs were billed, and keep the answer.

    Args:
        run: The run's folder.
        prices: Price table; None for the one that comes along.

    Returns:
        See `nas_core.cloud.costs.billed`.

    Raises:
        RunError: No such run, or one without training jobs.
        UsageError: The price table cannot be used.
        CloudError: AWS refuses.
    """
    table = read_prices(prices)
    cloud, run_id = where(run)
    rows = [job.to_json() for job in run_jobs(cloud, run_id)]
    found = billed(rows, cloud.instance, table)
    write_json(run / BILL, found)
    return found
