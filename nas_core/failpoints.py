"""Places where a fault can be planted, so that tests hit each write step for certain.

`NAS_FAILPOINT=name:action[:count]` makes the process fail when it reaches the named place for the
count-th time (the first by default), once: `kill` is SIGKILL to itself, `raise` an `OSError` as a
failing disk raises it, `hang` a sleep without end. Unset, as always outside tests, a place costs
one comparison. `POINTS` lists them all; a test hits each.
"""

import errno
import os
import signal
import time
from dataclasses import dataclass

from nas_core.errors import UsageError

VARIABLE = "NAS_FAILPOINT"
ACTIONS = ("kill", "raise", "hang")
FILE_POINTS = (  # files.py: every file but the database
    "file.open",  # nothing is written yet
    "file.written",  # written under a temporary name, not flushed
    "file.synced",  # flushed, not renamed
    "file.renamed",  # in its place, its folder not flushed
)
STORE_POINTS = (  # store.py and loop.py: a round of the search
    "store.begun",  # a transaction has begun, nothing is in it
    "store.recorded",  # a result is in the transaction
    "store.agent",  # and the agent's state
    "store.proposed",  # and its next proposals
    "store.commit",  # all of the round is in it
    "store.committed",  # it is durable, nobody was told
    "loop.delivered",  # a result has arrived, no transaction has begun
    "loop.told",  # committed and shown; a child's checkpoint is not removed yet
)
CHECKPOINT_POINTS = (  # trainer/checkpoint.py: in the child
    "checkpoint.begin",  # an epoch has ended
    "checkpoint.arrays",  # the arrays are in their place, the manifest is not
    "checkpoint.manifest",  # this generation counts; the one before the last is still there
    "checkpoint.done",
)
POINTS = FILE_POINTS + STORE_POINTS + CHECKPOINT_POINTS


@dataclass
class _Armed:
    """One planted fault.

    Attributes:
        name: Where.
        action: One of `ACTIONS`.
        left: Times that the place is still to be reached; 0 once it has failed.
    """

    name: str
    action: str
    left: int


def arm(text: str | None) -> None:
    """Plant a fault in this process, or none.

    Args:
        text: ``name:action[:count]``; None or empty for none.

    Raises:
        UsageError: No such place or action, or a count below 1.
    """
    global _armed  # noqa: PLW0603  # one process, one fault
    _armed = _parse(text) if text else None


def _parse(text: str) -> _Armed:
    name, _, rest = text.partition(":")
    action, _, count = rest.partition(":")
    number = int(count) if count.isdecimal() else (0 if count else 1)
    if name not in POINTS or action not in ACTIONS or number < 1:
        raise UsageError(
            f"expected {VARIABLE} as name:action[:count] with a name among {', '.join(POINTS)} "
            f"and an action among {', '.join(ACTIONS)}, received {text!r}: correct or unset it"
        )
    return _Armed(name, action, number)


def reach(name: str) -> None:
    """Fail here if a fault is planted here.

    Raises:
        OSError: The planted action is "raise".
    """
    if _armed is not None and _armed.name == name:
        _count_down(_armed)


def _count_down(armed: _Armed) -> None:
    armed.left -= 1
    if armed.left != 0:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "raise":
        raise OSError(errno.EIO, f"planted fault at {armed.name}")
    while True:
        time.sleep(60.0)


_armed: _Armed | None = None
arm(os.environ.get(VARIABLE))
