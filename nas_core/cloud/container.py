"""What runs inside a training job: one entry point for searches, trials and final trainings.

The container's command is ``exec python3 train-entry.py``, so that SIGTERM reaches this process.
Nothing depends on it: after every evaluation /opt/ml/checkpoints holds all that is finished.
"""

import os
import sys

from nas_core.cloud.places import Places
from nas_core.cloud.request import job_arguments
from nas_core.cloud.tasks import SearchTask, read_task
from nas_core.errors import NasError
from nas_core.interrupts import Terminated, gentle_interrupts

FAILED, TERMINATED = 1, 143


def main() -> int:
    """Do what the job's hyperparameters say.

    Returns:
        The exit status: 0, 1 with the reason in /opt/ml/output/failure, or 143 after SIGTERM.
    """
    places = Places.of_environment()
    try:
        with gentle_interrupts(lambda: None):
            _run(places)
    except Terminated:
        print("nas: terminated; what is finished is in the checkpoint", file=sys.stderr, flush=True)
        return TERMINATED
    except NasError as error:
        places.fail(str(error))
        print(f"nas: {error}", file=sys.stderr, flush=True)
        return FAILED
    except Exception as error:  # whatever it is must become the job's FailureReason
        places.fail(f"unexpected {type(error).__name__}: {error}")
        return FAILED
    return 0


def _run(places: Places) -> None:
    if not places.is_first_host():
        print("nas: one instance does the work, this one has nothing to do", flush=True)
        return
    for folder in (places.work, places.model, places.output, places.checkpoints):
        folder.mkdir(parents=True, exist_ok=True)
    os.chdir(places.work)  # relative paths, such as those of imported data, are ours
    task = read_task(*job_arguments(places.hyperparameters()))
    if isinstance(task, SearchTask):
        from nas_core.cloud.search_job import run_search

        run_search(task, places)
    else:
        from nas_core.cloud.trial_job import run_trials

        run_trials(task, places)
