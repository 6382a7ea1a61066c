"""A job that runs trials: each in a process of its own, its result written to S3 once."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas_core.cloud import objects
from nas_core.cloud.address import S3Address
from nas_core.cloud.client import explained, s3
from nas_core.cloud.places import Places
from nas_core.cloud.tasks import TrialTask
from nas_core.cloud.trainers import decode_trainer
from nas_core.executors.process import ProcessExecutor
from nas_core.executors.wire import decode_request
from nas_core.files import read_json, sha256_file, write_bytes, write_json
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result

FORMAT = 1
RESULT, MODEL = "result.json", "model.keras"
POLL_SECONDS = 1.0


def run_trials(task: TrialTask, places: Places) -> None:
    """Run a job's trials; those that an earlier start of the job finished are not run again.

    Raises:
        UsageError: The trainer is not known here, or there is no data for it.
        CloudError: A result cannot be written to S3.
    """
    records = Records(task, places)
    waiting = [decode(request, task, places) for request in task.trials]
    waiting = [(spec, job) for spec, job in waiting if not records.finished(job.trial)]
    if not waiting:
        return
    digests = {job.trial: spec.digest for spec, job in waiting}
    trainer = decode_trainer(task.trainer, places.channel("data"))
    with closing(
        ProcessExecutor(
            trainer,
            task.workers,
            seconds_limit=task.seconds_limit,
            memory_limit_bytes=task.memory_limit_bytes,
            threads=max(job.threads for _, job in waiting),
        )
    ) as executor:
        running = 0
        while waiting or running:
            while waiting and running < executor.slots:
                executor.submit(*waiting.pop(0))
                running += 1
            for item in executor.poll(POLL_SECONDS):
                running -= 1
                records.write(item.trial, digests[item.trial], item.result)


def decode(request: Mapping[str, Any], task: TrialTask, places: Places) -> tuple[Spec, Job]:
    """Return a trial as it is run here; paths of the driver's machine mean nothing in a job."""
    spec, job = decode_request(json.dumps(request).encode())
    model = places.model / f"trial-{job.trial}.keras" if task.keep_models else None
    # A long training that is interrupted goes on from here, not from its first epoch.
    state = places.checkpoints / f"training-{job.trial}"
    return spec, replace(job, model_path=model, checkpoint=state)


class Records:
    """The results of one job: in S3 for the driver, in the checkpoint for its next start.

    Args:
        task: What the job is to do.
        places: Its folders.
    """

    def __init__(self, task: TrialTask, places: Places) -> None:
        self._task, self._places = task, places
        self._client = s3(None, task.owner)
        self._wanted = {
            int(trial["job"]["trial"])
            for trial in task.trials
            if trial["job"].get("model_path") is not None
        }

    def finished(self, trial: int) -> bool:
        """Return whether an earlier start finished a trial; then S3 has its result, or gets it."""
        place = self._places.checkpoints / f"trial-{trial}.json"
        try:
            value = read_json(place)
            whole = value["format"] == FORMAT and value["trial"] == trial
            if value["model"] is not None:
                model = place.with_suffix(".keras")
                whole = whole and sha256_file(model) == value["model"]
        except (OSError, ValueError, KeyError, TypeError):
            return False  # never written, or synced in part: it is run again
        if whole and value["model"] is not None:
            write_bytes(self._model(trial), model.read_bytes())
        if whole:
            self._publish(trial, value)
        return bool(whole)

    def write(self, trial: int, digest: str, result: Result) -> None:
        """Keep a trial's result.

        Raises:
            CloudError: S3 refuses.
        """
        model, kept = self._model(trial), self._places.checkpoints / f"trial-{trial}.keras"
        if model.is_file():
            write_bytes(kept, model.read_bytes())
        value = {
            "format": FORMAT,
            "trial": trial,
            "attempt": self._task.attempt,
            "digest": digest,
            "job": self._places.job,
            "code": str(Path(__file__).resolve().parents[2]),
            "model": sha256_file(kept) if model.is_file() else None,
            "result": result.to_json(),
        }
        write_json(kept.with_suffix(".json"), value)  # last: it says that the model is whole
        self._publish(trial, value)

    def _model(self, trial: int) -> Path:
        return self._places.model / f"trial-{trial}.keras"

    def _publish(self, trial: int, value: dict[str, Any]) -> None:
        write_json(self._places.model / f"trial-{trial}.json", value)
        if trial in self._wanted and value["model"] is not None:
            there = address_of(self._task, trial, MODEL)
            with explained(f"to write {there}"):
                self._client.upload_file(str(self._model(trial)), there.bucket, there.key)
        data = json.dumps(value, allow_nan=False).encode()
        objects.put_once(self._client, address_of(self._task, trial, RESULT), data)


def address_of(task: TrialTask, trial: int, name: str) -> S3Address:
    """Return where a trial's result or model is in S3.

    Args:
        task: The job's task.
        trial: Number of the trial.
        name: `RESULT` or `MODEL`.
    """
    return S3Address.parse(task.results) / f"{trial}-{task.attempt}" / name
