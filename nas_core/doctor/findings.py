"""What a check answers."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "failed"
    REPORTED = "reported"  # unusual, but declared
    SKIPPED = "skipped"  # it says nothing about this agent


@dataclass(frozen=True)
class Finding:
    """One check's answer.

    Attributes:
        check: Name of the check.
        verdict: How it went.
        bug: Name of the mistake that was recognised; empty unless failed or reported.
        message: What was seen, in one line.
    """

    check: str
    verdict: Verdict
    bug: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def passed(check: str, message: str = "") -> Finding:
    """Return a finding without fault."""
    return Finding(check, Verdict.PASSED, message=message)


def failed(check: str, bug: str, message: str) -> Finding:
    """Return a finding of a named mistake."""
    return Finding(check, Verdict.FAILED, bug, message)
