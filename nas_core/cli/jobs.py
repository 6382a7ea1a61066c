"""`nas sagemaker status`, `logs`, `fetch`, `sweep` and `cost`: the jobs of a run."""

from pathlib import Path
from typing import Annotated

import typer

from nas_core.cli.output import JsonFlag, command, number, print_json, table
from nas_core.errors import UsageError

Run = Annotated[Path, typer.Argument(help="Folder of a run.")]
PriceFile = Annotated[Path | None, typer.Option("--prices", help="Price table, JSON.")]


def money_text(value: float | None, currency: str) -> str:
    """Return money as the end of a phrase; that it is not known where it is not."""
    return " (no price in the table)" if value is None else f" = {value:.2f} {currency}"


@command
def status(run: Run, json: JsonFlag = False) -> None:
    """Show the jobs of a run: what they do, what they were billed, why they failed.

    Examples:  nas sagemaker status R1
    """
    from nas_core.cloud.record import where
    from nas_core.cloud.sweep import run_jobs

    rows = [job.to_json() for job in run_jobs(*where(run))]
    if json:
        print_json({"jobs": rows})
        return
    cells = [
        (row["kind"], " ".join(map(str, row["trials"])) or "-", row["status"], row["secondary"],
         "-" if row["billed_seconds"] is None else row["billed_seconds"], row["job"], row["reason"])
        for row in rows
    ]  # fmt: skip
    header = ("kind", "trials", "status", "", "billed s", "job", "reason")
    print(table(header, cells) if cells else f"no jobs of {run}")


@command
def logs(
    run: Run,
    trial: Annotated[int | None, typer.Option(help="Only the jobs of this trial.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Until the job has ended.")] = False,
) -> None:
    """Print what a run's newest job has written, from CloudWatch.

    Examples:  nas sagemaker logs R1

    nas sagemaker logs R1 --trial 7 --follow
    """
    from nas_core.cloud.client import sagemaker
    from nas_core.cloud.jobs import describe
    from nas_core.cloud.logs import lines
    from nas_core.cloud.record import where
    from nas_core.cloud.sweep import run_jobs

    cloud, run_id = where(run)
    found = [job for job in run_jobs(cloud, run_id) if trial is None or trial in job.trials]
    if not found:
        raise UsageError(f"expected a job of {run}, found none: nas sagemaker status {run}")
    name, client = found[-1].state.name, sagemaker(cloud)

    def ended() -> bool:
        state = describe(client, name)
        return state is None or state.ended

    for line in lines(cloud, name, follow=follow, ended=ended):
        print(line, flush=True)


@command
def fetch(run: Run) -> None:
    """Bring a search that runs in a job here: then nas show, best, report and retrain work.

    Examples:  nas sagemaker fetch runs/R1
    """
    from nas_core.cloud.record import fetch as bring

    bring(run)
    print(f"{run}\n\nnext: nas show {run}    nas report {run}")


@command
def sweep(
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List them only.")] = False,
    json: JsonFlag = False,
) -> None:
    """Stop the jobs that a run has left behind.

    Examples:  nas sagemaker sweep R1
    """
    from nas_core.cloud.record import RECORD, where
    from nas_core.cloud.sweep import sweep as sweep_run
    from nas_core.cloud.sweep import sweep_jobs

    if (run / RECORD).is_file():
        names = sweep_jobs(*where(run), dry_run=dry_run)
    else:
        names = sweep_run(run, dry_run=dry_run)
    if json:
        print_json({"jobs": names, "stopped": not dry_run})
    else:
        print("\n".join(names) if names else f"no running jobs of {run}")


@command
def cost(run: Run, prices: PriceFile = None, json: JsonFlag = False) -> None:
    """Say what a run's jobs were billed, by trial; the run's report shows it from then on.

    Examples:  nas sagemaker cost R1 --prices my-prices.json
    """
    from nas_core.cloud.bill import write_bill

    found = write_bill(run, prices)
    if json:
        print_json(found)
        return
    cells = [
        (" ".join(map(str, row["trials"])) or "-", number(row["billed_seconds"], 0),
         "-" if row["money"] is None else f"{row['money']:.4f}", row["status"], row["job"])
        for row in found["jobs"]
    ]  # fmt: skip
    print(table(("trials", "billed s", found["currency"], "status", "job"), cells))
    print(
        f"\n{found['billed_seconds']:.0f} s billed{money_text(found['money'], found['currency'])} "
        f"(prices: {found['prices']})"
    )


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    for verb in (status, logs, fetch, sweep, cost):
        app.command()(verb)
