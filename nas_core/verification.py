"""Checking a run's folder: that everything in it is as it was written, and makes sense together.

Nothing is changed; a search may be going on meanwhile.
"""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nas_core import artefacts
from nas_core.database import DATABASE, connect, one_line
from nas_core.datasets.test_split import OPENINGS, damaged_lines
from nas_core.errors import DamageError, NasError, RunError, UsageError
from nas_core.files import is_there
from nas_core.generations import COPY, check
from nas_core.records import TrialRow
from nas_core.rows import COLUMNS, FORMAT, broken, format_of
from nas_core.saved_models import check_saved_model
from nas_core.store import RunStore
from nas_core.trainer.base import Status

CONTROL = "control"
RESUME = "nas resume goes back to the last whole copy"
RETRAIN = "repeat nas retrain, which trains what is not intact again"
AGAIN = {
    "retrain.json": "repeat nas retrain",
    "table.json": "repeat nas resume",
    "comparison.json": "delete it, nas report makes it again",
    "report.html": "repeat nas report",
    artefacts.LIST: f"{artefacts.BEFORE} is used; the next file that is written repairs it",
    artefacts.BEFORE: "the next file that is written replaces it",
}


@dataclass(frozen=True)
class Finding:
    """Something in a run that is not as it should be.

    Attributes:
        where: A file inside the run's folder, or "trial 7", "the agent".
        problem: What is wrong with it.
        advice: What to do.
    """

    where: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}: {self.advice}"


def verify(run: str | Path) -> list[Finding]:
    """Return all that is wrong with a run; nothing if all is well.

    Checks the database's structure, the checksum of every row, that the trials' story is possible,
    the copy of the database, every artefact on the list, that models may be loaded, the log of
    test openings, and the control's run likewise.

    Args:
        run: The run's folder.

    Raises:
        RunError: There is no run in the folder.
    """
    folder = Path(run)
    if not any(is_there(folder / name) for name in (DATABASE, COPY)):
        raise RunError(f"expected a run folder, found no {DATABASE} in {folder}: nas runs lists")
    found = [*_database(folder), *_copy(folder), *_artefacts(folder), *_models(folder)]
    found += [
        Finding(OPENINGS, problem, "keep it: an opening is recorded before it happens")
        for problem in damaged_lines(folder)
    ]
    control = folder / CONTROL
    if control.is_dir():
        inner = verify(control)
        found += [Finding(f"{CONTROL}/{each.where}", each.problem, each.advice) for each in inner]
    return found


def _database(folder: Path) -> Iterator[Finding]:
    """Yield what is wrong with the file, with single rows, and with the story that they tell."""
    if not (folder / DATABASE).is_file():
        yield Finding(DATABASE, "missing", RESUME)
        return
    try:
        with one_line(folder), closing(connect(folder, write=False)) as database:
            if format_of(database) not in (1, FORMAT):
                yield Finding(DATABASE, "not the tables of a run", RESUME)
                return
            check(folder, database, ())
            rows = list(_rows(database)) if format_of(database) == FORMAT else []
        yield from rows
        if all(each.where == "the agent" for each in rows):
            yield from (each for each in _story(folder) if not rows or each.where != "the agent")
    except DamageError as error:
        yield Finding(DATABASE, str(error), RESUME)


def _rows(database: sqlite3.Connection) -> Iterator[Finding]:
    names = {"trials": "trial {}", "agent": "the agent", "events": "event {}", "meta": "meta {}"}
    for table in COLUMNS:
        for key in broken(database, table):
            advice = RESUME if table != "agent" else "nas resume rebuilds it from the trials"
            yield Finding(names[table].format(key), "changed since it was written", advice)


