"""The tables of a run's database, and the checksum that every row carries.

SQLite checks its own structure, but a flipped bit in a value goes unnoticed. So each row of
format 2 has a `sum`: the first 16 hexadecimal digits of the SHA-256 over the table's name and the
row's values. The connection that writes seals rows by itself (temporary triggers, which are not in
the file); whoever reads compares.
"""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from nas_core.files import sha256_bytes

FORMAT = 2
DIGITS = 16

SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, sum TEXT NOT NULL DEFAULT '')"
    " STRICT",
    """CREATE TABLE trials (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL, text TEXT NOT NULL, spec TEXT NOT NULL,
    actions TEXT NOT NULL, epsilon REAL, status TEXT, score REAL, reward REAL,
    credited_from INTEGER, seconds REAL, parameters INTEGER, macs INTEGER, message TEXT,
    result TEXT, finished REAL, observed INTEGER NOT NULL DEFAULT 0, known INTEGER,
    sum TEXT NOT NULL DEFAULT ''
) STRICT""",
    "CREATE INDEX trials_by_digest ON trials (digest)",
    """CREATE TABLE agent (
    place INTEGER PRIMARY KEY CHECK (place IN (0, 1)), generation INTEGER NOT NULL,
    observed INTEGER NOT NULL, proposed INTEGER NOT NULL, state BLOB NOT NULL,
    sum TEXT NOT NULL DEFAULT ''
) STRICT""",
    """CREATE TABLE events (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
    sum TEXT NOT NULL DEFAULT ''
) STRICT""",
)
COLUMNS = {  # what a row's checksum is of, its key first
    "meta": ("key", "value"),
    "trials": (
        "number", "digest", "text", "spec", "actions", "epsilon", "status", "score", "reward",
        "credited_from", "seconds", "parameters", "macs", "message", "result", "finished",
        "observed", "known",
    ),
    "agent": ("place", "generation", "observed", "proposed", "state"),
    "events": ("number", "time", "kind", "detail"),
}  # fmt: skip

_ENCODER = json.JSONEncoder(default=sha256_bytes)  # of bytes, which JSON has not

_FORMAT_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE trials (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL, text TEXT NOT NULL, spec TEXT NOT NULL,
    actions TEXT NOT NULL, epsilon REAL, status TEXT, score REAL, reward REAL,
    credited_from INTEGER, seconds REAL, parameters INTEGER, macs INTEGER, message TEXT,
    result TEXT, finished REAL, observed INTEGER NOT NULL DEFAULT 0
) STRICT""",
    "CREATE INDEX trials_by_digest ON trials (digest)",
    "CREATE TABLE agent (id INTEGER PRIMARY KEY CHECK (id = 1), state BLOB NOT NULL) STRICT",
    "CREATE TABLE events (time REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
)
_SCHEMAS = {1: _FORMAT_1, FORMAT: SCHEMA}

# From format 1: the agent's state follows everything that was observed and proposed until then.
_COPY = (
    "INSERT INTO meta (key, value) SELECT key, value FROM old_meta WHERE key <> 'format'",
    "INSERT INTO meta (key, value) VALUES ('format', '2')",
    "INSERT INTO trials (number, digest, text, spec, actions, epsilon, status, score, reward,"
    " credited_from, seconds, parameters, macs, message, result, finished, observed)"
    " SELECT * FROM old_trials ORDER BY number",
    "INSERT INTO agent (place, generation, observed, proposed, state) SELECT 0, 0,"
    " (SELECT COALESCE(MAX(observed), 0) FROM trials), (SELECT COUNT(*) FROM trials), state"
    " FROM old_agent",
    "INSERT INTO events (time, kind, detail) SELECT * FROM old_events ORDER BY rowid",
)


def checksum(table: str, values: tuple[Any, ...]) -> str:
    """Return the checksum of a row's values, the same on every machine.

    Args:
        table: Its table.
        values: As SQLite returns them, in the order of `COLUMNS`.
    """
    return sha256_bytes(_ENCODER.encode([table, *values]).encode())[:DIGITS]


def _as_kept(table: str, *values: Any) -> str:
    """Return the checksum of values on their way in: SQLite keeps -0.0 as 0.0."""
    kept = (value + 0.0 if isinstance(value, float) else value for value in values)
    return checksum(table, tuple(kept))


def create(database: sqlite3.Connection) -> None:
    """Make the tables of an empty database; its writer seals rows from now on."""
    for statement in SCHEMA:
        database.execute(statement)
    seal(database)


def seal(database: sqlite3.Connection) -> None:
    """Have this connection put the checksum on every row that it writes."""
    database.create_function("row_sum", -1, _as_kept, deterministic=True)
    for table, columns in COLUMNS.items():
        new = ", ".join(f"NEW.{column}" for column in columns)
        key = columns[0]
        for name, when in (("new", "INSERT ON"), ("old", f"UPDATE OF {', '.join(columns)} ON")):
            trigger = f"CREATE TEMP TRIGGER {table}_{name} AFTER {when} main.{table}"
            sealing = f"UPDATE {table} SET sum = row_sum('{table}', {new}) WHERE {key} = NEW.{key}"  # noqa: S608
            database.execute(f"{trigger} BEGIN {sealing}; END")


def format_of(database: sqlite3.Connection) -> int | None:
    """Return the format whose tables a database has, exactly these; None where it has others.

    A foreign file's views and triggers would run when they are read: so it is refused unread.
    SQLite's own tables (of ANALYZE) do not count. Later formats set `user_version` to their number.
    """
    rows = database.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'"
    )
    found = sorted(sql for (sql,) in rows)
    return next((n for n, schema in _SCHEMAS.items() if sorted(schema) == found), None)


def migrate(database: sqlite3.Connection) -> None:
    """Bring a database of format 1 to this one, in one transaction."""
    database.execute("BEGIN IMMEDIATE")
    try:
        for table in COLUMNS:
            database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        database.execute("DROP INDEX trials_by_digest")
        for statement in SCHEMA:
            database.execute(statement)
        seal(database)
        for statement in _COPY:
            database.execute(statement)
        for table in COLUMNS:
            database.execute(f"DROP TABLE old_{table}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def broken(database: sqlite3.Connection, table: str) -> Iterator[Any]:
    """Yield the keys of a table's rows that are not as they were written (format 2)."""
    columns = ", ".join(COLUMNS[table])
    for *values, told in database.execute(f"SELECT {columns}, sum FROM {table}"):  # noqa: S608
        if checksum(table, tuple(values)) != told:
            yield values[0]
