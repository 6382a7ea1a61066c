"""A comparison's trainings in several processes of one thread each; one process keeps the records.

A part is one method on one task: it is tuned, then trained with every seed and from every rate.
Parts need nothing of each other, so that any number of processes gives the same trainings.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Protocol, cast

from nas_core.errors import NasError, RunError
from nas_core.executors.lifeline import die_with_parent
from nas_core.executors.main_module import hidden_main
from training_control.comparison.records import Record, Records

if TYPE_CHECKING:
    Line = Connection[Any, Any]

Part = tuple[int, str]  # number of the task, name of the method
OnRecord = Callable[[Record], None]


class Kept(Protocol):
    """Where finished trainings are."""

    def get(self, key: str) -> Record | None:
        """Return a finished training; None if it is still to be done."""

    def add(self, record: Record) -> None:
        """Keep a training."""

    def open_test(self, task: str, digest: str) -> None:
        """Record, once for each task, that its test split is about to be opened."""


class Doer(Protocol):
    """What can do a part."""

    def do(self, part: Part, records: Kept) -> None:
        """Do all trainings of a part that are missing."""


Make = Callable[[], Doer]


@dataclass(frozen=True)
class Opening:
    """A process asks to have it recorded that it is about to open a test split."""

    task: str
    digest: str


class Remote:
    """What is finished, as one process knows it; what is new goes to the process that keeps it."""

    def __init__(self, known: dict[str, Record], line: "Line") -> None:
        """Begin with what is known, by key."""
        self._known, self._line = known, line
        self._opened: set[str] = set()

    def get(self, key: str) -> Record | None:
        """Return a finished training; None if it is still to be done."""
        return self._known.get(key)

    def add(self, record: Record) -> None:
        """Note a training."""
        self._known[record.key] = record
        self._line.send(record)

    def open_test(self, task: str, digest: str) -> None:
        """Wait until the opening is recorded."""
        if task not in self._opened:
            self._line.send(Opening(task, digest))
            self._line.recv()
            self._opened.add(task)


def train_side_by_side(
    make: Make, parts: Sequence[Part], records: Records, workers: int, on_record: OnRecord
) -> None:
    """Do what is missing of all parts.

    Args:
        make: Makes in each process what does the parts; it is sent there.
        parts: Those of one task behind each other, so that a process seldom changes its task.
        records: What is finished.
        workers: Processes, at least 1.
        on_record: Called here with each new record, as it arrives.

    Raises:
        RunError: A process died.
        NasError: What went wrong in a part.
    """
    left = iter(parts)
    with _crew() as crew:
        with hidden_main():
            for _ in range(min(workers, len(parts))):
                crew.hire(make, records.known).send(next(left))
        while crew.lines:
            for line in cast("list[Line]", wait(crew.lines)):
                match _received(line):
                    case Record() as record:
                        on_record(record)
                    case Opening(task, digest):
                        records.open_test(task, digest)
                        line.send(None)
                    case None if (part := next(left, None)) is not None:
                        line.send(part)
                    case None:
                        crew.dismiss(line)


def _received(line: "Line") -> Record | Opening | None:
    """Return what a process says; None: its part is done.

    Raises:
        NasError: It says what went wrong, or nothing more at all.
    """
    try:
        message = line.recv()
    except (EOFError, ConnectionResetError):
        raise RunError(
            "expected all comparing processes to live, one was killed: free some memory or use "
            "fewer --workers, then repeat the command; what is finished is kept"
        ) from None
    if isinstance(message, NasError):
        raise message
    return cast("Record | Opening | None", message)


class _Crew:
    """Processes at work.

    Attributes:
        lines: To those that are at work.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._processes: list[SpawnProcess] = []
        self._context = multiprocessing.get_context("spawn")

    def hire(self, make: Make, known: dict[str, Record]) -> "Line":
        """Start a process; only it holds the other end of its line, which so ends with it."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, make, known), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        self.lines.append(ours)
        return ours

    def dismiss(self, line: "Line") -> None:
        """Let a process end."""
        line.send(None)
        self.lines.remove(line)

    def kill(self) -> None:
        """End all processes at once: the training at hand is all that each loses."""
        for process in self._processes:
            process.kill()

    def join(self) -> None:
        """Wait until all have ended."""
        for process in self._processes:
            process.join()


@contextmanager
def _crew() -> Iterator[_Crew]:
    """Lend processes none of which outlives the `with` statement."""
    crew = _Crew()
    try:
        yield crew
    except BaseException:
        crew.kill()
        raise
    finally:
        crew.join()


def _work(line: "Line", make: Make, known: dict[str, Record]) -> None:
    """Do the parts that come in; say after each that it is done, or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver to decide on
    die_with_parent()
    try:
        doer, records = make(), Remote(known, line)
        while (part := line.recv()) is not None:
            doer.do(part, records)
            line.send(None)
    except NasError as error:
        line.send(error)
    except Exception as error:
        line.send(RunError(f"unexpected {type(error).__name__} while comparing: {error}"))
