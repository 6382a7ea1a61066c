"""Retraining: the best architectures on all data, chosen on validation, tested once.

The test split is opened here and nowhere else, once per call, after every training has ended.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from nas_core.assembly import DATA_ROOT, executor_for, recipe_of
from nas_core.datasets import DatasetInfo, resolve
from nas_core.errors import RunError, UsageError
from nas_core.executors.base import Executor
from nas_core.files import sha256_bytes, sha256_file, write_json
from nas_core.plan import CUSTOM, Plan
from nas_core.ranks import spearman
from nas_core.seeding import derived_seed
from nas_core.spec import CellSpec, ChainSpec, Softmax, Spec
from nas_core.store import RunStore
from nas_core.summary import ranked
from nas_core.trainer.base import Job, Result
from nas_core.trainer.recipe import FINAL, Recipe

MODELS = "models"
OUTCOME = "retrain.json"
# What a person would write down without a search: three stages, doubling filters, dropout.
HAND_MADE = (
    "[C(32,3,1), P(2,2), C(64,3,1), P(2,2), C(128,3,1), P(2,2), D(0.3), FC(128), D(0.3), SM(2)]"
)
FINAL_SECONDS = 6 * 3600.0  # a final training may be long; a hang must still end


@dataclass(frozen=True)
class Candidate:
    """One architecture to retrain; the hand-made one has no search score."""

    spec: Spec
    search_score: float | None


@dataclass(frozen=True)
class Training:
    """One training of one candidate.

    Attributes:
        candidate: Position in the list of candidates.
        number: Which of its seeds, from 0.
        seed: Seed of this training.
        model: Where the model goes; its description lies beside it as ``.json``.
    """

    candidate: int
    number: int
    seed: int
    model: Path


def retrain(
    run: Path,
    *,
    top: int = 3,
    seeds: int = 1,
    epochs: int | None = None,
    data: str | None = None,
    workers: int | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Retrain a run's best architectures and a hand-made network with the same budget.

    Trainings that an interrupted call finished are kept and not repeated.

    Args:
        run: The run's folder; models go to ``models/``, the outcome to ``retrain.json``.
        top: How many of the best, at least 1.
        seeds: Trainings of each, at least 1.
        epochs: Epochs of each; None for the final recipe's.
        data: Another data set than the run's; None for the run's.
        workers: Trainings at a time; None for as many as the search had.
        on_line: Called with lines about progress.

    Returns:
        ``architectures`` (best validation first), ``baseline``, ``rank_correlation``,
        ``confusion`` and ``per_class_accuracy`` of the first, as JSON values.

    Raises:
        RunError: Nothing in the run has a score, or every training failed.
    """
    if top < 1 or seeds < 1:
        raise UsageError(f"expected --top and --seeds of 1 or more, received {top} and {seeds}")
    with RunStore.open(run) as store:
        plan = Plan.from_json(store.config["plan"])
        best = ranked(store.trials())[:top]
    if not best:
        raise RunError(f"expected a run with a trained architecture, {run} has none: search on")
    info = resolve(_data_name(plan, data), DATA_ROOT)
    recipe = _final_recipe(plan, epochs)
    found = [Candidate(for_classes(row.spec, len(info.classes)), row.score) for row in best]
    hand_made = for_classes(ChainSpec.from_text(HAND_MADE), len(info.classes))
    candidates = [*found, Candidate(hand_made, None)]
    trainings = _trainings(run, plan.seed, candidates, seeds, recipe, info)
    plan = replace(plan, trainer=CUSTOM, executor="process", trial_seconds=FINAL_SECONDS)
    plan = plan if workers is None else replace(plan, workers=workers)
    results = _train_all(plan, candidates, trainings, recipe, info, on_line)
    outcome = _outcome(run, candidates, trainings, results, info)
    write_json(run / OUTCOME, outcome)
    return outcome


def _final_recipe(plan: Plan, epochs: int | None) -> Recipe:
    """Return the final recipe at the size of image that the search found its networks for."""
    changes: dict[str, Any] = {"image_size": recipe_of(plan).image_size}
    if epochs is not None:
        changes["epochs"] = epochs
    return FINAL.changed(changes)


def _data_name(plan: Plan, data: str | None) -> str:
    if data is not None:
        return data
    return "leaves" if plan.data is None else plan.data  # a mock run saw no data


def for_classes(spec: Spec, classes: int) -> Spec:
    """Return an architecture with its classifier changed to so many classes.

    Raises:
        UsageError: The type of specification has no known classifier.
    """
    if isinstance(spec, CellSpec):
        return replace(spec, classes=classes)
    if not isinstance(spec, ChainSpec):
        raise UsageError(f"expected a chain or cell architecture, received {type(spec).__name__}")
    end = spec.layers[-1]
    return ChainSpec((*spec.layers[:-1], Softmax(classes, inputs=end.inputs)))


