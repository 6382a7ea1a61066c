"""What runs in a child process: load the trainer, answer trials one by one, wait for the end.

Only light modules are imported here, so that a new process is under control (own session, own
limits, tied to its driver's life) before the trainer's heavy imports begin.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection

from nas_core.executors.answer import answer, describe
from nas_core.executors.lifeline import become_killable
from nas_core.executors.wire import decode_request, encode_line, send_line
from nas_core.trainer.base import Job, Result, Status, Trainer, failed


def main(
    requests: Connection, answers: Connection, output: Connection, environment: Mapping[str, str]
) -> None:
    """Serve trials until the driver ends this process.

    Args:
        requests: Brings the trainer, then one JSON text per trial.
        answers: Takes one line of JSON when ready, and one per trial.
        output: Takes everything that is printed here.
        environment: Variables to set before anything heavy is imported.
    """
    become_killable(output.fileno())
    os.environ.update(environment)
    multiprocessing.current_process().daemon = False  # a trainer may have processes of its own
    # Loading may run any user's module: whatever it raises must reach the driver as one line.
    try:
        trainer = requests.recv()
        for module in getattr(trainer, "preload", ()):  # not the first trial's time
            importlib.import_module(module)
    except BaseException as error:
        send_line(answers, encode_line({"unloadable": describe(error)}))
        _wait_for_the_end()
    send_line(answers, encode_line({"ready": True}))
    while True:
        send_line(answers, _serve(trainer, requests.recv_bytes()))


def _serve(trainer: Trainer, request: bytes) -> bytes:
    spec, job = decode_request(request)
    _share_threads(job)
    # No signal arrives here as an exception: whatever comes was raised by the trainer.
    result = answer(trainer, spec, job, failures=(BaseException,))
    try:
        return _line(job, result)
    except (TypeError, ValueError) as error:
        message = f"expected JSON values in the result, received {describe(error)}"
        return _line(job, failed(Status.ERROR, message, result.seconds))


def _line(job: Job, result: Result) -> bytes:
    return encode_line({"trial": job.trial, "result": result.to_json()})


def _share_threads(job: Job) -> None:
    # TensorFlow reads these when its first operation runs, not when it is imported.
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(job.threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = str(job.threads)


def _wait_for_the_end() -> None:
    while True:
        signal.pause()
