"""A run's memory: one SQLite file, one writer, every step in one durable transaction.

Tables (format 1): ``meta`` (key, JSON), ``trials`` (one row per proposal), ``agent`` (the learned
state after the observed trials), ``events`` (time, kind, detail). A trial's ``observed`` is 0, or
its place from 1 in the order in which the agent learned. WAL with synchronous=FULL: what
a transaction committed survives kill -9 and power loss.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from nas_core.agent import Proposal
from nas_core.database import DATABASE, UNFINISHED, connect, is_free, one_line, take_lock
from nas_core.errors import RunError
from nas_core.spec import Spec, spec_from_json
from nas_core.trainer.base import Result, Status

FORMAT = 1
METRICS = "metrics"  # the event of an update: what the agent's `observe` returned
RECOMMENDED = "recommended"  # in `meta`: the trial that an agent recommends by itself

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL, text TEXT NOT NULL, spec TEXT NOT NULL,
    actions TEXT NOT NULL, epsilon REAL, status TEXT, score REAL, reward REAL,
    credited_from INTEGER, seconds REAL, parameters INTEGER, macs INTEGER, message TEXT,
    result TEXT, finished REAL, observed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX trials_by_digest ON trials (digest);
CREATE TABLE agent (id INTEGER PRIMARY KEY CHECK (id = 1), state BLOB NOT NULL) STRICT;
CREATE TABLE events (time REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class TrialRow:
    """One trial as stored.

    Attributes:
        number: Order of proposing, from 0.
        status: None while the trial has no result.
        score: Validation accuracy in [0, 1]; None unless ok.
        reward: What the agent was told; None until observed.
        credited_from: The trial whose result this repeat was credited with; None when trained.
        result_json: Curve, attempts and details; None while there is no result.
        finished: Unix time of the result.
        place: In the order in which the agent learned from trials, from 0; None until it did.
    """

    number: int
    digest: str
    text: str
    spec_json: str
    actions: tuple[int, ...]
    epsilon: float | None
    status: Status | None
    score: float | None
    reward: float | None
    credited_from: int | None
    seconds: float | None
    parameters: int | None
    macs: int | None
    message: str | None
    result_json: str | None
    finished: float | None
    place: int | None

    @property
    def observed(self) -> bool:
        """Whether the agent's stored state includes the trial."""
        return self.place is not None

    @property
    def spec(self) -> Spec:
        """The architecture."""
        return spec_from_json(json.loads(self.spec_json))

    @property
    def result(self) -> Result:
        """The trainer's answer.

        Raises:
            RunError: The trial has none yet.
        """
        if self.result_json is None:
            raise RunError(f"expected a finished trial, trial {self.number} has no result yet")
        return Result.from_json(json.loads(self.result_json))

    @property
    def proposal(self) -> Proposal:
        """The proposal as the agent made it."""
        return Proposal(self.number, self.spec, self.actions, self.epsilon)


def _row(values: Sequence[Any]) -> TrialRow:
    row = list(values)
    row[4] = tuple(json.loads(row[4]))
    row[6] = None if row[6] is None else Status(row[6])
    row[16] = row[16] - 1 if row[16] > 0 else None
    return TrialRow(*row)


_SELECT = (
    "SELECT number, digest, text, spec, actions, epsilon, status, score, reward, credited_from, "
    "seconds, parameters, macs, message, result, finished, observed FROM trials "
)


