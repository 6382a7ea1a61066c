"""The trainings of a retraining: named by what they depend on, run side by side, kept."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.artefacts import MODELS, note
from nas_core.assembly import executor_for
from nas_core.database import one_line
from nas_core.datasets import DatasetInfo
from nas_core.files import read_json, sha256_bytes, sha256_file, write_json
from nas_core.plan import Plan
from nas_core.retraining.candidates import Candidate
from nas_core.seeding import derived_seed
from nas_core.trainer.base import Job, Result
from nas_core.trainer.checkpoint import CHECKPOINTS, remove
from nas_core.trainer.recipe import Recipe


@dataclass(frozen=True)
class Training:
    """One training of one candidate.

    Attributes:
        candidate: What is trained.
        seed: Seed of this training; the same for both starts of an architecture.
        model: Where the model goes; its description lies beside it as ``.json``.
    """

    candidate: Candidate
    seed: int
    model: Path

    @property
    def checkpoint(self) -> Path:
        """Where the training keeps its state until the model is there."""
        return self.model.parent.parent.resolve() / CHECKPOINTS / self.model.stem

    def job(self, number: int, threads: int) -> Job:
        """Return how a trainer is to run this, as number so and so."""
        inherited = self.candidate.inherited
        source = None if inherited is None else inherited.model.resolve()
        return Job(number, self.seed, threads, self.model.resolve(), source, self.checkpoint)


def plan_trainings(
    run: Path,
    seed: int,
    candidates: Sequence[Candidate],
    seeds: int,
    recipe: Recipe,
    info: DatasetInfo,
) -> list[Training]:
    """Return all trainings; a model's name says what it depends on, so that none is mistaken.

    The name carries the architecture, and in a digest the recipe, the data, the run's seed and,
    for inherited weights, the model that they come from.
    """
    trainings = []
    for candidate in candidates:
        digest, inherited = candidate.spec.digest, candidate.inherited
        depends = [json.dumps(recipe.to_json(), sort_keys=True), info.digest, str(seed)]
        depends += [] if inherited is None else [inherited.sha256]
        context = sha256_bytes(" ".join(depends).encode())[:6]
        for number in range(seeds):
            model = run / MODELS / f"{digest[3:11]}-{context}-{number}.keras"
            child_seed = derived_seed(seed, f"retrain {digest}", number)
            trainings.append(Training(candidate, child_seed, model))
    return trainings


def train_all(
    plan: Plan,
    trainings: Sequence[Training],
    recipe: Recipe,
    info: DatasetInfo,
    on_line: Callable[[str], None],
) -> list[Result]:
    """Return one result per training, from an earlier call where that was finished.

    Args:
        plan: Says where and how many at a time.
        trainings: What to train.
        recipe: How to train, from either start: so the two differ in their first weights only.
        info: The data set.
        on_line: Called with a line per finished training.
    """
    from nas_core.trainer.keras_trainer import KerasTrainer

    earlier = {index: _finished(training.model) for index, training in enumerate(trainings)}
    results = {index: result for index, result in earlier.items() if result is not None}
    waiting = [index for index in range(len(trainings)) if index not in results]
    with closing(executor_for(plan, KerasTrainer(info.path.resolve(), recipe))) as executor:
        running = 0
        while waiting or running:
            while waiting and running < executor.slots:
                index = waiting.pop(0)
                training = trainings[index]
                executor.submit(training.candidate.spec, training.job(index, plan.threads))
                running += 1
            for item in executor.poll(1.0):
                running -= 1
                results[item.trial] = item.result
                training = trainings[item.trial]
                _keep(training, item.result, info, recipe)
                for warning in item.result.warnings:
                    on_line(warning)
                on_line(_line(len(results), len(trainings), training.candidate, item.result))
    return [results[index] for index in range(len(trainings))]


def _line(done: int, of: int, candidate: Candidate, result: Result) -> str:
    score = result.status.value if result.score is None else f"validation {result.score:.4f}"
    start = "retrained" if candidate.inherited is None else candidate.start
    return f"{start} {done}/{of}  {score}  {result.seconds:.0f} s  {candidate.spec.to_text()}"


def _keep(training: Training, result: Result, info: DatasetInfo, recipe: Recipe) -> None:
    """Write what a model is beside it; its presence says that the training is finished."""
    if result.score is None:
        return
    spec, inherited = training.candidate.spec, training.candidate.inherited
    described: dict[str, Any] = {
        "classes": list(info.classes),
        "data": {"name": info.name, "digest": info.digest},
        "spec": spec.to_json(),
        "text": spec.to_text(),
        "recipe": recipe.to_json(),
        "seed": training.seed,
        "sha256": sha256_file(training.model),
        "result": result.to_json(),
    }
    if info.words is not None:
        described["vocabulary"] = list(info.vocabulary())
    if inherited is not None:
        described["init_from"] = {"model": str(inherited.model), "sha256": inherited.sha256}
    run, beside = training.model.parent.parent, training.model.with_suffix(".json")
    with one_line(run):
        write_json(beside, described)
        note(run, training.model, beside)
    remove(training.checkpoint)


def _finished(model: Path) -> Result | None:
    """Return the result of an earlier, intact training, if there is one."""
    try:
        described = read_json(model.with_suffix(".json"))
        if described["sha256"] != sha256_file(model):
            return None
        return Result.from_json(described["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
