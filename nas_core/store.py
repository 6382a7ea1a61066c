"""A run's memory: one SQLite file, one writer, every step in one durable transaction.

Tables (format 2, see `nas_core.rows`): ``meta`` (key, JSON), ``trials`` (one row per proposal),
``agent`` (the learned state, two generations), ``events`` (time, kind, detail). A trial's
``observed`` is 0, or its place from 1 in the order in which the agent learned; ``known`` is how
many trials the agent had learned from when it proposed it. WAL with synchronous=FULL: what
a transaction committed survives kill -9 and power loss. Every row has a checksum; a damaged file
is told from an intact one, and `nas_core.generations` keeps one to go back to.
"""

import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nas_core.agent import Proposal
from nas_core.artefacts import MODELS
from nas_core.database import DATABASE, UNFINISHED, connect, is_free, one_line, take_lock
from nas_core.errors import DamageError, RunError
from nas_core.failpoints import reach
from nas_core.files import is_there, sweep
from nas_core.generations import COPY, COPY_SECONDS, back_up, intact, opened, restore
from nas_core.records import Memory, TrialRow, memory_of, readable, trial_row
from nas_core.rows import COLUMNS, FORMAT, checksum, create, seal
from nas_core.trainer.base import Result

__all__ = ["METRICS", "RECOMMENDED", "RunStore", "TrialRow"]

METRICS = "metrics"  # the event of an update: what the agent's `observe` returned
RECOMMENDED = "recommended"  # in `meta`: the trial that an agent recommends by itself

_log = logging.getLogger(__name__)


