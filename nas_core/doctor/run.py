"""Running all checks of an agent or of the machine."""

from collections.abc import Callable

from nas_core.doctor import checks
from nas_core.doctor.findings import Finding, Verdict, failed
from nas_core.doctor.subject import Subject


def examine_agent(subject: Subject) -> list[Finding]:
    """Run every check that an agent's kind must pass.

    An exception inside the agent is a finding of its own and ends no other check.
    """
    findings = [_checked(check, subject) for check in checks.ALWAYS]
    for check in checks.LEARNERS:
        if subject.learns:
            findings.append(_checked(check, subject))
        else:
            name = check.__name__.replace("_", " ")
            findings.append(Finding(name, Verdict.SKIPPED, message="a control learns nothing"))
    return findings


def _checked(check: Callable[[Subject], Finding], subject: Subject) -> Finding:
    try:
        return check(subject)
    except Exception as error:  # a broken agent is a finding, not the end of the examination
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return failed(check.__name__.replace("_", " "), "exception", line[:200])


def examine_machine() -> list[Finding]:
    """Run every check of the machine."""
    from nas_core.doctor.machine import ALL

    return [check() for check in ALL]