def _story(folder: Path) -> Iterator[Finding]:
    """Yield what cannot have happened."""
    with RunStore.open(folder) as store, store.snapshot():
        rows, memory = store.trials(), store.memory()
        if not isinstance(store.config.get("plan"), dict):
            yield Finding("meta config", "no plan of the search", RESUME)
    numbers = [row.number for row in rows]
    if numbers != list(range(len(rows))):
        missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
        yield Finding(f"trial {missing[0]}", "missing among the others", RESUME)
    places = sorted(row.place for row in rows if row.place is not None)
    if places != list(range(len(places))):
        yield Finding("the agent", "learned from trials in an order with gaps or repeats", RESUME)
    known = {row.number: row for row in rows}
    for row in rows:
        for problem in _impossible(row, known):
            yield Finding(f"trial {row.number}", problem, RESUME)
    learned, proposed = (0, 0) if memory is None else (memory.observed, memory.proposed)
    if learned > len(places) or proposed > len(rows):
        yield Finding("the agent", f"knows {learned} trials, {len(places)} were observed", RESUME)
    elif learned < len(places) or (memory is not None and proposed < len(rows)):
        advice = "nas resume rebuilds it from the trials"
        yield Finding("the agent", f"is behind: {learned} of {len(places)} trials", advice)


def _impossible(row: TrialRow, rows: dict[int, TrialRow]) -> Iterator[str]:
    """Yield why a trial cannot have come about."""
    try:
        yield from _contradictions(row)
    except NasError as error:
        yield str(error)
    if row.status is None and (row.result_json is not None or row.credited_from is not None):
        yield "a result without a status"
    if row.status is not None and row.result_json is None:
        yield "a status without a result"
    if row.observed and row.status is None:
        yield "observed without a result"
    if (row.reward is not None) != row.observed:
        yield "a reward without an observation, or the reverse"
    if row.known is not None and not 0 <= row.known <= row.number:
        yield f"proposed with the knowledge of {row.known} trials"
    if row.credited_from is not None:
        yield from _credit(row, rows.get(row.credited_from))


def _contradictions(row: TrialRow) -> Iterator[str]:
    """Yield where a trial's values contradict the specification and the result that they are of."""
    version, same = row.digest.partition(":")[0], row.spec.digest == row.digest
    if not same and row.spec.digest.startswith(f"{version}:"):
        yield "its specification has another digest"
    score = row.result.score if row.result_json is not None else None
    if (row.status is Status.OK) != (row.score is not None) or row.score != score:
        yield "a score that is not its result's"
    if row.score is not None and not math.isfinite(row.score):
        yield "a score that is not finite"


def _credit(row: TrialRow, source: TrialRow | None) -> Iterator[str]:
    if source is None or source.number == row.number:
        yield f"credited from trial {row.credited_from}, which is not there"
    elif source.digest != row.digest:
        yield f"credited from trial {source.number}, which is another architecture"
    elif (source.status, source.score) != (row.status, row.score) or (
        source.credited_from is not None
    ):
        yield f"credited from trial {source.number}, which has another result"


def _copy(folder: Path) -> Iterator[Finding]:
    if not (folder / COPY).is_file():
        return
    try:
        with one_line(folder), closing(connect(folder, write=False, name=COPY)) as database:
            check(folder, database, tuple(COLUMNS) if format_of(database) == FORMAT else ())
            whole = format_of(database) == FORMAT
    except DamageError:
        whole = False
    if not whole:
        yield Finding(COPY, "the copy is damaged", "nas resume makes it again")


def _artefacts(folder: Path) -> Iterator[Finding]:
    for name, problem in artefacts.problems(folder):
        advice = (
            RETRAIN if name.startswith(f"{artefacts.MODELS}/") else AGAIN.get(name, "delete it")
        )
        yield Finding(name, problem, advice)


def _models(folder: Path) -> Iterator[Finding]:
    """Yield the models that may not be loaded, or that Keras cannot load."""
    fine: list[Path] = []
    for path in sorted((folder / artefacts.MODELS).glob("*.keras")):
        if path.name.startswith("."):
            continue
        try:
            check_saved_model(path)
            fine.append(path)
        except UsageError as error:
            yield Finding(f"{artefacts.MODELS}/{path.name}", str(error), RETRAIN)
    yield from _loaded(fine)


def _loaded(paths: Sequence[Path]) -> Iterator[Finding]:
    from nas_core.evaluation import load_model

    for path in paths:
        try:
            load_model(path)
        except UsageError as error:
            yield Finding(f"{artefacts.MODELS}/{path.name}", str(error), RETRAIN)