class RunStore:
    """One run's folder and database. Values returned are copies; used by one thread."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, lock: BinaryIO | None, form: int
    ) -> None:
        self.folder = folder
        self._db = connection
        self._lock = lock
        self._format = form
        self._copied = time.monotonic()
        self._changes = connection.total_changes

    @classmethod
    def create(cls, folder: Path, config: dict[str, Any]) -> "RunStore":
        """Make a run folder.

        Raises:
            RunError: The folder holds a run already, is not empty, or cannot be made.
        """
        if "\0" in str(folder):
            raise RunError(f"expected a folder's name, received {str(folder)!r}: choose another")
        if is_there(folder / DATABASE):
            raise RunError(
                f"expected a new run folder, {folder} holds a run already: choose another --run, "
                f"or go on with it: nas resume {folder}"
            )
        if is_there(folder) and not is_free(folder):
            raise RunError(f"expected a new or empty folder, received {folder}: choose another")
        with one_line(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = take_lock(folder)
            # Built under another name: a database under its own name is always complete.
            temporary = folder / UNFINISHED
            temporary.unlink(missing_ok=True)
            database = sqlite3.connect(temporary)
            create(database)
            with database:
                for key, value in (("format", FORMAT), ("config", config)):
                    row = (key, json.dumps(value))
                    database.execute("INSERT INTO meta (key, value) VALUES (?, ?)", row)
            database.close()
            temporary.replace(folder / DATABASE)
            connection = connect(folder, write=True)
            seal(connection)
            return cls(folder, connection, lock, FORMAT)

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> "RunStore":
        """Open a run folder.

        Args:
            folder: A folder that `create` made.
            write: Take the writer's lock; a reader may look on while a search runs. A run of
                format 1 is brought to this one, a damaged file gives way to the last whole copy,
                and temporary files of dead processes are swept.

        Raises:
            LockedError: Another process writes (for a writer).
            DamageError: It is damaged, and (for a writer) there is no copy to go back to.
            RunError: There is no run, or its format is newer.
        """
        names = (DATABASE, COPY) if write else (DATABASE,)
        if not any(is_there(folder / name) for name in names):
            raise RunError(
                f"expected a run folder, found no {DATABASE} in {folder}: nas runs lists runs"
            )
        with one_line(folder):
            if not write:
                return cls(folder, *opened(folder))
            lock = take_lock(folder)
            try:
                return cls._open_to_write(folder, lock)
            except BaseException:
                lock.close()
                raise

    @classmethod
    def _open_to_write(cls, folder: Path, lock: BinaryIO) -> "RunStore":
        for place in (folder, folder / MODELS):
            sweep(place)
        try:
            connection = intact(folder)
        except DamageError as error:
            restore(folder, error)
            connection = intact(folder)
        store = cls(folder, connection, lock, FORMAT)
        store._back_up()
        return store

    def _checked(self, table: str, where: str = "", given: Sequence[Any] = ()) -> list[list[Any]]:
        """Return rows of a table, in the order of `COLUMNS`, that are as they were written.

        Raises:
            DamageError: A row has another checksum.
        """
        columns = COLUMNS[table]
        if self._format == 1:  # without checksums
            query = ", ".join("NULL" if name == "known" else name for name in columns)
            query = query.replace("number,", "rowid,", 1) if table == "events" else query
            with one_line(self.folder):
                found = self._db.execute(f"SELECT {query} FROM {table} {where}", given)  # noqa: S608
                return [list(values) for values in found]
        rows = []
        with one_line(self.folder):
            query = f"SELECT {', '.join(columns)}, sum FROM {table} {where}"  # noqa: S608
            for *values, told in self._db.execute(query, given):
                if checksum(table, tuple(values)) != told:
                    raise DamageError(
                        f"expected {self.folder / DATABASE} as it was written, row {values[0]!r} "
                        f"of {table} has changed: nas show {self.folder} --verify tells more, "
                        "nas resume goes back to the last whole copy"
                    )
                rows.append(values)
        return rows

    def meta(self, key: str) -> Any:
        """Return a stored JSON value, or None.

        Raises:
            DamageError: It is not as it was written.
        """
        rows = self._checked("meta", "WHERE key = ?", (key,))
        with readable(f"{key} of {self.folder}"):
            return json.loads(rows[0][1]) if rows else None

    def set_meta(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        row = (key, json.dumps(value))
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", row)

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
                reach("store.begun")
                yield
                reach("store.commit")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._commit()
            reach("store.committed")
        if time.monotonic() - self._copied > COPY_SECONDS:
            self._back_up()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have everything that is read inside belong together, though a search goes on."""
        with one_line(self.folder):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("ROLLBACK")

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _back_up(self) -> None:
        """Keep a copy if anything was written since the last one, or there is none."""
        if self._db.in_transaction:
            return  # a commit has failed: nothing of it is to be kept
        if self._db.total_changes != self._changes or not (self.folder / COPY).is_file():
            back_up(self.folder, self._db)
        self._copied, self._changes = time.monotonic(), self._db.total_changes

    def propose(self, proposals: Sequence[Proposal], known: int = 0) -> None:
        """Store proposals; they are pending until `record`.

        Args:
            proposals: Of the agent, in order.
            known: How many trials it had learned from.
        """
        self._db.executemany(
            "INSERT INTO trials (number, digest, text, spec, actions, epsilon, known) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (p.trial, p.spec.digest, p.spec.to_text(), json.dumps(p.spec.to_json()),
                 json.dumps(p.actions), p.epsilon, known)
                for p in proposals
            ],
        )  # fmt: skip
        reach("store.proposed")

    def record(self, trial: int, result: Result, credited_from: int | None = None) -> None:
        """Store the result of a pending trial.

        Raises:
            RunError: The trial is unknown or has a result already.
        """
        message = result.message.encode(errors="replace").decode()  # a file's name may be no UTF-8
        done = self._db.execute(
            "UPDATE trials SET status = ?, score = ?, credited_from = ?, seconds = ?, "
            "parameters = ?, macs = ?, message = ?, result = ?, finished = ? "
            "WHERE number = ? AND status IS NULL",
            (result.status.value, result.score, credited_from, result.seconds, result.parameters,
             result.macs, message, json.dumps(result.to_json()), time.time(), trial),
        )  # fmt: skip
        if done.rowcount != 1:
            raise RunError(f"expected trial {trial} to be pending: it is unknown or has a result")
        reach("store.recorded")

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

    def save_agent(self, state: dict[str, Any], observed: int, proposed: int) -> None:
        """Store the agent's state after all observed trials; the state before is kept too.

        Args:
            state: What its `state` returned.
            observed: How many trials it has learned from.
            proposed: How many it has proposed.
        """
        blob = zlib.compress(json.dumps(state, allow_nan=False).encode(), 1)
        (last,) = self._db.execute("SELECT COALESCE(MAX(generation), -1) FROM agent").fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO agent (place, generation, observed, proposed, state) "
            "VALUES (?, ?, ?, ?, ?)",
            ((last + 1) % 2, last + 1, observed, proposed, blob),
        )
        reach("store.agent")

    def memory(self) -> Memory | None:
        """Return the agent's newest intact state, or None where there is none.

        It may be behind the trials: `nas_core.replay` brings an agent up to them.
        """
        if self._format == 1:
            return self._memory_of_format_1()
        found = []
        with one_line(self.folder):
            query = f"SELECT {', '.join(COLUMNS['agent'])}, sum FROM agent"  # noqa: S608
            for *values, told in self._db.execute(query):
                memory = memory_of(values) if checksum("agent", tuple(values)) == told else None
                found.append((values[1], memory))
        whole = [(generation, memory) for generation, memory in found if memory is not None]
        if len(whole) < len(found):
            _log.warning(
                "nas: a stored state of %s's agent is damaged: another intact one and the trials "
                "since then take its place", self.folder,
            )  # fmt: skip
        return max(whole, key=lambda item: item[0])[1] if whole else None

    def _memory_of_format_1(self) -> Memory | None:
        row = self._db.execute("SELECT state FROM agent").fetchone()
        if row is None:
            return None
        observed, proposed = self._db.execute(
            "SELECT MAX(observed), COUNT(*) FROM trials"
        ).fetchone()
        memory = memory_of([0, 0, observed, proposed, row[0]])
        if memory is None:
            raise DamageError(f"expected the state of an agent in {self.folder / DATABASE}")
        return memory

    def agent_state(self) -> dict[str, Any] | None:
        """Return the agent's newest intact state, or None before the first."""
        memory = self.memory()
        return None if memory is None else memory.state

    def trials(self) -> list[TrialRow]:
        """Return all trials in the order of proposing.

        Raises:
            DamageError: A row is not as it was written.
        """
        rows = self._checked("trials", "ORDER BY number")
        with readable(f"the trials of {self.folder}"):
            return [trial_row(values) for values in rows]

    def trial(self, number: int) -> TrialRow:
        """Return one trial.

        Raises:
            RunError: There is no such trial.
            DamageError: It is not as it was written.
        """
        rows = self._checked("trials", "WHERE number = ?", (number,))
        if not rows:
            raise RunError(f"expected a trial of {self.folder}, received {number}: see nas show")
        with readable(f"trial {number} of {self.folder}"):
            return trial_row(rows[0])

    def add_event(self, kind: str, detail: Any = None) -> None:
        """Append to the run's log (started, resumed, interrupted, metrics, ...)."""
        self._db.execute(
            "INSERT INTO events (time, kind, detail) VALUES (?, ?, ?)",
            (time.time(), kind, json.dumps(detail)),
        )

    def last_event(self, kind: str) -> Any:
        """Return the newest event's detail, or None before the first.

        Raises:
            DamageError: It is not as it was written.
        """
        rows = self._checked("events", "WHERE kind = ? ORDER BY rowid DESC LIMIT 1", (kind,))
        with readable(f"the events of {self.folder}"):
            return json.loads(rows[0][3]) if rows else None

    def events(self, kind: str | None = None) -> list[tuple[float, str, Any]]:
        """Return (unix time, kind, detail), oldest first.

        Raises:
            DamageError: One is not as it was written.
        """
        rows = self._checked("events", "WHERE ?1 IS NULL OR kind = ?1 ORDER BY rowid", (kind,))
        with readable(f"the events of {self.folder}"):
            return [(when, what, json.loads(detail)) for _, when, what, detail in rows]

    def close(self) -> None:
        """Close the database and release the writer's lock; may be called twice."""
        if self._lock is not None:
            self._back_up()
        self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> "RunStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
