"""What a comparison says: the JSON of the figures, tables for people, verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training_control.comparison.intervals import difference, mean_of_tasks, mean_with_interval
from training_control.comparison.measures import (
    censored_median,
    instability,
    intervals_to_plateau,
    intervals_to_target,
    sensitivity,
)
from training_control.comparison.methods import replay_name
from training_control.comparison.records import Record
from training_control.comparison.runner import Found

TARGET_METHOD = "constant"  # its median final validation loss is the target of every method
AT_RATES = " @ given rates"  # behind the names of a pair that is compared over all given rates

Pair = dict[str, Any]


def targets(found: Found) -> dict[str, float]:
    """Return each task's target: the tuned constant rate's median final validation loss."""
    result = {}
    for (task, method), records in found.tuned.items():
        losses = [r.validation_loss for r in records if r.validation_loss is not None]
        if method == TARGET_METHOD and losses:
            result[task] = float(np.median(losses))
    return result


def in_epochs(record: Record, intervals: int | None) -> float | None:
    """Return a number of a training's intervals in epochs."""
    return None if intervals is None else intervals * record.epochs / record.decisions


def epochs_to_target(record: Record, goals: dict[str, float]) -> float | None:
    """Return the epochs until the target's loss is reached; None if it is not."""
    if record.task not in goals:
        return None
    return in_epochs(record, intervals_to_target(record.losses, goals[record.task]))


def rows(found: Found) -> list[dict[str, Any]]:
    """Return one row for each compared training, tuned ones first; equal trainings stand once."""
    goals, seen, result = targets(found), set(), []
    given = [r for by in found.at_rates.values() for records in by.values() for r in records]
    for record in [*(r for records in found.tuned.values() for r in records), *given]:
        if record.key in seen:
            continue
        seen.add(record.key)
        result.append(
            {
                "task": record.task,
                "method": record.method,
                "initial_lr": record.initial_lr,
                "seed": record.seed,
                "metric": record.metric,
                "value": record.value,
                "seconds": record.seconds,
                "agent_seconds": record.agent_seconds,
                "epochs_to_target": epochs_to_target(record, goals),
                "crashed": record.crashed,
            }
        )
    return result


def strata(found: Found, method: str) -> list[np.ndarray]:
    """Return a method's scores at its tuned rates: for each task float64 [seeds]."""
    return [_scores(records) for (_, name), records in found.tuned.items() if name == method]


def strata_at_rates(found: Found, method: str) -> list[np.ndarray]:
    """Return a method's scores from the given rates: for each task and rate float64 [seeds]."""
    return [
        _scores(records)
        for (_, name), by_rate in found.at_rates.items()
        if name == method
        for records in by_rate.values()
    ]


def _scores(records: Sequence[Record]) -> np.ndarray:
    return np.array([record.score for record in records])


def pairs(found: Found) -> list[Pair]:
    """Return every agent against every other method: differences with their intervals.

    First at tuned rates, then over the given ones, with "@ given rates" behind both names.
    """
    result = []
    learned = [name for name, agent in found.agents.items() if agent.meta_training]
    for ours in learned:
        for theirs in methods(found):
            if theirs != ours:
                pair = difference(strata(found, ours), strata(found, theirs))
                result.append({"a": ours, "b": theirs} | _figures(pair))
    for ours in learned:
        for theirs in dict.fromkeys(name for _, name in found.at_rates):
            if theirs != ours and strata_at_rates(found, ours):
                pair = difference(strata_at_rates(found, ours), strata_at_rates(found, theirs))
                named = {"a": ours + AT_RATES, "b": theirs + AT_RATES}
                result.append(named | _figures(pair))
    return result


def _figures(pair: Any) -> Pair:
    return {
        "iqm_difference": pair.value,
        "ci_low": pair.low,
        "ci_high": pair.high,
        "of_tasks": {
            "difference": pair.of_tasks,
            "ci_low": pair.of_tasks_low,
            "ci_high": pair.of_tasks_high,
        },
        "probability_of_improvement": pair.probability,
        "pairs": pair.pairs,
        "seeds": pair.seeds,
    }


def methods(found: Found) -> list[str]:
    """Return all methods that were tuned, in order."""
    return list(dict.fromkeys(name for _, name in found.tuned))


def to_json(found: Found) -> dict[str, Any]:
    """Return {"rows": [...], "pooled": [...]}: every training, and agents against the rest."""
    keys = ("a", "b", "iqm_difference", "ci_low", "ci_high")
    pooled = [{key: pair[key] for key in keys} for pair in pairs(found)]
    return {"rows": rows(found), "pooled": pooled}


