"""What driver and children say to one another: lines of JSON over pipes."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas_core.spec import Spec, spec_from_json
from nas_core.trainer.base import Job

BLOCK = 1 << 16
LONGEST_LINE = 64 << 20
TAIL = 4096
JOB_PATHS = ("model_path", "init_from", "checkpoint")


def encode_request(spec: Spec, job: Job) -> bytes:
    """Return one trial as JSON text."""
    plain = {key: str(v) if isinstance(v, Path) else v for key, v in asdict(job).items()}
    return json.dumps({"spec": spec.to_json(), "job": plain}).encode()


def decode_request(data: bytes) -> tuple[Spec, Job]:
    """Read `encode_request`'s text back."""
    value = json.loads(data)
    job = value["job"]
    paths = {key: Path(job[key]) for key in JOB_PATHS if job[key] is not None}
    return spec_from_json(value["spec"]), Job(**{**job, **paths, "stops": tuple(job["stops"])})


def encode_line(message: dict[str, Any]) -> bytes:
    """Return one message as a line of JSON.

    Raises:
        TypeError: A value that JSON does not know.
        ValueError: A number that is not finite.
    """
    return json.dumps(message, allow_nan=False, default=_plain).encode() + b"\n"


def send_line(pipe: Connection, line: bytes) -> None:
    """Write a whole line, waiting for the reader as long as it takes."""
    while line:
        line = line[os.write(pipe.fileno(), line) :]


def _plain(value: Any) -> Any:
    # NumPy's numbers are what trainers of users are likely to return.
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return item()


class Pipe:
    """The driver's reading end of a child's pipe; never waits, whatever the child writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        os.set_blocking(connection.fileno(), False)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._connection.fileno()

    @property
    def closed(self) -> bool:
        """Whether the writer is gone, or `close` was called."""
        return self._connection.closed

    def read(self) -> bytes:
        """Return what is there, at most `BLOCK` bytes, perhaps nothing; closes at the end."""
        if self.closed:
            return b""
        try:
            data = os.read(self.fileno(), BLOCK)
        except BlockingIOError:
            return b""
        if not data:
            self.close()
        return data

    def close(self) -> None:
        """Close this end; the writer then fails."""
        self._connection.close()


class Lines:
    """Splits a child's answers into messages."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._rest = bytearray()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the messages that are complete, up to the first that is none.

        Raises:
            ValueError: The child wrote something else than lines of JSON objects.
        """
        self._rest += self.pipe.read()
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise ValueError(f"more than {LONGEST_LINE} bytes without an end")
        for line in lines:
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError("a line that is no JSON object")
            yield message


class Tail:
    """Keeps the end of what a child prints, and drops the rest."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._kept = b""

    def read(self) -> None:
        """Take in what is there."""
        self._kept = (self._kept + self.pipe.read())[-TAIL:]

    def text(self) -> str:
        """Return the last `TAIL` bytes as text."""
        return self._kept.decode(errors="replace").strip()

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        return self.text().rpartition("\n")[2].strip()
