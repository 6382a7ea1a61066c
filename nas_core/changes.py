"""What has changed since a run began: results would mean something else, so resuming is refused."""

from typing import Any

from nas_core.errors import RunError

ALWAYS = ("rl-nas", "numpy")  # versions that every search depends on
REAL = ("keras", "tensorflow")  # and those of real trainings
LONGEST = 120  # characters of a value that are shown


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Return a line ``where: old -> new`` for each value in which two records differ.

    Args:
        before: JSON values.
        now: The same, as they are now.
        path: Where in the record these are.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        prefix = f"{path}." if path else ""
        return [
            line
            for key in sorted(set(before) | set(now))
            for line in differences(before.get(key), now.get(key), prefix + key)
        ]
    return [] if before == now else [f"{path}: {_short(before)} -> {_short(now)}"]


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def changed_since(config: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what differs between a run's record and the same record made now.

    Args:
        config: The run's: ``identity`` (space, trainer with its recipe, data), ``versions``.
        now: The same, as they are now.
    """
    plan = config.get("plan")
    mock = isinstance(plan, dict) and plan.get("trainer") in ("mock", "table")
    names = ALWAYS if mock else (*ALWAYS, *REAL)
    old, new = config.get("versions", {}), now.get("versions", {})
    lines = differences(config.get("identity", {}), now.get("identity", {}))
    return lines + differences(
        {name: old.get(name) for name in names}, {name: new.get(name) for name in names}, "version"
    )


def refuse(run: object, lines: list[str]) -> None:
    """Refuse to go on with a run that has changed, if it has.

    Raises:
        RunError: With a line for each difference.
    """
    if lines:
        told = "".join(f"\n  {line}" for line in lines)
        raise RunError(
            f"expected {run} as it began (old -> new), received other parts: restore them, start a "
            f"new run, or go on all the same with nas resume {run} --force{told}"
        )
