"""What came of a retraining: every model tested in one opening of the test split."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from nas_core.datasets import DatasetInfo
from nas_core.errors import RunError
from nas_core.ranks import spearman
from nas_core.retraining.candidates import Candidate
from nas_core.retraining.trainings import Training
from nas_core.trainer.base import Result
from nas_core.trainer.control import CONTROLLED

Figures = tuple[Path, float, float]  # a model, its accuracies on validation and on test


def tested_outcome(
    run: Path,
    candidates: Sequence[Candidate],
    trainings: Sequence[Training],
    results: Sequence[Result],
    info: DatasetInfo,
) -> dict[str, Any]:
    """Test every model in one opening of the test split and gather the figures.

    Args:
        run: The run's folder, which records the opening.
        candidates: What was trained, the hand-made one last.
        trainings: Of the candidates.
        results: One per training.
        info: The data set.

    Raises:
        RunError: Every training failed.
    """
    from nas_core.evaluation import evaluate_on_test

    pairs = list(zip(trainings, results, strict=True))
    trained = [training for training, result in pairs if result.score is not None]
    if not trained:
        raise RunError(f"expected a training to succeed, all failed: {results[0].message}")
    tests = evaluate_on_test(info, [training.model for training in trained], run=run)
    figures = [
        (training, (training.model, result.score, tests[training.model].accuracy))
        for training, result in pairs
        if result.score is not None
    ]
    *found, baseline = (
        row(candidate, [each for training, each in figures if training.candidate is candidate])
        for candidate in candidates
    )
    found = in_order(found)
    tested = [each for each in found if each["test_accuracy"]]
    winner = tests[Path(tested[0]["model"][0])] if tested else None
    return {
        "data": {"name": info.name, "digest": info.digest},
        "architectures": found,
        "baseline": baseline,
        "rank_correlation": _rank_correlation(tested),
        "confusion": None if winner is None else asdict(winner.confusion),
        "per_class_accuracy": None if winner is None else winner.per_class(),
        **_steered(pairs),
    }


def _steered(pairs: Sequence[tuple[Training, Result]]) -> dict[str, Any]:
    """Return what a controller did in each training; nothing where there was none."""
    told = [
        {"text": training.candidate.spec.to_text(), **result.details[CONTROLLED]}
        for training, result in pairs
        if result.details is not None and CONTROLLED in result.details
    ]
    return {CONTROLLED: told} if told else {}


def row(candidate: Candidate, models: Sequence[Figures]) -> dict[str, Any]:
    """Return one candidate's line of the outcome; what it inherited, if it did."""
    inherited = candidate.inherited
    found = {
        "digest": candidate.spec.digest,
        "text": candidate.spec.to_text(),
        "start": candidate.start,
        "search_score": candidate.search_score,
        "validation_accuracy": [validation for _, validation, _ in models],
        "test_accuracy": [test for _, _, test in models],
        "model": [str(model) for model, _, _ in models],
    }
    if inherited is None:
        return found
    return {
        **found,
        "init_from": str(inherited.model),
        "copied": list(inherited.copied),
        "fresh": list(inherited.fresh),
    }


def in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows best validation first, the two starts of an architecture side by side.

    The choice is made on validation: the test split only says what was chosen.
    """
    best: dict[str, float] = {}
    for each in rows:
        best[each["digest"]] = max(_validation(each), best.get(each["digest"], float("-inf")))
    order = sorted(rows, key=lambda each: -_validation(each))
    return sorted(order, key=lambda each: (-best[each["digest"]], each["digest"]))


def _rank_correlation(tested: Sequence[dict[str, Any]]) -> float | None:
    """Return how the search's scores rank what full training from scratch made of them."""
    scratch = [each for each in tested if each["start"] == "scratch"]
    return spearman(
        [each["search_score"] for each in scratch],
        [fmean(each["test_accuracy"]) for each in scratch],
    )


def _validation(row: dict[str, Any]) -> float:
    values = row["validation_accuracy"]
    return fmean(values) if values else float("-inf")