def _trainings(
    run: Path,
    seed: int,
    candidates: Sequence[Candidate],
    seeds: int,
    recipe: Recipe,
    info: DatasetInfo,
) -> list[Training]:
    """Return all trainings; a model's name says what it depends on, so that none is mistaken."""
    recipe_text = json.dumps(recipe.to_json(), sort_keys=True)
    context = sha256_bytes(f"{recipe_text} {info.digest} {seed}".encode())[:6]
    return [
        Training(
            position,
            number,
            derived_seed(seed, f"retrain {candidate.spec.digest}", number),
            run / MODELS / f"{candidate.spec.digest[3:11]}-{context}-{number}.keras",
        )
        for position, candidate in enumerate(candidates)
        for number in range(seeds)
    ]


def _train_all(
    plan: Plan,
    candidates: Sequence[Candidate],
    trainings: Sequence[Training],
    recipe: Recipe,
    info: DatasetInfo,
    on_line: Callable[[str], None],
) -> list[Result]:
    """Return one result per training, from an earlier call where that was finished."""
    from nas_core.trainer.keras_trainer import KerasTrainer

    results: dict[int, Result] = {}
    for index, training in enumerate(trainings):
        earlier = _finished(training.model)
        if earlier is not None:
            results[index] = earlier
    waiting = [index for index in range(len(trainings)) if index not in results]
    trainer = KerasTrainer(info.path.resolve(), recipe)
    with closing(executor_for(plan, trainer)) as executor:
        running = 0
        while waiting or running:
            while waiting and running < executor.slots:
                _submit(executor, waiting.pop(0), candidates, trainings, plan)
                running += 1
            for item in executor.poll(1.0):
                running -= 1
                results[item.trial] = item.result
                training = trainings[item.trial]
                candidate = candidates[training.candidate]
                _keep(training, candidate, item.result, info, recipe)
                on_line(_line(len(results), len(trainings), candidate, item.result))
    return [results[index] for index in range(len(trainings))]


def _submit(
    executor: Executor,
    index: int,
    candidates: Sequence[Candidate],
    trainings: Sequence[Training],
    plan: Plan,
) -> None:
    training = trainings[index]
    job = Job(index, training.seed, plan.threads, training.model.resolve())
    executor.submit(candidates[training.candidate].spec, job)


def _line(done: int, of: int, candidate: Candidate, result: Result) -> str:
    score = result.status.value if result.score is None else f"validation {result.score:.4f}"
    return f"retrained {done}/{of}  {score}  {result.seconds:.0f} s  {candidate.spec.to_text()}"


def _keep(
    training: Training, candidate: Candidate, result: Result, info: DatasetInfo, recipe: Recipe
) -> None:
    """Write what a model is beside it; its presence says that the training is finished."""
    if result.score is None:
        return
    write_json(
        training.model.with_suffix(".json"),
        {
            "classes": list(info.classes),
            "data": {"name": info.name, "digest": info.digest},
            "spec": candidate.spec.to_json(),
            "text": candidate.spec.to_text(),
            "recipe": recipe.to_json(),
            "seed": training.seed,
            "sha256": sha256_file(training.model),
            "result": result.to_json(),
        },
    )


def _finished(model: Path) -> Result | None:
    """Return the result of an earlier, intact training, if there is one."""
    try:
        described = json.loads(model.with_suffix(".json").read_text())
        if described["sha256"] != sha256_file(model):
            return None
        return Result.from_json(described["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _outcome(
    run: Path,
    candidates: Sequence[Candidate],
    trainings: Sequence[Training],
    results: Sequence[Result],
    info: DatasetInfo,
) -> dict[str, Any]:
    """Test every model in one opening of the test split and gather the figures."""
    from nas_core.evaluation import evaluate_on_test

    trained = [t for t, result in zip(trainings, results, strict=True) if result.score is not None]
    if not trained:
        raise RunError(f"expected a training to succeed, all failed: {results[0].message}")
    tests = evaluate_on_test(info, [t.model for t in trained], run=run)
    rows = [
        _row(
            candidate,
            [
                (training.model, result.score, tests[training.model].accuracy)
                for training, result in zip(trainings, results, strict=True)
                if training.candidate == position and result.score is not None
            ],
        )
        for position, candidate in enumerate(candidates)
    ]
    *found, baseline = rows
    # The choice is made on validation: the test split only says what was chosen.
    found.sort(key=lambda row: -_mean(row["validation_accuracy"]))
    tested = [row for row in found if row["test_accuracy"]]
    winner = tests[Path(tested[0]["model"][0])] if tested else None
    return {
        "data": {"name": info.name, "digest": info.digest},
        "architectures": found,
        "baseline": baseline,
        "rank_correlation": spearman(
            [row["search_score"] for row in tested], [_mean(row["test_accuracy"]) for row in tested]
        ),
        "confusion": None if winner is None else asdict(winner.confusion),
        "per_class_accuracy": None if winner is None else winner.per_class(),
    }


def _row(candidate: Candidate, models: Sequence[tuple[Path, float, float]]) -> dict[str, Any]:
    """Return one candidate's line of the outcome from (model, validation, test) per training."""
    return {
        "digest": candidate.spec.digest,
        "text": candidate.spec.to_text(),
        "search_score": candidate.search_score,
        "validation_accuracy": [validation for _, validation, _ in models],
        "test_accuracy": [test for _, _, test in models],
        "model": [str(model) for model, _, _ in models],
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("-inf")
