"""What is read from the rows of a run's database: trials, and the agent's state."""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nas_core.agent import Proposal
from nas_core.errors import DamageError, NasError, RunError
from nas_core.spec import Spec, spec_from_json
from nas_core.trainer.base import Result, Status

LARGEST_STATE = 1 << 30  # bytes of an agent's state once inflated
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error)


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
        known: How many trials the agent had learned from when it proposed this one; None in
            runs of format 1.
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
    known: int | None

    @property
    def observed(self) -> bool:
        """Whether the agent's stored state includes the trial."""
        return self.place is not None

    @property
    def spec(self) -> Spec:
        """The architecture.

        Raises:
            DamageError: What is stored is none.
        """
        with readable(f"trial {self.number}"):
            return spec_from_json(json.loads(self.spec_json))

    @property
    def result(self) -> Result:
        """The trainer's answer.

        Raises:
            RunError: The trial has none yet.
            DamageError: What is stored is none.
        """
        if self.result_json is None:
            raise RunError(f"expected a finished trial, trial {self.number} has no result yet")
        with readable(f"trial {self.number}"):
            return Result.from_json(json.loads(self.result_json))

    @property
    def proposal(self) -> Proposal:
        """The proposal as the agent made it."""
        return Proposal(self.number, self.spec, self.actions, self.epsilon)


@dataclass(frozen=True)
class Memory:
    """An agent's stored state.

    Attributes:
        state: What its `state` returned.
        observed: How many trials it had learned from.
        proposed: How many it had proposed.
    """

    state: dict[str, Any]
    observed: int
    proposed: int


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell in one line what cannot be read although its checksum is right.

    Raises:
        DamageError: For any error of reading.
    """
    try:
        yield
    except (*_UNREADABLE, NasError) as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DamageError(f"expected {what} as this version writes it, received {line}") from error


def trial_row(values: Sequence[Any]) -> TrialRow:
    """Return a trial from its row's values, in the order of `rows.COLUMNS`."""
    row = list(values)
    row[4] = tuple(json.loads(row[4]))
    row[6] = None if row[6] is None else Status(row[6])
    row[16] = row[16] - 1 if row[16] > 0 else None
    return TrialRow(*row)


def memory_of(values: Sequence[Any]) -> Memory | None:
    """Return the state in a row of ``agent``; None where it cannot be read."""
    _, _, observed, proposed, blob = values
    inflate = zlib.decompressobj()
    try:
        state = json.loads(inflate.decompress(blob, LARGEST_STATE))
    except _UNREADABLE:
        return None
    return Memory(state, observed, proposed) if isinstance(state, dict) else None
