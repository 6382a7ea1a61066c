"""Retraining: the best architectures on all data, chosen on validation, tested once.

The test split is opened here and nowhere else, once per call, after every training has ended.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas_core.artefacts import note
from nas_core.assembly import DATA_ROOT, recipe_of
from nas_core.database import one_line
from nas_core.datasets import DatasetInfo, resolve
from nas_core.errors import RunError, UsageError
from nas_core.evaluation import check_model
from nas_core.files import write_json
from nas_core.kinds import KINDS, check_kind, kind_of
from nas_core.plan import CUSTOM, Plan
from nas_core.retraining.candidates import (
    Candidate,
    for_classes,
    found_candidates,
)
from nas_core.retraining.inheritance import heirs
from nas_core.retraining.outcome import tested_outcome
from nas_core.retraining.trainings import Training, plan_trainings, train_all
from nas_core.spec import ChainSpec
from nas_core.store import RunStore, TrialRow
from nas_core.summary import ranked
from nas_core.trainer.control import check_controller
from nas_core.trainer.recipe import Recipe

OUTCOME = "retrain.json"
FINAL_SECONDS = 6 * 3600.0  # a final training may be long; a hang must still end


def retrain(
    run: Path,
    *,
    top: int = 3,
    seeds: int = 1,
    epochs: int | None = None,
    data: str | None = None,
    cells: int | None = None,
    filters: int | None = None,
    init_from: Path | None = None,
    workers: int | None = None,
    controller: str | None = None,
    executor: str = "process",
    cloud: dict[str, Any] | None = None,
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
        cells: For cells: normal cells in each of three stacks; None for the search's stacks.
        filters: For cells: filters of the first stack; None for the search's.
        init_from: A ``.keras`` file: every architecture that shares a layer with it is trained
            from scratch and, with the same budget, from this model's weights.
        workers: Trainings at a time; None for as many as the search had.
        controller: Brain that sets the learning rate after each epoch: "default" or a folder; None
            for the final recipe's schedule.
        executor: "process", or "sagemaker": each training is a job, its model is brought here.
        cloud: Where jobs run (see `nas_core.cloud.driver`); None for where the search's ran.
        on_line: Called with lines about progress.

    Returns:
        ``architectures`` (best validation first, the two starts of one side by side),
        ``baseline``, ``rank_correlation``, ``confusion`` and ``per_class_accuracy`` of the first,
        as JSON values. A row's ``start`` is "scratch" or "fine-tuned"; a fine-tuned one lists
        ``copied`` and ``fresh`` layers.

    Raises:
        RunError: Nothing in the run has a score, or every training failed.
        UsageError: A number out of range, chains with cells or filters, or a model to begin with
            that cannot be read or shares no layer with what is retrained.
    """
    wanted = planned(
        run, top=top, seeds=seeds, epochs=epochs, data=data, cells=cells, filters=filters,
        init_from=init_from, controller=controller, on_line=on_line,
    )  # fmt: skip
    plan, info, trainings = wanted.plan, wanted.info, wanted.trainings
    if executor == "sagemaker":
        from nas_core.cloud.driver import for_retraining

        plan = replace(plan, cloud=for_retraining(run, cloud), data=_data_name(plan, data))
    plan = replace(plan, trainer=CUSTOM, executor=executor, trial_seconds=FINAL_SECONDS)
    plan = plan if workers is None else replace(plan, workers=workers)
    results = train_all(plan, trainings, wanted.recipe, info, on_line)
    outcome = tested_outcome(run, wanted.candidates, trainings, results, info)
    with one_line(run):
        write_json(run / OUTCOME, outcome)
        note(run, run / OUTCOME)
    return outcome


@dataclass(frozen=True)
class Retraining:
    """What is to be trained, before anything is.

    Attributes:
        plan: What the run was asked for.
        candidates: The architectures; the last is the hand-made one.
        trainings: Of the candidates, each with every seed.
        recipe: Of all of them.
        info: The data set.
    """

    plan: Plan
    candidates: list[Candidate]
    trainings: list[Training]
    recipe: Recipe
    info: DatasetInfo


def planned(
    run: Path,
    *,
    top: int = 3,
    seeds: int = 1,
    epochs: int | None = None,
    data: str | None = None,
    cells: int | None = None,
    filters: int | None = None,
    init_from: Path | None = None,
    controller: str | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> Retraining:
    """Return the trainings of `retrain`, whose arguments and errors these are."""
    if top < 1 or seeds < 1:
        raise UsageError(f"expected --top and --seeds of 1 or more, received {top} and {seeds}")
    for name, value in (("cells", cells), ("filters", filters)):
        if value is not None and value < 1:
            raise UsageError(f"expected --{name} of 1 or more, received {value}")
    if init_from is not None:
        check_model(init_from)
    plan, best = _found(run, top)
    info = resolve(_data_name(plan, data), DATA_ROOT)
    check_kind(kind_of(best[0].spec), info.kind, info.name)
    recipe = _final_recipe(plan, {"epochs": epochs, "controller": controller}, info)
    found = found_candidates(best, len(info.classes), cells, filters, info.words)
    if init_from is not None:
        found = found + heirs(found, init_from, info, recipe, on_line)
    plain = ChainSpec.from_text(KINDS[info.kind].hand_made)
    hand_made = for_classes(plain, len(info.classes), info.words)
    candidates = [*found, Candidate(hand_made, None)]
    trainings = plan_trainings(run, plan.seed, candidates, seeds, recipe, info)
    return Retraining(plan, candidates, trainings, recipe, info)


def _found(run: Path, top: int) -> tuple[Plan, list[TrialRow]]:
    """Return what the run was asked for, and its best trials."""
    with RunStore.open(run) as store:
        plan = Plan.from_json(store.config["plan"])
        best = ranked(store.trials())[:top]
    if not best:
        raise RunError(f"expected a run with a trained architecture, {run} has none: search on")
    return plan, best


def _final_recipe(plan: Plan, given: dict[str, Any], info: DatasetInfo) -> Recipe:
    """Return the final recipe at the size of image that the search found its networks for."""
    changes = {name: value for name, value in given.items() if value is not None}
    if info.words is None:
        changes["image_size"] = recipe_of(plan).image_size
    recipe = KINDS[info.kind].final.changed(changes)
    check_controller(recipe.controller, recipe.learning_rate, recipe.optimizer)
    return recipe


def _data_name(plan: Plan, data: str | None) -> str:
    if data is not None:
        return data
    return "leaves" if plan.data is None else plan.data  # a mock run saw no data
