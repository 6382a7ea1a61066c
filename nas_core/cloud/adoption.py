"""Jobs of an earlier sitting, found by the trials in them: those may be packed otherwise today."""

import json
import re
from dataclasses import dataclass
from typing import Any

from nas_core.cloud import jobs
from nas_core.cloud.request import job_arguments
from nas_core.cloud.tasks import TrialTask, read_task
from nas_core.executors.wire import decode_request
from nas_core.spec import Spec
from nas_core.trainer.base import Job

_WANTED = ("InProgress", jobs.COMPLETED)
_NUMBERS = re.compile(r"-t(\d+)-a\d+$")


@dataclass(frozen=True)
class Adoptable:
    """A job of an earlier sitting that runs, or has run to its end.

    Attributes:
        name: Of the job.
        attempt: How often its trials were tried in vain before.
        trials: Digest and seed of each of its trials, by number.
    """

    name: str
    attempt: int
    trials: dict[int, tuple[str, int]]

    def has(self, spec: Spec, job: Job) -> bool:
        """Return whether the job runs this very trial."""
        return self.trials.get(job.trial) == (spec.digest, job.seed)


def adoptable(client: Any, run: str, least: int) -> list[Adoptable]:
    """Return a run's jobs whose results may still be wanted.

    Args:
        client: From `nas_core.cloud.client.sagemaker`.
        run: The run's id.
        least: Smallest number of a trial without a result; a job is named after its first trial,
            and all of a job's trials get their results together.

    Raises:
        CloudError: AWS refuses.
    """
    found = []
    for listed in jobs.of_run(client, run):
        first = _NUMBERS.search(listed.name)
        if first is None or int(first[1]) < least or listed.status not in _WANTED:
            continue
        state = jobs.describe(client, listed.name)
        if state is not None and state.hyperparameters is not None:
            task = read_task(*job_arguments(state.hyperparameters))
            if isinstance(task, TrialTask):
                found.append(_of_task(state.name, task))
    return found


def _of_task(name: str, task: TrialTask) -> Adoptable:
    requests = [decode_request(json.dumps(request).encode()) for request in task.trials]
    trials = {job.trial: (spec.digest, job.seed) for spec, job in requests}
    return Adoptable(name, task.attempt, trials)
