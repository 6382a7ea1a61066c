"""From names to a comparison: `nas compare` calls this function."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nas_core.assembly import Own, assemble
from nas_core.compare.comparison import RANDOM, Comparison
from nas_core.compare.memory import Improvement
from nas_core.compare.pool import BEST_OBSERVED, Found, run_all
from nas_core.errors import UsageError
from nas_core.executors.machine import cores
from nas_core.plan import Plan
from nas_core.registry import agent_entry
from nas_core.space import SearchSpace, spec_of
from nas_core.spec import Spec
from nas_core.tables.assembly import open_table, plan_of, report_values
from nas_core.trainer.base import Job
from nas_core.trainer.mock import MockTrainer

MOCK_METRIC = "expected_accuracy"  # the mock's without its noise
Reports = Callable[[Spec], dict[str, float]]


def compare(
    space: str,
    agents: Sequence[str],
    *,
    evaluations: Sequence[int] = (100,),
    seeds: int = 100,
    table: str | Path | None = None,
    search_column: str | None = None,
    report_columns: str | None = None,
    preset: str = "quick",
    noise: float = 0.0,
    workers: int | None = None,
    on_progress: Callable[[str, int, int], None] = lambda agent, done, total: None,
) -> Comparison:
    """Compare agents with random search, which is added where it is not named.

    Every agent searches once per seed with the largest budget; smaller budgets are read off the
    same curve. What is reported of the recommended networks (the best by the searched signal) is
    looked up when all searches have ended.

    Args:
        space: Registered name.
        agents: Registered names.
        evaluations: Budgets in evaluations.
        seeds: Seeds 0 to `seeds` - 1, the same for every agent.
        table: File of a published table; None for the mock.
        search_column: Its column that searches see; None for the usual one.
        report_columns: Its columns to report, joined by commas; None for the usual ones.
        preset: "quick" or "paper".
        noise: Deviation of an error that is added to each score, in interquartile ranges of
            uniformly drawn networks' scores. What is reported is free of it.
        workers: Processes; None for one per core.
        on_progress: Called with an agent, searches done and searches in all.

    Raises:
        UsageError: A name is unknown, or a number is below 1.
        DataError: The table cannot be used.
    """
    count = cores() if workers is None else workers
    if min(*evaluations, seeds, count) < 1:
        raise UsageError(
            f"expected --evaluations, --seeds and --workers of 1 or more, received "
            f"{', '.join(map(str, evaluations))}; {seeds}; {count}"
        )
    if not (math.isfinite(noise) and noise >= 0.0):
        raise UsageError(f"expected --noise of 0 or more, received {noise}")
    named = tuple(dict.fromkeys((*agents, RANDOM)))
    for name in named:
        agent_entry(name)
    budgets = tuple(sorted(set(evaluations)))
    plan = plan_for(space, budgets[-1], table, search_column, report_columns, preset)
    parts = assemble(plan, Own())  # what cannot work is told before anything is searched
    found = run_all(plan, named, seeds, count, on_progress, noise)
    shown = tuple(name for name in _both(named) if (name, 0) in found)
    curves = _curves(parts.space, found, _reports(plan, parts.trainer), shown, seeds, plan.trials)
    return Comparison(space, plan.trainer, shown, budgets, seeds, curves)


def _both(named: Sequence[str]) -> list[str]:
    """Return each agent, and behind it the name of its best scores beside its recommendations."""
    return [name for agent in named for name in (agent, agent + BEST_OBSERVED)]


def plan_for(
    space: str,
    trials: int,
    table: str | Path | None,
    search_column: str | None,
    report_columns: str | None,
    preset: str,
) -> Plan:
    """Return the plan of one search of a comparison (see `compare`)."""
    return Plan(
        space, RANDOM, "mock" if table is None else "table", preset=preset, executor="inline",
        trials=trials, schedule_trials=trials, search_column=search_column,
        report_columns=report_columns, table=None if table is None else str(Path(table).resolve()),
    )  # fmt: skip


def _reports(plan: Plan, trainer: object) -> Reports:
    """Return what to say about a recommended network; for after the searches."""
    if isinstance(trainer, MockTrainer):
        silent = replace(trainer, noise=0.0)

        def simulated(spec: Spec) -> dict[str, float]:
            score = silent.score(spec, Job(0, 0)).score
            return {MOCK_METRIC: 0.0 if score is None else score}

        return simulated
    wanted = plan_of(plan)
    table = open_table(plan.space, wanted.path)
    columns = report_values(table, wanted)

    def tabulated(spec: Spec) -> dict[str, float]:
        row = table.space.row(spec)
        return {name: float(values[row]) for name, values in columns.items()}

    return tabulated


def _curves(
    space: SearchSpace[object],
    found: Found,
    reports: Reports,
    agents: Sequence[str],
    seeds: int,
    trials: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Return [seeds, trials] per agent and metric; 0 before an agent's first score."""
    known: dict[tuple[int, ...], dict[str, float]] = {}
    for steps in found.values():
        for _, actions in steps:
            if actions not in known:
                known[actions] = reports(spec_of(space, actions))
    metrics = list(next(iter(known.values()), {}))
    curves = {}
    for metric in metrics:
        values = {actions: report[metric] for actions, report in known.items()}
        for agent in agents:
            lines = [found[agent, seed] for seed in range(seeds)]
            curves[agent, metric] = np.stack([_curve(line, values, trials) for line in lines])
    return curves


def _curve(
    steps: Sequence[Improvement], values: dict[tuple[int, ...], float], trials: int
) -> np.ndarray:
    """Return the value of the recommended network after each evaluation [trials]."""
    curve = np.zeros(trials)
    for place, actions in steps:
        curve[place:] = values[actions]
    return curve
