"""`nas search` and `nas resume`."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from nas_core.cli.grouped import grouped
from nas_core.cli.output import (
    JsonFlag,
    ReportColumns,
    SearchColumn,
    SecondsColumn,
    TableFile,
    command,
    count,
    number,
    print_json,
    say,
    table,
)
from nas_core.errors import RunError, UsageError

Text = str | None
Address = Annotated[
    Text, typer.Option(help="Head of a Ray cluster, HOST:PORT; one of this machine if unset.")
]
MaxFailed = Annotated[
    float | None,
    typer.Option(
        help="Stop when more than this share of 20 or more children failed: 0.5; 1: never."
    ),
]
Controller = Annotated[
    Text,
    typer.Option(help="Brain that sets the learning rate after each epoch: default, or a folder."),
]
SPACES = (
    "metaqnn, nasnet (cells), chain (skip connections), text; on published tables: nasbench201, "
    "nasbench_macro, table (your own)."
)
AGENTS = (
    "metaqnn, metaqnn-model, reinforce, reinforce-model, ppo, actor-critic, evolution, "
    "local-search, random; and reinforce-independent, reinforce-lstm2, ppo-independent. The "
    "space's own if unset."
)


@dataclass(frozen=True)
class Wish:
    """What a search is asked for: options by the names of `nas_core.search`."""

    agent: Annotated[Text, typer.Option(help=AGENTS)] = None
    trainer: Annotated[Text, typer.Option(help="real trains children; mock answers in ms.")] = None
    data: Annotated[
        Text,
        typer.Option(help="leaves, cifar10, mnist, ..., a folder, FILE.npz, .zip, .csv, s3://..."),
    ] = None
    trials: Annotated[int | None, typer.Option(help="Proposals, credited repeats included.")] = None
    workers: Annotated[int | None, typer.Option(help="Children at a time; one per core.")] = None
    executor: Annotated[
        Text, typer.Option(help="process, inline, simulated, ray or sagemaker.")
    ] = None
    address: Address = None
    gpu_share: Annotated[
        float | None, typer.Option(help="GPUs of one child on a cluster, such as 0.5.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None
    run: Annotated[Path | None, typer.Option(help="New folder for the results.")] = None
    preset: Annotated[Text, typer.Option(help="quick (for a laptop) or paper (as published).")] = (
        None
    )
    epochs: Annotated[int | None, typer.Option(help="Epochs of one child.")] = None
    data_fraction: Annotated[float | None, typer.Option(help="Share of the training split.")] = None
    max_hours: Annotated[float | None, typer.Option(help="Stop after so many hours.")] = None
    target: Annotated[float | None, typer.Option(help="Stop at this accuracy, such as 0.9.")] = None
    control: Annotated[
        Text, typer.Option(help="random: the same seed and budget for random search.")
    ] = None
    trial_seconds: Annotated[float | None, typer.Option(help="Time limit of one child.")] = None
    trial_memory_gb: Annotated[float | None, typer.Option(help="Memory limit of one child.")] = None
    asynchronous: Annotated[
        bool, typer.Option("--asynchronous", help="Learn in order of arrival: no worker waits.")
    ] = False
    controller: Controller = None
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="End children that will not be among the best.")
    ] = False
    max_failed: MaxFailed = None
    table: TableFile = None
    search_column: SearchColumn = None
    report_columns: ReportColumns = None
    seconds_column: SecondsColumn = None
    reuse: Annotated[
        Path | None, typer.Option(help="Earlier run that a -model agent learns from first.")
    ] = None


@command
@grouped("wish", Wish)
def search(
    space: Annotated[str, typer.Argument(help=SPACES)] = "metaqnn",
    *,
    wish: Wish,
    config: Annotated[Path | None, typer.Option(help="TOML file with these options.")] = None,
    json: JsonFlag = False,
) -> None:
    """Search for architectures; Ctrl-C stops gently and `nas resume` goes on.

    Examples:  nas search metaqnn --data leaves --trials 24 --workers 2

    nas search metaqnn --trainer mock --trials 300 --seed 1 --run R1 --json

    nas search nasnet --agent ppo --data leaves --run N1

    nas search chain --data photos/ --control random --run C1

    nas search text --data reviews.csv.gz --trials 24 --run T1

    nas search nasbench201 --trainer table --table nasbench201.npz --trials 100

    nas search metaqnn --data mine --executor ray --address 10.0.0.5:6379
    """
    from nas_core.api import search as run_search
    from nas_core.cli.progress import SearchProgress

    space, options = combined(space, asdict(wish), config)
    if options.get("executor") == "ray":
        say(f"looking for Ray at {options.get('address', 'this machine')} ...")
    with SearchProgress() as progress:
        result = run_search(space, on_trial=progress, on_executor=progress.watch, **options)
    finish(result, json)


def combined(space: str, given: dict[str, Any], config: Path | None) -> tuple[str, dict[str, Any]]:
    """Return the space and the options that were typed, above those of a file.

    Args:
        space: As typed.
        given: The fields of a `Wish`; None, and False of a flag, where nothing was typed.
        config: TOML file; None for none.

    Raises:
        UsageError: The file cannot be used.
    """
    known = {*given, "space", "recipe", "cloud"} - {"epochs"}  # a recipe has epochs
    options = {} if config is None else _read_config(config, known)
    options.update(
        {k: value for k, value in given.items() if value is not None and value is not False}
    )
    if "table" in options:
        options.setdefault("trainer", "table")
    typed = {name: options.pop(name) for name in ("epochs", "controller") if name in options}
    if typed:
        options["recipe"] = {**options.get("recipe", {}), **typed}
    return options.pop("space", space), options


def _read_config(path: Path, known: set[str]) -> dict[str, Any]:
    """Return a TOML file's options.

    Raises:
        UsageError: It cannot be read, or names an option that does not exist.
    """
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"expected a TOML file, received {path} ({error}): correct it") from error
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(
            f"expected options among {', '.join(sorted(known))} in {path}, received "
            f"{', '.join(unknown)}: remove them"
        )
    return options


@command
def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    trials: Annotated[int, typer.Option(help="Proposals to add to the run's number.")] = 0,
    executor: Annotated[
        Text, typer.Option(help="process, inline or ray: where children run from now on.")
    ] = None,
    address: Address = None,
    max_failed: MaxFailed = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on although what results depend on has changed.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Go on with a run exactly where it stopped, however it stopped.

    Long children go on from their last checkpoint, to the same result. Where the space, the data,
    the recipe or the version has changed, each difference is shown, and --force goes on.

    Examples:  nas resume runs/metaqnn-20260101-120000

    nas resume R1 --trials +50

    nas resume R1 --address 10.0.0.9:6379
    """
    from nas_core.api import resume as run_resume
    from nas_core.cli.progress import SearchProgress

    with SearchProgress() as progress:
        result = run_resume(
            run,
            more_trials=trials,
            executor=executor,
            address=address,
            max_failed=max_failed,
            force=force,
            on_trial=progress,
            on_executor=progress.watch,
        )
    finish(result, json)


