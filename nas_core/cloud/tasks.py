"""What a training job is asked to do: the arguments in its hyperparameters, as records.

Driver and container both read this file; nothing heavy is imported here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from nas_core.errors import UsageError

SEARCH, TRIAL, RETRAIN = "search", "trial", "retrain"


@dataclass(frozen=True)
class SearchTask:
    """A whole search inside one job.

    Attributes:
        options: Arguments of `nas_core.search` as JSON values: space, trials, workers, seed, ...
            The data set is not one of them: it is the job's channel "data", if there is one.
        retrain: Arguments of `nas_core.retrain.retrain` (top, seeds, epochs) for the end of the
            search; None for no retraining.
    """

    options: dict[str, Any]
    retrain: dict[str, Any] | None = None

    def arguments(self) -> dict[str, Any]:
        """Return JSON values for the hyperparameters."""
        return asdict(self)


@dataclass(frozen=True)
class TrialTask:
    """One trial, or several, in one job; also the final trainings of a run ("retrain").

    Attributes:
        trainer: As `nas_core.cloud.trainers.encode_trainer` writes it.
        trials: As `nas_core.executors.wire.encode_request` writes each.
        results: Where results go: s3://BUCKET/.../trials; one object NUMBER-ATTEMPT/result.json
            per trial, written once.
        attempt: How often these trials were tried in vain before.
        owner: Account that owns the bucket; None for the job's own.
        workers: Trials at a time inside the job, at least 1.
        seconds_limit: Wall-clock seconds of one trial; None for the executor's usual.
        memory_limit_bytes: Resident memory of one trial; None for a share of the instance.
        keep_models: Whether trained models go to the job's model artefact.
    """

    trainer: dict[str, Any]
    trials: tuple[dict[str, Any], ...]
    results: str
    attempt: int = 0
    owner: str | None = None
    workers: int = 1
    seconds_limit: float | None = None
    memory_limit_bytes: int | None = None
    keep_models: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "trials", tuple(self.trials))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the trials."""
        return tuple(int(trial["job"]["trial"]) for trial in self.trials)

    def arguments(self) -> dict[str, Any]:
        """Return JSON values for the hyperparameters."""
        return {**asdict(self), "trials": list(self.trials)}


def read_task(kind: str, arguments: Mapping[str, Any]) -> SearchTask | TrialTask:
    """Read a task back from what `nas_core.cloud.request.job_arguments` found.

    Raises:
        UsageError: They are not what `arguments` gave.
    """
    wanted = SearchTask if kind == SEARCH else TrialTask
    try:
        return wanted(**arguments)
    except TypeError as error:
        names = ", ".join(item.name for item in fields(wanted))
        raise UsageError(
            f"expected the arguments {names} in a {kind} job, received {', '.join(arguments)}: "
            "submit the job with the version of nas that runs in it"
        ) from error
