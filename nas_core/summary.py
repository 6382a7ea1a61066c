"""What a run amounts to, as plain values: used by the command line, the report and tests."""

from collections import defaultdict
from collections.abc import Sequence
from math import fsum
from statistics import fmean
from typing import Any

from nas_core.agent import UNIFORM
from nas_core.executors.simulated import SIMULATED_SECONDS
from nas_core.store import METRICS, RECOMMENDED, RunStore, TrialRow
from nas_core.trainer.base import STOPPED


def ranked(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the trained architectures with a score, best first, each architecture once.

    Equal scores keep the order of proposing, so that a ranking is reproducible.
    """
    bests: dict[str, TrialRow] = {}  # where repeats are scored again, the best of its scores
    for row in rows:
        if row.score is not None and row.credited_from is None:
            known = bests.setdefault(row.digest, row)
            if row.score > _score(known):
                bests[row.digest] = row
    return sorted(bests.values(), key=lambda row: (-_score(row), row.number))


def _score(row: TrialRow) -> float:
    return float("-inf") if row.score is None else row.score


def mean_by_epsilon(rows: Sequence[TrialRow]) -> dict[str, float]:
    """Return the mean score of the proposals of each epsilon, highest epsilon first.

    Repeats count as often as they were proposed, failed trials do not count; empty for agents
    without epsilon.
    """
    scores: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        if row.epsilon is not None and row.score is not None:
            scores[row.epsilon].append(row.score)
    return {str(epsilon): fmean(scores[epsilon]) for epsilon in sorted(scores, reverse=True)}


def failures(rows: Sequence[TrialRow]) -> dict[str, int]:
    """Return how many trained trials ended in each status other than ok."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.status is not None and row.score is None and row.credited_from is None:
            counts[row.status.value] += 1
    return dict(sorted(counts.items()))


def summarise(store: RunStore) -> dict[str, Any]:
    """Return a run's figures as JSON values.

    ``trials`` counts finished proposals, repeats included; ``unique`` different architectures;
    ``best`` is None while nothing has a score; ``recommended`` is there where the agent recommends
    by itself; ``uniform`` where all rewards were the same, so that such an agent proposed at
    random; ``seconds`` is the driver's wall-clock time. A run
    on simulated workers also has ``simulated_seconds`` and ``busy`` (see `simulated`).
    """
    rows = [row for row in store.trials() if row.status is not None]
    choice = recommended(store)
    order = ranked(rows)
    seconds = store.meta("seconds")
    return {
        "trials": len(rows),
        "unique": len({row.digest for row in rows}),
        "best": None if not order else describe(order[0]),
        **({} if choice is None else {"recommended": describe(choice)}),
        "mean_by_epsilon": mean_by_epsilon(rows),
        "seconds": 0.0 if seconds is None else round(float(seconds), 3),
        "failures": failures(rows),
        **({UNIFORM: True} if _learned_nothing(store) else {}),
        **simulated(store, rows),
        **(stopped_early(rows) if store.config["plan"].get("stop_early") else {}),
        "run": str(store.folder),
    }


def _learned_nothing(store: RunStore) -> bool:
    """Return whether the agent has said, after its last update, that rewards tell it nothing."""
    update = store.last_event(METRICS)
    return isinstance(update, dict) and update.get(UNIFORM) == 1.0


def simulated(store: RunStore, rows: Sequence[TrialRow]) -> dict[str, float]:
    """Return the simulated wall-clock seconds, and the share of the workers' time in use.

    Empty for runs in real time. ``busy`` counts finished children only; it is 1 where no time has
    passed.
    """
    seconds = store.meta(SIMULATED_SECONDS)
    if seconds is None:
        return {}
    spent = fsum(
        row.seconds for row in rows if row.credited_from is None and row.seconds is not None
    )
    paid = float(seconds) * int(store.config["plan"]["workers"])
    busy = spent / paid if paid > 0.0 else 1.0
    return {SIMULATED_SECONDS: round(float(seconds), 3), "busy": round(busy, 4)}


def stopped_early(rows: Sequence[TrialRow]) -> dict[str, dict[str, float]]:
    """Return what stopping hopeless children saved.

    Of the trained children with a score: how many were stopped, and the share of all their epochs
    that was never trained.
    """
    results = [row.result for row in rows if row.score is not None and row.credited_from is None]
    epochs = [len(result.curve) for result in results]
    stopped = sum(STOPPED in (result.details or {}) for result in results)
    whole = max(epochs, default=0) * len(epochs)
    saved = 1.0 - sum(epochs) / whole if whole > 0 else 0.0
    return {"stopped_early": {"children": stopped, "saved": round(saved, 4)}}


def recommended(store: RunStore) -> TrialRow | None:
    """Return the trial that the run's agent recommends itself; None where it leaves that to scores.

    An agent with a model of the rewards may know that the highest score was luck.
    """
    number = store.meta(RECOMMENDED)
    return None if number is None else store.trial(int(number))


def describe(row: TrialRow) -> dict[str, Any]:
    """Return one architecture as JSON values."""
    return {
        "text": row.text,
        "digest": row.digest,
        "score": row.score,
        "trial": row.number,
        "parameters": row.parameters,
        "macs": row.macs,
    }
