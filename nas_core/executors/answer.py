"""Run one trial and turn whatever happens in it into a typed result."""

import time
import traceback
from dataclasses import replace

from nas_core.errors import SpecError
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result, Status, Trainer, failed

LONGEST_TRACE = 4000


def answer(
    trainer: Trainer,
    spec: Spec,
    job: Job,
    failures: tuple[type[BaseException], ...] = (Exception, SystemExit),
) -> Result:
    """Score `spec`; an exception becomes a failed result.

    Args:
        trainer: Scores the trial.
        spec: The architecture.
        job: How to run it.
        failures: What counts as the trial's failure. Other exceptions pass: in the driver's own
            process Ctrl-C and SIGTERM arrive as exceptions, and are no trial's fault.
    """
    began = time.monotonic()
    try:
        result = trainer.score(spec, job)
    except failures as error:
        result = failed(_status(error), describe(error), time.monotonic() - began)
        return replace(result, details={"traceback": traceback.format_exc()[-LONGEST_TRACE:]})
    if not isinstance(result, Result):
        message = f"expected a Result from {trainer.name}, received {type(result).__name__}"
        return failed(Status.ERROR, message, time.monotonic() - began)
    return result


def describe(error: BaseException) -> str:
    """Return the exception's type and text on one line."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _status(error: BaseException) -> Status:
    if isinstance(error, SpecError):
        return Status.INVALID
    # TensorFlow's exhausted accelerator is known by name: this room must not import TensorFlow.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return Status.OUT_OF_MEMORY
    return Status.ERROR
