"""`nas runs`, `nas show`, `nas best` and `nas report`: looking at runs without changing them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas_core.cli.output import JsonFlag, command, count, number, print_json, say, table
from nas_core.errors import RunError, UsageError

Run = Annotated[Path, typer.Argument(help="Folder of a run.")]


@command
def runs(
    folder: Annotated[Path, typer.Argument(help="Where runs are kept.")] = Path("runs"),
    json: JsonFlag = False,
) -> None:
    """List runs, newest first.

    Examples:  nas runs
    """
    from nas_core.database import DATABASE
    from nas_core.store import RunStore
    from nas_core.summary import summarise

    found = sorted(folder.glob(f"*/{DATABASE}"), key=lambda path: -path.stat().st_mtime)
    rows = []
    for path in found:
        try:
            with RunStore.open(path.parent) as store:
                rows.append(summarise(store))
        except RunError as error:  # the others are listed all the same
            say(f"nas: {error}")
    if json:
        print_json({"runs": rows})
        return
    cells = [
        (row["trials"], row["unique"], number(_best_score(row), 4), row["run"]) for row in rows
    ]
    print(table(("trials", "unique", "best", "run"), cells) if cells else f"no runs in {folder}")


def _best_score(summary: dict[str, Any]) -> float | None:
    return None if summary["best"] is None else summary["best"]["score"]


@command
def show(
    run: Run,
    trial: Annotated[int | None, typer.Argument(help="Number of a trial, from 0.")] = None,
    q: Annotated[bool, typer.Option("--q", help="Show the Q-table of a MetaQNN run.")] = False,
    policy: Annotated[
        bool, typer.Option("--policy", help="Show a controller's probability of every option.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that all of the run is as it was written.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Show a run's trials, one trial, or what its agent has learned; or check the run's folder.

    Examples:  nas show R1

    nas show R1 7

    nas show R1 --q

    nas show R1 --policy

    nas show R1 --verify
    """
    from nas_core.cli.policy import show_policy, summarise_policy
    from nas_core.store import RunStore

    if sum((q, policy, verify, trial is not None)) > 1:
        raise UsageError(
            "expected one of TRIAL, --q, --policy and --verify, received several: choose one"
        )
    if verify:
        _verify(run, json)
        return
    with RunStore.open(run) as store:
        if q:
            _show_q(store, json)
        elif policy:
            show_policy(store, json)
        elif trial is not None:
            _show_trial(store.trial(trial), json)
        else:
            _show_trials(store, json)
            if not json:
                summarise_policy(store)


def _verify(run: Path, json: bool) -> None:
    """Print what is wrong with a run; exit with 1 where something is."""
    from dataclasses import asdict

    from nas_core.verification import verify

    found = verify(run)
    if json:
        print_json({"run": str(run), "intact": not found, "findings": [asdict(f) for f in found]})
    else:
        print("\n".join(str(finding) for finding in found) or f"{run}: all as it was written")
    if found:
        raise typer.Exit(1)


def _show_trials(store: Any, json: bool) -> None:
    rows = store.trials()
    if json:
        keys = ("digest", "text", "score", "status", "epsilon")
        print_json({"trials": [{key: getattr(row, key) for key in keys} for row in rows]})
        return
    cells = [
        (
            row.number,
            "pending" if row.status is None else row.status.value,
            number(row.score, 4),
            number(row.epsilon, 1),
            "-" if row.credited_from is None else row.credited_from,
            number(row.seconds, 1),
            row.text,
        )
        for row in rows
    ]
    print(table(("trial", "status", "score", "epsilon", "as trial", "s", "architecture"), cells))


def _show_trial(row: Any, json: bool) -> None:
    from dataclasses import asdict

    from nas_core.summary import describe

    result = row.result.to_json() if row.status is not None else None
    if json:
        print_json({**describe(row), "epsilon": row.epsilon, "result": result})
        return
    print(f"trial {row.number}  {row.text}\ndigest {row.digest}")
    if result is None:
        print("pending")
        return
    print(
        f"status {result['status']}  score {number(row.score, 4)}  {number(row.seconds, 1)} s  "
        f"{count(row.parameters)} parameters  {count(row.macs)} MACs  "
        f"attempts {result['attempts']}  {result['message']}"
    )
    cells = [
        (epoch, *(number(value, 4) for value in asdict(values).values()))
        for epoch, values in enumerate(row.result.curve, start=1)
    ]
    header = ("epoch", "loss", "accuracy", "val loss", "val accuracy", "learning rate")
    if cells:
        print(table(header, cells))


def _show_q(store: Any, json: bool) -> None:
    state = store.agent_state()
    if state is None or "q" not in state:
        raise RunError(f"expected a run of a Q-learner, {store.folder} has no Q-table")
    names = store.config["actions"]
    rows = [
        {"state": key, "values": {names[action]: q for action, q in values}}
        for key, values in state["q"]
    ]
    if json:
        print_json({"q": rows})
        return
    cells = []
    for row in rows:
        best = sorted(row["values"].items(), key=lambda item: -item[1])
        text = "  ".join(f"{name} {q:.3f}" for name, q in best[:4])
        cells.append((" ".join(str(part) for part in row["state"]) or "start", len(best), text))
    print(table(("state", "actions", "best decisions"), cells))


@command
def best(
    run: Run,
    top: Annotated[int, typer.Option(help="How many architectures.")] = 5,
    json: JsonFlag = False,
) -> None:
    """Show the best architectures of a run.

    Examples:  nas best R1 --top 3
    """
    from nas_core.store import RunStore
    from nas_core.summary import describe, ranked, recommended

    with RunStore.open(run) as store:
        order = ranked(store.trials())[: max(0, top)]
        choice = recommended(store)
    if json:
        own = {} if choice is None else {"recommended": describe(choice)}
        print_json({"best": [describe(row) for row in order], **own})
        return
    cells = [
        (number(row.score, 4), row.number, count(row.parameters), count(row.macs), row.text)
        for row in order
    ]
    print(table(("score", "trial", "parameters", "MACs", "architecture"), cells))
    if choice is not None:
        print(f"recommended by the agent's model: trial {choice.number}  {choice.text}")


@command
def report(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="HTML file; RUN/report.html by default.")] = None,
    comparison: Annotated[
        bool, typer.Option(help="Compare the agent with random search, on the mock or the table.")
    ] = True,
    json: JsonFlag = False,
) -> None:
    """Write a run's report: one HTML file that needs nothing else.

    Examples:  nas report R1 --out report.html
    """
    from nas_core.report import write_report

    path = write_report(run, out, comparison=comparison)
    if json:
        print_json({"report": str(path)})
    else:
        print(path)


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    for verb in (runs, show, best, report):
        app.command()(verb)