def finish(result: Any, json: bool) -> None:
    """Print how a search ended; an interrupted one exits with 130."""
    from nas_core.cli.output import INTERRUPTED
    from nas_core.loop import Stop

    summary = result.summary
    _tell_of_the_mock(result.run)
    if json:
        extra = {} if result.control is None else {"control": result.control}
        print_json({**summary, **extra, "stopped": result.stopped.value})
    else:
        _print_summary(result)
    if result.stopped is Stop.INTERRUPTED:
        say(f"nas: interrupted; go on with: nas resume {result.run}")
        raise typer.Exit(INTERRUPTED)
    if result.stopped is Stop.FAILED:
        failed = ", ".join(f"{number} {name}" for name, number in summary["failures"].items())
        raise RunError(
            f"expected most children to succeed, {failed} of {summary['unique']} architectures: "
            f"nas show {result.run} says why; what is finished is kept, nas resume {result.run} "
            "--max-failed 1 goes on all the same"
        )
    if summary["best"] is None:
        raise UsageError(
            f"expected at least one trained architecture, all {summary['trials']} trials failed "
            f"({summary['failures']}): see nas show {result.run}"
        )


def _tell_of_the_mock(run: Path) -> None:
    """Say how far simulated scores can be trusted."""
    from nas_core.store import RunStore

    with RunStore.open(run) as store:
        plan = store.config["plan"]
    if plan["trainer"] == "mock":
        from nas_core.trainer.surrogate import evidence_line

        say(evidence_line(plan["space"]))


def _print_summary(result: Any) -> None:
    from nas_core.agent import UNIFORM
    from nas_core.cli.progress import duration
    from nas_core.executors.simulated import SIMULATED_SECONDS
    from nas_core.store import RunStore
    from nas_core.summary import ranked

    with RunStore.open(result.run) as store:
        order = ranked(store.trials())
    summary = result.summary
    failed = sum(summary["failures"].values())
    print(
        f"\n{summary['trials']} trials, {summary['unique']} architectures, {failed} failed, "
        f"{duration(summary['seconds'])}: {result.stopped.value}\n"
    )
    rows = [
        (place, number(row.score, 4), count(row.parameters), count(row.macs), row.text)
        for place, row in enumerate(order[:5], start=1)
    ]
    if rows:
        print(table(("", "score", "parameters", "MACs", "architecture"), rows))
    if summary["mean_by_epsilon"]:
        phases = "  ".join(f"{e}: {number(m)}" for e, m in summary["mean_by_epsilon"].items())
        print(f"\nmean score by epsilon  {phases}")
    if UNIFORM in summary:
        print("\nall rewards were the same, so there was nothing to learn: proposals were uniform")
    if "stopped_early" in summary:
        early = summary["stopped_early"]
        print(
            f"\nstopped early: {early['children']} children, which saved {early['saved']:.0%} of "
            "all epochs"
        )
    if SIMULATED_SECONDS in summary:
        print(
            f"\nsimulated: {duration(summary[SIMULATED_SECONDS])} on several workers, busy "
            f"{100 * summary['busy']:.1f} % of it"
        )
    for name, value in summary.get("table", {}).items():
        print(f"\nthe best one in the table, read after the search: {name} {number(value)}")
    if result.control is not None:
        _print_control(summary, result.control)
    retrain = "" if "table" in summary else f"nas retrain {result.run} --top 3    "
    print(f"\nnext: {retrain}nas report {result.run}")


def _print_control(summary: dict[str, Any], control: dict[str, Any]) -> None:
    best, other = summary["best"], control["best"]
    if best is None or other is None:
        return
    verdict = "beats" if best["score"] > other["score"] else "does not beat"
    print(
        f"\nrandom search, same seed and budget: best {number(other['score'], 4)}; this search "
        f"{verdict} it with {number(best['score'], 4)} (one seed proves little)"
    )


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.command()(search)
    app.command()(resume)
