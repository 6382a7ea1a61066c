"""The jobs that a driver would submit, as requests: for a dry run, before anything is paid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas_core.assembly import GIB, Own, assemble
from nas_core.cloud.bundle import build
from nas_core.cloud.driver import KIND, PER_JOB, RUN, WHEELS, for_retraining, named, settings_of
from nas_core.cloud.launch import data_of
from nas_core.cloud.pack import Pack, Work, request_of
from nas_core.cloud.trainers import encode_trainer
from nas_core.loop import Settings, job_of
from nas_core.plan import Plan
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Trainer


def first_requests(plan: Plan, run: str) -> list[dict[str, Any]]:
    """Return the requests of a search's first jobs: as many as it has at a time.

    What comes later depends on their results.

    Args:
        plan: Of a search with training jobs.
        run: Its folder's name.

    Raises:
        UsageError: Parts that cannot be built here.
    """
    given = named(plan.cloud, run)
    parts = assemble(plan, Own())
    count = min(plan.trials, plan.workers * int(given.get(PER_JOB, 1)))
    settings = Settings(plan.trials, plan.seed, threads=plan.threads)
    wanted = [(item.spec, job_of(item, settings)) for item in parts.agent.suggest(count)]
    return _requests(given, plan, parts.trainer, plan.data, wanted)


def retraining_requests(run: Path, cloud: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Return the requests of a retraining, one for each training.

    Args:
        run: The run's folder.
        cloud: As for `nas_core.retrain.retrain`.
        **options: Arguments of `nas_core.retrain.planned`.

    Raises:
        NasError: As that function's.
    """
    from nas_core.retrain import FINAL_SECONDS, planned
    from nas_core.trainer.keras_trainer import KerasTrainer

    wanted = planned(run, **options)
    given = for_retraining(run, cloud)
    trainer = KerasTrainer(wanted.info.path.resolve(), wanted.recipe)
    plan = wanted.plan
    jobs = [
        (training.candidate.spec, training.job(number, plan.threads))
        for number, training in enumerate(wanted.trainings)
    ]
    data = options.get("data") or plan.data
    return _requests(
        given, plan, trainer, data, jobs, seconds=FINAL_SECONDS, folder=wanted.info.path
    )


def _requests(
    given: dict[str, Any],
    plan: Plan,
    trainer: Trainer,
    data: str | None,
    wanted: Sequence[tuple[Spec, Job]],
    *,
    seconds: float | None = None,
    folder: Path | None = None,
) -> list[dict[str, Any]]:
    cloud = settings_of(given)
    wheels = given.get(WHEELS)
    named_data = data if folder is None or data is not None else str(folder)
    memory = plan.trial_memory_gb
    work = Work(
        cloud,
        given[RUN],
        str(cloud.code(build(None if wheels is None else Path(wheels)).digest)),
        None if named_data is None else data_of(named_data, cloud).address.folder(),
        given.get(KIND, "trial"),
        seconds_limit=plan.trial_seconds if seconds is None else seconds,
        memory_limit_bytes=None if memory is None else int(memory * GIB),
    )
    size = int(given.get(PER_JOB, 1))
    packs = [
        Pack({job.trial: (spec, job) for spec, job in wanted[at : at + size]})
        for at in range(0, len(wanted), size)
    ]
    encoded = encode_trainer(trainer)
    return [request_of(pack, encoded, work) for pack in packs]
