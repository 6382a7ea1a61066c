"""A job that holds a whole search: resumed from the checkpoint wherever it was interrupted."""

import shutil
from pathlib import Path
from typing import Any

from nas_core.cloud.checkpoint import Checkpoint
from nas_core.cloud.places import Places
from nas_core.cloud.tasks import SearchTask
from nas_core.database import DATABASE
from nas_core.files import write_json

RESULT = "result.json"


def run_search(task: SearchTask, places: Places) -> None:
    """Search, or go on with the search that the checkpoint holds, and lay the results out.

    Raises:
        NasError: As `nas_core.search` does.
    """
    from nas_core.api import resume, search

    run = places.work / "run"
    checkpoint = Checkpoint(places.checkpoints, run)
    restored = checkpoint.restore()
    options = dict(task.options)
    data = places.channel("data")
    if data is not None:
        options["data"] = str(data)
    try:
        if restored:
            found = resume(run, on_trial=lambda plan, row: checkpoint.save())
        else:
            found = search(**options, run=run, on_trial=lambda plan, row: checkpoint.save())
        checkpoint.save(at_once=True)
        if task.retrain is not None:
            _retrain(run, task.retrain, checkpoint)
    finally:
        checkpoint.save(at_once=True)
    summary = {**found.summary, "stopped": found.stopped.value}
    if found.control is not None:
        summary["control"] = found.control
    _lay_out(run, places, summary)


def _retrain(run: Path, arguments: dict[str, Any], checkpoint: Checkpoint) -> None:
    from nas_core.retrain import retrain

    def on_line(line: str) -> None:
        print(line, flush=True)
        checkpoint.save(at_once=True)

    retrain(run, **arguments, on_line=on_line)


def _lay_out(run: Path, places: Places, summary: dict[str, Any]) -> None:
    """Put models and figures into the model artefact, the run and its report into the output."""
    from nas_core.report.page import write_report

    write_json(places.model / RESULT, summary)
    for path in sorted(run.glob("models/*")):
        shutil.copy2(path, places.model / path.name)
    target = places.output / "run"
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("models", "lock", "*-wal", "*-shm"))
    if (run / DATABASE).is_file():
        write_report(run, target / "report.html", comparison=False)  # `nas report` adds one
