"""From what a run was asked for to its executor of training jobs.

A run's plan holds, as ``cloud``, the fields of `Cloud` and beside them ``run`` (the id that names
its jobs), ``kind``, ``trials_per_job``, ``look_seconds`` and ``wheels``. It is stored before the
first job is submitted, so that a driver that dies finds its jobs again.
"""

import json
import secrets
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_core.cloud import bundle, datasets
from nas_core.cloud.address import S3Address, is_address
from nas_core.cloud.client import owner_for, region_of
from nas_core.cloud.launch import Data, stage
from nas_core.cloud.pack import Work
from nas_core.cloud.settings import Cloud
from nas_core.datasets import open_dataset
from nas_core.errors import UsageError
from nas_core.files import sha256_bytes
from nas_core.store import RunStore
from nas_core.trainer.base import Trainer
from nas_core.trainer.keras_trainer import KerasTrainer

if TYPE_CHECKING:
    from nas_core.executors.sagemaker import SageMakerExecutor

RUN, KIND, PER_JOB, WHEELS, LOOK = "run", "kind", "trials_per_job", "wheels", "look_seconds"
_OURS = (RUN, KIND, PER_JOB, WHEELS, LOOK)
RETRAIN = "-retrain"  # ends the id under which a run's final trainings are submitted


def settings_of(given: dict[str, Any] | None) -> Cloud:
    """Return the settings in a plan's `cloud`.

    Raises:
        UsageError: There are none, an unknown field, or a value that cannot be.
    """
    if given is None:
        raise UsageError(
            "expected a bucket and a role for --executor sagemaker, received none: "
            "nas sagemaker trial --to s3://bucket/prefix --role arn:aws:iam::ACCOUNT:role/NAME"
        )
    known = {item.name for item in fields(Cloud)}
    unknown = sorted(set(given) - known - set(_OURS))
    if unknown or not {"bucket", "prefix", "role"} <= set(given):
        raise UsageError(
            f"expected bucket, prefix, role and further fields of nas_core.cloud.settings.Cloud, "
            f"received {', '.join(sorted(given))}: correct them"
        )
    values = {name: value for name, value in given.items() if name in known}
    for name in {"subnets", "security_groups"} & set(values):  # JSON has no tuples
        values[name] = tuple(values[name])
    return Cloud(**values)


def named(given: dict[str, Any] | None, name: str) -> dict[str, Any]:
    """Return a plan's `cloud` with what must not change later: run id, region, owner.

    Args:
        given: As the user gave it; what is there stays.
        name: Of the run, for people who look at a list of jobs.

    Raises:
        UsageError: See `settings_of`; no region is named anywhere.
    """
    cloud = settings_of(given)
    region = region_of(cloud.region)
    if region is None:
        raise UsageError("expected a region, received none: --region or AWS_DEFAULT_REGION")
    cloud = replace(cloud, region=region, owner=owner_for(cloud))
    rest = {key: value for key, value in (given or {}).items() if key in _OURS}
    # Two runs of one name, on two machines, must not take each other's jobs for their own.
    rest.setdefault(RUN, f"{name[:40]}-{secrets.token_hex(4)}")
    return {**asdict(cloud), **rest}


def for_retraining(run: Path, given: dict[str, Any] | None) -> dict[str, Any]:
    """Return the cloud settings of a run's final trainings; the same for a repeated call.

    Args:
        run: The run's folder.
        given: As the user gave them; None for those of the search.

    Raises:
        RunError: No such run.
        UsageError: See `named`.
    """
    with RunStore.open(run) as store:
        config, events = store.config, store.events()
    stored = config["plan"].get("cloud")
    if stored is None:  # a search on this machine: its first moment is its own
        unique = sha256_bytes(json.dumps([config, events[:1]], sort_keys=True).encode())[:8]
        run_id = f"{run.resolve().name[:40]}-{unique}"
    else:
        run_id = stored[RUN]
    wanted = {
        **((stored if given is None else given) or {}),
        RUN: run_id + RETRAIN,
        KIND: "retrain",
    }
    return named({**wanted, PER_JOB: 1}, run.name)


def executor_of(
    given: dict[str, Any] | None,
    trainer: Trainer,
    workers: int,
    *,
    data: str | None = None,
    seconds_limit: float | None = None,
    memory_limit_bytes: int | None = None,
) -> "SageMakerExecutor":
    """Return the executor of a run, its source and its data set in S3; the caller closes it.

    Args:
        given: From `named`.
        trainer: Scores the trials.
        workers: Jobs at a time.
        data: The data set as typed; one that is in S3 already is not copied.
        seconds_limit: Of one trial.
        memory_limit_bytes: Of one trial.

    Raises:
        UsageError: See `settings_of`; no SDK; a trainer that cannot travel.
        CloudError: AWS refuses.
    """
    from nas_core.executors.sagemaker import LOOK_SECONDS, SageMakerExecutor

    cloud = settings_of(given)
    own = given or {}
    if RUN not in own:
        raise UsageError("expected the run's id in its cloud settings: use nas_core.search")
    wheels = own.get(WHEELS)
    source = bundle.build(None if wheels is None else Path(wheels))
    where = _data(cloud, trainer, data)
    stage(source, where, cloud)
    work = Work(
        cloud,
        own[RUN],
        str(cloud.code(source.digest)),
        None if where is None else where.address.folder(),
        own.get(KIND, "trial"),
        seconds_limit=seconds_limit,
        memory_limit_bytes=memory_limit_bytes,
    )
    return SageMakerExecutor(
        trainer,
        workers,
        work,
        trials_per_job=own.get(PER_JOB, 1),
        look_seconds=own.get(LOOK, LOOK_SECONDS),
    )


def _data(cloud: Cloud, trainer: Trainer, data: str | None) -> Data | None:
    """Return where the trainer's data set is, or is to be pushed."""
    if not isinstance(trainer, KerasTrainer):
        return None
    if data is not None and is_address(data):
        return Data(S3Address.parse(data))
    return Data(datasets.home(cloud.root, open_dataset(trainer.data)), trainer.data)
