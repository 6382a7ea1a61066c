"""Two generations of a run's database: the file in use, and the last copy known to be whole.

The copy is made when a writer opens and closes a run, and every ten minutes in between. Where the
file in use is damaged, a writer goes back to the copy; what was committed since is searched again,
with the same result, as a run is a function of its seed.
"""

import json
import logging
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from nas_core.database import DATABASE, connect, distrust, one_line
from nas_core.errors import DamageError, RunError
from nas_core.files import atomic_open, write_with
from nas_core.records import readable, trial_row
from nas_core.rows import COLUMNS, FORMAT, broken, format_of, migrate, seal

COPY = f"{DATABASE}.1"
SET_ASIDE = f"{DATABASE}.damaged"
COPY_SECONDS = 600.0

_log = logging.getLogger(__name__)


def check(folder: Path, database: sqlite3.Connection, tables: tuple[str, ...]) -> None:
    """Refuse a database of this format that is not as it was written.

    Args:
        folder: Of the run, for the message.
        database: Open.
        tables: Whose rows are checked too.

    Raises:
        DamageError: Its structure or a row is damaged.
    """
    with one_line(folder):
        found = [line for (line,) in database.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise DamageError(f"{folder / DATABASE} is damaged ({' '.join(found)[:200]})")
        for table in tables:
            for key in broken(database, table):
                raise DamageError(f"{folder / DATABASE} is damaged (table {table}, row {key!r})")


def _check_meaning(folder: Path, database: sqlite3.Connection) -> None:
    """Refuse rows whose checksums are right and that cannot be read all the same.

    Raises:
        DamageError: A trial or a setting is none.
    """
    with one_line(folder):
        columns = ", ".join(COLUMNS["trials"])
        for values in database.execute(f"SELECT {columns} FROM trials"):  # noqa: S608
            with readable(f"trial {values[0]} of {folder / DATABASE}"):
                row = trial_row(values)
                row.spec, row.status is None or row.result  # noqa: B018  # both are read here
        for key, value in database.execute("SELECT key, value FROM meta"):
            with readable(f"{key} of {folder / DATABASE}"):
                json.loads(value)


def back_up(folder: Path, database: sqlite3.Connection) -> None:
    """Keep a copy of a run's database, if it is whole; a failure is one line in the log.

    A search must not end because there is no room for a second copy.
    """

    def save(path: Path) -> None:
        with closing(sqlite3.connect(path)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself
            check(folder, copy, tuple(COLUMNS))

    try:
        with one_line(folder):
            write_with(folder / COPY, save)
    except RunError as error:
        _log.warning("nas: no second copy of %s was kept: %s", folder / DATABASE, error)


def restore(folder: Path, problem: RunError) -> None:
    """Put the intact copy in the place of a damaged database, which is set aside.

    Args:
        folder: Of the run; its lock is held.
        problem: What is wrong with the file in use.

    Raises:
        DamageError: There is no intact copy.
    """
    trials = _trials_in_copy(folder)
    if trials is None:
        raise DamageError(
            f"{problem}; there is no intact generation beside it: restore the folder from a copy"
        ) from problem
    with one_line(folder):
        if (folder / DATABASE).exists():
            shutil.copyfile(folder / DATABASE, folder / SET_ASIDE)
        for suffix in ("-wal", "-shm"):  # the damaged file's, not the copy's
            with suppress(FileNotFoundError):
                (folder / f"{DATABASE}{suffix}").replace(folder / f"{SET_ASIDE}{suffix}")
        with atomic_open(folder / DATABASE) as file:
            file.write((folder / COPY).read_bytes())
    _log.warning(
        "nas: %s: went back to the generation before, with %d trials; later ones are searched "
        "again (the damaged file is kept as %s)", problem, trials, SET_ASIDE,
    )  # fmt: skip


def _trials_in_copy(folder: Path) -> int | None:
    """Return how many trials the copy holds; None where it is missing or damaged."""
    if not (folder / COPY).is_file():
        return None
    try:
        with one_line(folder), closing(connect(folder, write=False, name=COPY)) as copy:
            distrust(copy)
            if format_of(copy) != FORMAT:
                return None
            check(folder, copy, tuple(COLUMNS))
            _check_meaning(folder, copy)
            return int(copy.execute("SELECT COUNT(*) FROM trials").fetchone()[0])
    except RunError:
        return None


def opened(folder: Path) -> tuple[sqlite3.Connection, None, int]:
    """Return a reader's connection, no lock, and the format.

    Raises:
        DamageError: It has not the tables of a run.
        RunError: Its format is newer.
    """
    connection = connect(folder, write=False)
    try:
        return connection, None, _known_format(folder, connection)
    except BaseException:
        connection.close()
        raise


def _known_format(folder: Path, connection: sqlite3.Connection) -> int:
    with one_line(folder):
        found = format_of(connection)
        if found is not None:
            return found
        (newer,) = connection.execute("PRAGMA user_version").fetchone()
    if newer > FORMAT:
        raise RunError(f"expected run format {FORMAT}, {folder} has {newer}: update nas")
    raise DamageError(
        f"expected the tables of a run, {folder / DATABASE} has others: the file is damaged, nas "
        "resume goes back to the last intact generation"
    )


def intact(folder: Path) -> sqlite3.Connection:
    """Return a writer's connection to a database of this format that was checked throughout.

    Raises:
        DamageError: It is missing or damaged; of the agent's two states one may be.
    """
    if not (folder / DATABASE).is_file():
        raise DamageError(f"{folder / DATABASE} is missing")
    with one_line(folder):
        connection = connect(folder, write=True)
    try:
        if _known_format(folder, connection) == 1:
            check(folder, connection, ())
            with one_line(folder):
                migrate(connection)
        else:
            with one_line(folder):
                seal(connection)
        check(folder, connection, ("meta", "trials", "events"))
        _check_meaning(folder, connection)
    except BaseException:
        connection.close()
        raise
    return connection