def summary(found: Found) -> dict[str, Any]:
    """Return everything else that was measured, as JSON values."""
    return {
        "targets": targets(found),
        "by_task": [_of_task(found, task, method) for task, method in found.tuned],
        "pooled": [_pooled(found, method) for method in methods(found)],
        "pairs": pairs(found),
        "sensitivity": [_sensitivity(found, task, method) for task, method in found.at_rates],
        "compute": [_compute(found, method) for method in methods(found)],
    }


def _of_task(found: Found, task: str, method: str) -> dict[str, Any]:
    records, goals = found.tuned[task, method], targets(found)
    middle, low, high = mean_with_interval([_scores(records)])
    names = records[0].metrics
    known = {name: [v for r in records if (v := r.metrics.get(name)) is not None] for name in names}
    return {
        "task": task,
        "method": method,
        "initial_lr": records[0].initial_lr,
        "parameters": dict(records[0].parameters),
        "score": {"iqm": middle, "ci_low": low, "ci_high": high, "sd": _sd(records)},
        "metrics": {name: float(np.mean(v)) for name, v in known.items() if v},
        "validation_loss": _mean([r.validation_loss for r in records]),
        "seconds": _mean([r.seconds for r in records]),
        "overhead": _overhead(records),
        "epochs_to_target": censored_median([epochs_to_target(r, goals) for r in records]),
        "reached_target": sum(epochs_to_target(r, goals) is not None for r in records),
        "epochs_to_plateau": censored_median(
            [in_epochs(r, intervals_to_plateau(r.losses)) for r in records]
        ),
        "interventions": _mean([float(r.interventions) for r in records]),
        "rollbacks": _mean([float(r.rollbacks) for r in records]),
        "instability": instability([_rates(r) for r in records]),
        "crashes": sum(r.crashed for r in records),
        "trainings": len(records),
    }


def _rates(record: Record) -> list[float]:
    return [float(rate) for rate in record.hyperparameters["learning_rate"]]


def _sd(records: Sequence[Record]) -> float:
    return float(np.std(_scores(records)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _overhead(records: Sequence[Record]) -> float:
    """Return the share of the time that the method itself has taken."""
    return sum(r.agent_seconds for r in records) / sum(r.seconds for r in records)


def _pooled(found: Found, method: str) -> dict[str, Any]:
    middle, low, high = mean_with_interval(strata(found, method))
    groups = [group for (_, name), group in found.tuned.items() if name == method]
    records = [record for group in groups for record in group]
    moved = [[_rates(record) for record in group] for group in groups]
    return {
        "method": method,
        "iqm": middle,
        "ci_low": low,
        "ci_high": high,
        "mean_of_tasks": mean_of_tasks(strata(found, method)),
        "overhead": _overhead(records),
        "instability": float(np.mean([instability(rates) for rates in moved])),
        "crashes": sum(record.crashed for record in records),
        "trainings": len(records),
    }


def _sensitivity(found: Found, task: str, method: str) -> dict[str, Any]:
    by_rate = {rate: [r.score for r in rs] for rate, rs in found.at_rates[task, method].items()}
    crashes = sum(r.crashed for rs in found.at_rates[task, method].values() for r in rs)
    means = {f"{rate:g}": float(np.mean(scores)) for rate, scores in by_rate.items()}
    over_best = sensitivity(by_rate)
    return {
        "task": task,
        "method": method,
        "means": means,
        "over_best": over_best,
        "crashes": crashes,
    }


def _compute(found: Found, method: str) -> dict[str, Any]:
    """Return what one use of a method costs, in seconds of this machine and examples trained on.

    One use is tuning and one training. Meta-training is paid once; it is shown whole and apart.
    """
    agent = found.agents.get(method)
    source = next((n for n in found.agents if replay_name(n) == method), method)
    tuning = [r for (_, name), group in found.tuning.items() if name == source for r in group]
    trained = [r for (_, name), group in found.tuned.items() if name == method for r in group]
    tasks = len({task for task, name in found.tuned if name == method})
    once = sum(r.seconds for r in trained) / len(trained)
    use = sum(r.seconds for r in tuning) / tasks + once
    meta = dict(agent.meta_training) if agent is not None else {}
    seconds = meta.get("seconds") if meta else 0.0
    return {
        "method": method,
        "tuning_trainings": len(tuning) // tasks,
        "examples_of_one_use": sum(r.examples for r in tuning) // tasks
        + sum(r.examples for r in trained) // len(trained),
        "seconds_of_one_use": use,
        "meta_training_seconds": seconds,
        "meta_training_decisions": meta.get("decisions", 0.0),
        "seconds_with_meta_training": None if seconds is None else use + seconds,
        "untuned_trainings_for_the_same_time": None if seconds is None else (use + seconds) / once,
    }