class RunStore:
    """One run's folder and database. Values returned are copies; used by one thread."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: BinaryIO | None) -> None:
        self.folder = folder
        self._db = connection
        self._lock = lock

    @classmethod
    def create(cls, folder: Path, config: dict[str, Any]) -> "RunStore":
        """Make a run folder.

        Raises:
            RunError: The folder holds a run already, is not empty, or cannot be made.
        """
        if (folder / DATABASE).exists():
            raise RunError(
                f"expected a new run folder, {folder} holds a run already: choose another --run, "
                f"or go on with it: nas resume {folder}"
            )
        if folder.exists() and not is_free(folder):
            raise RunError(f"expected a new or empty folder, received {folder}: choose another")
        with one_line(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = take_lock(folder)
            # Built under another name: a database under its own name is always complete.
            temporary = folder / UNFINISHED
            temporary.unlink(missing_ok=True)
            database = sqlite3.connect(temporary)
            database.executescript(_SCHEMA)
            with database:
                database.execute("INSERT INTO meta VALUES ('format', ?)", (json.dumps(FORMAT),))
                database.execute("INSERT INTO meta VALUES ('config', ?)", (json.dumps(config),))
            database.close()
            temporary.replace(folder / DATABASE)
            return cls(folder, connect(folder, write=True), lock)

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> "RunStore":
        """Open a run folder.

        Args:
            folder: A folder that `create` made.
            write: Take the writer's lock; a reader may look on while a search runs.

        Raises:
            RunError: There is no run, its format is newer, it is damaged, or (for a writer)
                another process holds it.
        """
        if not (folder / DATABASE).is_file():
            raise RunError(
                f"expected a run folder, found no {DATABASE} in {folder}: nas runs lists runs"
            )
        with one_line(folder):
            lock = take_lock(folder) if write else None
            store = cls(folder, connect(folder, write), lock)
            found = store.meta("format")
        if found != FORMAT:
            store.close()
            raise RunError(f"expected run format {FORMAT}, {folder} has {found}: update nas")
        return store

    def meta(self, key: str) -> Any:
        """Return a stored JSON value, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_meta(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with."""
        value = self.meta("config")
        return value if isinstance(value, dict) else {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one commit: all of it is durable afterwards, or none.

        Raises:
            RunError: The disk is full or fails; nothing of this block was stored.
        """
        with one_line(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._commit()

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def propose(self, proposals: Sequence[Proposal]) -> None:
        """Store proposals; they are pending until `record`."""
        self._db.executemany(
            "INSERT INTO trials (number, digest, text, spec, actions, epsilon) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [
                (p.trial, p.spec.digest, p.spec.to_text(), json.dumps(p.spec.to_json()),
                 json.dumps(p.actions), p.epsilon)
                for p in proposals
            ],
        )  # fmt: skip

    def record(self, trial: int, result: Result, credited_from: int | None = None) -> None:
        """Store the result of a pending trial.

        Raises:
            RunError: The trial is unknown or has a result already.
        """
        done = self._db.execute(
            "UPDATE trials SET status = ?, score = ?, credited_from = ?, seconds = ?, "
            "parameters = ?, macs = ?, message = ?, result = ?, finished = ? "
            "WHERE number = ? AND status IS NULL",
            (result.status.value, result.score, credited_from, result.seconds, result.parameters,
             result.macs, result.message, json.dumps(result.to_json()), time.time(), trial),
        )  # fmt: skip
        if done.rowcount != 1:
            raise RunError(f"expected trial {trial} to be pending: it is unknown or has a result")

    def mark_observed(self, rewards: dict[int, float], place: int) -> None:
        """Store that the agent has learned from these trials.

        Args:
            rewards: What it was told of each, in the order of learning.
            place: Number of trials that it had learned from before.
        """
        self._db.executemany(
            "UPDATE trials SET observed = ?, reward = ? WHERE number = ?",
            [
                (number, reward, trial)
                for number, (trial, reward) in enumerate(rewards.items(), start=place + 1)
            ],
        )

    def save_agent(self, state: dict[str, Any]) -> None:
        """Store the agent's state after all observed trials."""
        blob = zlib.compress(json.dumps(state, allow_nan=False).encode(), 1)
        self._db.execute("INSERT OR REPLACE INTO agent VALUES (1, ?)", (blob,))

    def agent_state(self) -> dict[str, Any] | None:
        """Return the agent's stored state, or None before the first."""
        row = self._db.execute("SELECT state FROM agent WHERE id = 1").fetchone()
        if row is None:
            return None
        state: dict[str, Any] = json.loads(zlib.decompress(row[0]))
        return state

    def trials(self) -> list[TrialRow]:
        """Return all trials in the order of proposing."""
        query = _SELECT + "ORDER BY number"
        return [_row(values) for values in self._db.execute(query)]

    def trial(self, number: int) -> TrialRow:
        """Return one trial.

        Raises:
            RunError: There is no such trial.
        """
        query = _SELECT + "WHERE number = ?"
        values = self._db.execute(query, (number,)).fetchone()
        if values is None:
            raise RunError(f"expected a trial of {self.folder}, received {number}: see nas show")
        return _row(values)

    def add_event(self, kind: str, detail: Any = None) -> None:
        """Append to the run's log (started, resumed, interrupted, metrics, ...)."""
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?)", (time.time(), kind, json.dumps(detail))
        )

    def events(self, kind: str | None = None) -> list[tuple[float, str, Any]]:
        """Return (unix time, kind, detail), oldest first."""
        rows = self._db.execute(
            "SELECT time, kind, detail FROM events WHERE ?1 IS NULL OR kind = ?1 ORDER BY rowid",
            (kind,),
        )
        return [(when, what, json.loads(detail)) for when, what, detail in rows]

    def close(self) -> None:
        """Close the database and release the writer's lock; may be called twice."""
        self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> "RunStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
