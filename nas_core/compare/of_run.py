"""The comparison that belongs to a run: its agent, evolution and random search on its own space."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas_core.artefacts import note
from nas_core.compare.comparison import RANDOM, Comparison
from nas_core.compare.pool import run_seeds
from nas_core.compare.run import compare, plan_for
from nas_core.compare.statistics import interval, resamples
from nas_core.datasets.test_split import record_opening
from nas_core.errors import NasError
from nas_core.executors.machine import cores
from nas_core.files import read_json, write_json
from nas_core.plan import CUSTOM, Plan, versions
from nas_core.tables.outcome import OUTCOME
from nas_core.trainer.mock import MockTrainer
from nas_core.trainer.surrogate import evidence_line

COMPARISON = "comparison.json"  # in the run's folder: what was found, so that it is found once
OTHER = "evolution"
SEEDS = 20
MOST, LEAST = 100, 10  # evaluations of each search
SECONDS = 6.0  # of searching on all cores together; slow spaces get fewer evaluations


def comparison_of(run: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Compare a run's agent on the run's space: on the mock, or on the table that it searches.

    The first call takes about ten seconds and keeps what it found in the run's folder.

    Args:
        run: The run's folder.
        config: What the run was started with.

    Returns:
        JSON values: ``note``, one sentence on why there is no comparison; or ``space``,
        ``trainer``, ``metric``, ``evaluations``, ``seeds``, ``verdicts``, ``trust`` (of the mock)
        and ``curves``: by agent, ``mean``, ``low`` and ``high`` after each evaluation. Empty
        where the run does not say what it was asked for.
    """
    try:
        plan = Plan.from_json(config["plan"])
    except (NasError, KeyError, TypeError):
        return {}
    reason = _why_not(run, plan)
    if reason:
        return {"note": reason}
    key = _key(plan, config)
    known = _kept(run / COMPARISON)
    if known.get("key") == key:
        return known
    try:
        found = {"key": key, **_described(_compare(run, plan, _identity(config)))}
    except NasError as error:
        return {"note": f"Not compared: {error}"}
    with suppress(OSError):  # a folder that is only read is compared again next time
        write_json(run / COMPARISON, found)
        note(run, run / COMPARISON)
    return found


def _why_not(run: Path, plan: Plan) -> str:
    if CUSTOM in (plan.space, plan.agent):
        return "Not compared: the run's space or agent is its caller's own and has no name."
    if plan.trainer == "table" and not (run / OUTCOME).is_file():
        return "Compared once the search has ended: then the table's reported columns are opened."
    return ""


def _key(plan: Plan, config: dict[str, Any]) -> dict[str, Any]:
    """Return what a comparison depends on: with another key it is made anew."""
    scores = _identity(config) if plan.trainer == "table" else MockTrainer().config()
    return {
        "agent": plan.agent,
        "space": plan.space,
        "preset": plan.preset,
        "scores": scores,
        "report_columns": plan.report_columns,
        "evaluations": min(plan.trials, MOST),
        "seeds": SEEDS,
        "version": versions()["rl-nas"],
    }


def _identity(config: dict[str, Any]) -> dict[str, Any]:
    """Return what the run's own scores depend on."""
    found: dict[str, Any] = config.get("identity", {}).get("trainer", {})
    return found


def _kept(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _compare(run: Path, plan: Plan, identity: dict[str, Any]) -> Comparison:
    table = plan.table if plan.trainer == "table" else None
    if table is not None:
        digest = str(identity.get("table", ""))
        record_opening(run, "comparison with random search", Path(table).name, digest)
    most = min(plan.trials, MOST)
    searched = plan_for(
        plan.space, most, table, plan.search_column, plan.report_columns, plan.preset
    )
    return compare(
        plan.space,
        (plan.agent, OTHER),
        evaluations=[_affordable(searched, plan.agent)],
        seeds=SEEDS,
        table=table,
        search_column=plan.search_column,
        report_columns=plan.report_columns,
        preset=plan.preset,
    )


def _affordable(plan: Plan, agent: str) -> int:
    """Return how many evaluations of each search fit into `SECONDS`, as one search shows."""
    run_seeds(plan, 0.0, RANDOM, [0])  # imports and the reading of a table are no part of it
    began = time.perf_counter()
    run_seeds(plan, 0.0, agent, [0])
    expected = (time.perf_counter() - began) * SEEDS * len({agent, OTHER, RANDOM}) / cores()
    fitting = int(plan.trials * SECONDS / expected)
    return min(plan.trials, max(LEAST, fitting))


def _described(found: Comparison) -> dict[str, Any]:
    metric, weights = found.metrics[0], resamples(found.seeds)
    curves = {}
    for agent in found.agents:
        values = found.curves[agent, metric]
        low, high = interval(values, weights)
        lines = {"mean": values.mean(axis=0), "low": low, "high": high}
        curves[agent] = {name: line.round(6).tolist() for name, line in lines.items()}
    return {
        "space": found.space,
        "trainer": found.trainer,
        "metric": metric,
        "evaluations": found.evaluations[-1],
        "seeds": found.seeds,
        "verdicts": found.verdicts(),
        "trust": evidence_line(found.space) if found.trainer == "mock" else "",
        "curves": curves,
    }
