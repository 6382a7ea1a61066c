"""Search and resume from Python; the command line calls these two functions."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas_core.agent import Agent
from nas_core.assembly import Own, Parts, assemble, executor_for
from nas_core.changes import changed_since, refuse
from nas_core.database import DATABASE
from nas_core.errors import UsageError
from nas_core.executors.base import Executor
from nas_core.executors.machine import cores, gpus
from nas_core.files import as_read_back
from nas_core.generations import COPY
from nas_core.interrupts import gentle_interrupts
from nas_core.loop import SearchLoop, Settings, Stop
from nas_core.plan import CLUSTER_WORKERS, CUSTOM, Plan, versions
from nas_core.registry import agent_entry, check_preset, space_entry
from nas_core.reuse import reuse
from nas_core.space import SearchSpace
from nas_core.store import RunStore, TrialRow
from nas_core.summary import summarise
from nas_core.trainer.base import Trainer, credits_repeats

RUNS = Path("runs")
CONTROL = "control"  # folder of the control's run, inside the run
OnTrial = Callable[[Plan, TrialRow], None]
OnExecutor = Callable[[Executor], None]
MOVABLE = ("process", "inline", "ray")  # executors that give the same results


@dataclass(frozen=True)
class SearchResult:
    """How a search ended.

    Attributes:
        run: The run's folder: everything is there.
        stopped: Why it ended.
        summary: Trials, unique, best, mean_by_epsilon, seconds (see `nas_core.summary`).
        control: The control's summary; None without one.
    """

    run: Path
    stopped: Stop
    summary: dict[str, Any]
    control: dict[str, Any] | None = None


def search(
    space: str | SearchSpace[Any] = "metaqnn",
    data: str | Path | None = "leaves",
    *,
    agent: str | Agent | None = None,
    trainer: str | Trainer = "real",
    trials: int | None = None,
    build: Callable[..., Any] | None = None,
    run: str | Path | None = None,
    on_trial: OnTrial = lambda plan, row: None,
    on_executor: OnExecutor = lambda executor: None,
    **options: Any,
) -> SearchResult:
    """Search for architectures.

    Args:
        space: A registered name or a `SearchSpace` of your own.
        data: "leaves", "cifar10", a folder, an npz file, ... (see `nas data`); ignored by the mock.
        agent: A registered name or an `Agent` of your own; None for the space's own.
        trainer: "real", "mock", "table" (with the option `table`, a file), or a `Trainer` of
            your own.
        trials: Proposals, credited repeats included; None for the preset's number.
        build: Your function (spec, image_shape, classes) -> keras.Model, importable by name.
        run: Folder for the results, new or empty; None for one under ``runs/``.
        on_trial: Called with the plan and each committed trial.
        on_executor: Called once with the executor, before the first trial; for progress.
        **options: Further fields of `nas_core.plan.Plan`: workers, seed, preset, target, ...

    Returns:
        Why the search ended and its figures. Interrupt it with Ctrl-C; `resume` goes on.

    Raises:
        NasError: With one line that says what was expected, received and what to do.
    """
    own = Own(
        space=None if isinstance(space, str) else space,
        agent=None if agent is None or isinstance(agent, str) else agent,
        trainer=None if isinstance(trainer, str) else trainer,
        build=build,
    )
    plan = plan_of(space, data, agent, trainer, trials, options)
    parts = assemble(plan, own)
    if plan.reuse is not None:  # before there is a folder: what cannot be reused leaves none behind
        reuse(parts.agent, parts.space, Path(plan.reuse))
    folder = RUNS / _run_name(plan) if run is None else Path(run)
    if plan.executor == "sagemaker":
        from nas_core.cloud.driver import named

        plan = replace(plan, cloud=named(plan.cloud, folder.name))
    # The executor first: workers that do not fit leave no folder behind.
    with (
        closing(executor_for(plan, parts.trainer)) as executor,
        RunStore.create(folder, _config(plan, parts)) as store,
    ):
        on_executor(executor)
        return _sit(plan, own, parts, executor, store, on_trial)


def plan_of(
    space: str | SearchSpace[Any],
    data: str | Path | None,
    agent: str | Agent | None,
    trainer: str | Trainer,
    trials: int | None,
    options: dict[str, Any],
) -> Plan:
    """Return the plan, with what was left open filled in."""
    preset = check_preset(options.get("preset", "quick"))
    names: dict[str, Any] = {
        "space": space if isinstance(space, str) else CUSTOM,
        "agent": agent if isinstance(agent, str) else CUSTOM,
        "trainer": trainer if isinstance(trainer, str) else CUSTOM,
    }
    if agent is None:
        default = (
            "random" if names["space"] == CUSTOM else space_entry(names["space"]).default_agent
        )
        names["agent"] = default
    for name in {names["agent"], options.get("control")} - {None, CUSTOM}:
        agent_entry(name)  # a slip of the pen is told before data is prepared
    if trials is None:
        trials = 32 if names["space"] == CUSTOM else space_entry(names["space"]).trials[preset]
    if names["trainer"] in ("mock", "table"):
        # Children of a millisecond need no process of their own, and a control costs nothing.
        free = options.get("executor") != "sagemaker"
        options = {"workers": 1, "control": "random" if free else None, **options}
        # Several workers are simulated: real ones would be idle, and no two runs the same.
        usual = "inline" if options["workers"] == 1 else "simulated"
        options = {"executor": usual, **options}
    if options.get("executor") == "ray" and options.get("address") is not None:
        options = {"workers": CLUSTER_WORKERS, **options}
    if "workers" not in options:
        options = {**options, "workers": max(1, len(gpus()) or cores())}
    for name in ("table", "reuse"):  # found again from any folder
        if options.get(name) is not None:
            options = {**options, name: str(Path(options[name]).resolve())}
    where = str(data) if data is not None and names["trainer"] == "real" else None
    try:
        return Plan(**names, data=where, trials=trials, schedule_trials=trials, **options)
    except TypeError as error:
        raise UsageError(f"expected options of nas_core.plan.Plan, received {options}") from error


def _run_name(plan: Plan) -> str:
    return f"{plan.space}-{time.strftime('%Y%m%d-%H%M%S')}"


def _config(plan: Plan, parts: Parts) -> dict[str, Any]:
    space = parts.space
    return {
        "plan": plan.to_json(),
        "identity": as_read_back(parts.identity()),
        "actions": [space.describe(action) for action in range(space.n_actions)],
        "versions": versions(),
    }


def resume(
    run: str | Path,
    *,
    more_trials: int = 0,
    max_failed: float | None = None,
    force: bool = False,
    space: SearchSpace[Any] | None = None,
    agent: Agent | None = None,
    trainer: Trainer | None = None,
    build: Callable[..., Any] | None = None,
    executor: str | None = None,
    address: str | None = None,
    on_trial: OnTrial = lambda plan, row: None,
    on_executor: OnExecutor = lambda executor: None,
) -> SearchResult:
    """Go on with a run exactly where it stopped, however it stopped.

    Args:
        run: The run's folder.
        more_trials: Proposals on top of what the run was to have.
        max_failed: Another share of failed children to stop at; None for the run's.
        force: Whether to go on where the space, the data, the recipe or versions have changed; it
            is recorded.
        space: The same object as at the start, if it was your own; likewise the others.
        agent: See `space`.
        trainer: See `space`.
        build: See `space`.
        executor: Where children run from now on, among `MOVABLE`; None for where they ran.
        address: HOST:PORT of a Ray cluster that has moved; None for where it was.
        on_trial: See `search`.
        on_executor: See `search`.

    Raises:
        RunError: No such run, another process holds it, or what its results depend on has changed
            (each difference on a line of its own).
    """
    own = Own(space, agent, trainer, build)
    if more_trials < 0:
        raise UsageError(f"expected --trials of 0 or more to add, received {more_trials}")
    with RunStore.open(Path(run), write=True) as store:
        config = store.config
        plan = Plan.from_json(config["plan"])
        plan = replace(plan, trials=plan.trials + more_trials)
        if max_failed is not None:
            plan = replace(plan, max_failed=max_failed)
        plan = _moved(plan, executor, address)
        parts = assemble(plan, own)
        config = _unchanged(store, config, _config(plan, parts), force)
        if plan.reuse is not None and store.agent_state() is None:  # else its state holds them
            reuse(parts.agent, parts.space, Path(plan.reuse))
        if plan.to_json() != config["plan"]:
            store.set_meta("config", {**config, "plan": plan.to_json()})
        with closing(executor_for(plan, parts.trainer)) as running:
            on_executor(running)
            return _sit(plan, own, parts, running, store, on_trial)


def _moved(plan: Plan, executor: str | None, address: str | None) -> Plan:
    """Return the plan with its children elsewhere.

    Raises:
        UsageError: The executor is, or was, one whose results another one would not give.
    """
    if executor is not None and executor != plan.executor:
        if plan.executor not in MOVABLE or executor not in MOVABLE:
            raise UsageError(
                f"expected --executor {plan.executor}, as the run began, received {executor}: "
                f"a run can move among {', '.join(MOVABLE)} only"
            )
        plan = replace(plan, executor=executor, address=None, gpu_share=None)
    return plan if address is None else replace(plan, address=address)


def _unchanged(
    store: RunStore, config: dict[str, Any], now: dict[str, Any], force: bool
) -> dict[str, Any]:
    """Return a run's record, brought up to date where it is forced.

    Raises:
        RunError: Its results depend on something that has changed.
    """
    lines = changed_since(config, now)
    if not force:
        refuse(store.folder, lines)
    elif lines:
        config = {**config, "identity": now["identity"], "versions": now["versions"]}
        with store.transaction():
            store.set_meta("config", config)
            store.add_event("forced", lines)
    return config


def _sit(
    plan: Plan,
    own: Own,
    parts: Parts,
    executor: Executor,
    store: RunStore,
    on_trial: OnTrial,
) -> SearchResult:
    """Run the loop in an opened store, then the control with the same executor."""
    settings = Settings(
        trials=plan.trials,
        seed=plan.seed,
        max_seconds=None if plan.max_hours is None else plan.max_hours * 3600,
        target=plan.target,
        threads=plan.threads,
        asynchronous=plan.asynchronous,
        credits=credits_repeats(parts.trainer),
        max_failed=plan.max_failed,
        stop_early=plan.stop_early,
    )
    loop = SearchLoop(parts.agent, executor, store, settings, lambda row: on_trial(plan, row))
    with store.transaction():
        store.add_event("started", {"trials": plan.trials, "workers": plan.workers})
    with gentle_interrupts(loop.stop):
        stopped = loop.run()
    with store.transaction():
        store.add_event("ended", {"reason": stopped.value})
    control = None
    if plan.control is not None and stopped in (Stop.FINISHED, Stop.TARGET):
        finished = sum(row.status is not None for row in store.trials())
        wanted = replace(
            plan, agent=plan.control, control=None, target=None, max_hours=None, trials=finished,
            reuse=None,
        )  # fmt: skip
        others = replace(own, agent=None)
        control = _control(wanted, others, executor, store.folder / CONTROL, on_trial)
    summary = summarise(store)
    if plan.trainer == "table" and stopped in (Stop.FINISHED, Stop.TARGET):
        from nas_core.tables.outcome import write_outcome

        summary = {**summary, "table": write_outcome(plan, store)}
    return SearchResult(store.folder, stopped, summary, control)


def _control(
    plan: Plan, own: Own, executor: Executor, folder: Path, on_trial: OnTrial
) -> dict[str, Any]:
    """Give the control agent the same seed, budget and trainer; finish it if it was begun."""
    parts = assemble(plan, own)
    if (folder / DATABASE).exists() or (folder / COPY).exists():
        store = RunStore.open(folder, write=True)
    else:
        store = RunStore.create(folder, _config(plan, parts))
    with store:
        return _sit(plan, own, parts, executor, store, on_trial).summary
