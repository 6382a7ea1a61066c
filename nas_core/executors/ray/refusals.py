"""Why a node cannot be used, in one line each."""

from collections.abc import Mapping, Sequence
from typing import Any

from nas_core.errors import NasError, RunError, UsageError
from nas_core.executors.answer import describe
from nas_core.executors.ray.cluster import Machine
from nas_core.executors.ray.settings import INSTALL, Settings


def refusal(error: NasError) -> dict[str, Any]:
    """Return an error as plain values, for the driver to raise."""
    return {"refused": str(error), "usage": isinstance(error, UsageError)}


def raised(answer: Mapping[str, Any], node: str | None = None) -> NasError:
    """Return the error that `refusal` has written, with the node that it came from."""
    kind = UsageError if answer["usage"] else RunError
    return kind(answer["refused"] + ("" if node is None else f" (on the node {node})"))


def unlike(node: str, there: Mapping[str, str], here: Mapping[str, str]) -> NasError | None:
    """Return what is wrong with a node of other versions than the driver's; None if nothing is."""
    other = [
        f"{name} {there.get(name, 'unknown')} there, {version} here"
        for name, version in here.items()
        if there.get(name) != version
    ]
    if not other:
        return None
    return UsageError(
        f"expected the same versions on the node {node} as here, received {'; '.join(other)}: "
        "install the same"
    )


def broken(node: str, error: Exception) -> NasError | None:
    """Return what is wrong with a node whose code has raised; None if the node was lost instead."""
    cause = getattr(error, "cause", None)  # Ray's wrapper of what was raised there
    _, named, rest = str(error).partition("No module named '")
    if named:
        return UsageError(
            f"expected the same packages on the node {node} as here, received no module "
            f"{rest.partition(chr(39))[0]!r}: {INSTALL} there, and make your own modules importable"
        )
    if not isinstance(cause, Exception):
        return None
    line = " ".join(describe(cause).split())[:300]
    return RunError(
        f"expected the node {node} to take trials, received {line}: look at its disk and memory"
    )


def too_small(machines: Sequence[Machine], settings: Settings) -> NasError | None:
    """Return what is wrong with a cluster in which no node holds one trial; None if one does."""
    if not machines or any(machine.fits(settings, free=False) > 0 for machine in machines):
        return None
    cpus = max(machine.all_cpus for machine in machines)
    gpus = max(machine.all_gpus for machine in machines)
    share = 0.0 if settings.gpu_share is None else settings.gpu_share
    return UsageError(
        f"expected a node with {settings.threads} CPU(s) and {share:g} GPU(s) "
        f"for a trial in the Ray cluster {settings.where}, received {len(machines)} node(s) of at "
        f"most {cpus:g} and {gpus:g}: add a larger one, or lower --gpu-share or the threads"
    )
