"""Spaces and agents by name. Packages register theirs as entry points; none is imported here.

Groups: ``nas.spaces`` (a `SpaceEntry`) and ``nas.agents`` (an `AgentEntry`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from nas_core.agent import Agent
from nas_core.errors import UsageError
from nas_core.space import SearchSpace

if TYPE_CHECKING:
    from nas_core.trainer.recipe import Recipe

PRESETS = ("quick", "paper")
OWN_TABLE = "table"  # the space that a --table FILE describes; without a file there is none


@dataclass(frozen=True)
class SpaceEntry:
    """A search space as the command line offers it.

    Attributes:
        default_agent: Name of the agent used when none is named.
        build: (preset, image shape, classes) -> the space; one for texts also takes ``words``, the
            size of the vocabulary.
        recipe: preset -> how children are trained.
        trials: preset -> proposals when none are asked for.
        agent_preset: Preset that agents use here, whatever the run's is; None for the run's.
        trainers: Trainers that can score its architectures.
        kind: Of the data that its networks are for: "image" or "text" (see `nas_core.kinds`).
    """

    default_agent: str
    build: Callable[..., SearchSpace[Any]]
    recipe: "Callable[[str], Recipe]"
    trials: dict[str, int]
    agent_preset: str | None = None
    trainers: tuple[str, ...] = ("real", "mock")
    kind: str = "image"


@dataclass(frozen=True)
class AgentEntry:
    """An agent as the command line offers it.

    Attributes:
        build: (space, seed, trials, preset) -> the agent; `trials` scales its schedules. The
            preset "table" asks for settings of published tables; agents without such use "quick".
        learns: False for a control, which nobody expects to.
    """

    build: Callable[[SearchSpace[Any], int, int, str], Agent]
    learns: bool = True


def names(group: str) -> list[str]:
    """Return the registered names of ``nas.spaces`` or ``nas.agents``."""
    return sorted({entry.name for entry in entry_points(group=group)})


def _load(group: str, name: str, noun: str) -> Any:
    for entry in entry_points(group=group):
        if entry.name == name:
            return entry.load()
    known = ", ".join(names(group)) or "none: install this project with pip"
    raise UsageError(f"expected {noun} among {known}, received {name!r}")


def space_entry(name: str) -> SpaceEntry:
    """Return a registered space.

    Raises:
        UsageError: No package registers that name.
    """
    if name == OWN_TABLE:
        from nas_core.tables.published import OWN_ENTRY

        return OWN_ENTRY
    entry: SpaceEntry = _load("nas.spaces", name, "a search space")
    return entry


def build_space(
    name: str,
    preset: str,
    image_shape: tuple[int, int, int],
    classes: int,
    words: int | None = None,
) -> SearchSpace[Any]:
    """Return a registered space for some data.

    Args:
        name: Of the space.
        preset: "quick" or "paper".
        image_shape: Height, width, channels; (length, 1, 1) of texts.
        classes: Number of classes.
        words: Size of the vocabulary; None for images.

    Raises:
        UsageError: No package registers that name.
    """
    vocabulary = {} if words is None else {"words": words}
    return space_entry(name).build(preset, image_shape, classes, **vocabulary)


def agent_entry(name: str) -> AgentEntry:
    """Return a registered agent.

    Raises:
        UsageError: No package registers that name.
    """
    entry: AgentEntry = _load("nas.agents", name, "an agent")
    return entry


def check_preset(preset: str) -> str:
    """Return `preset` if it exists.

    Raises:
        UsageError: It does not.
    """
    if preset not in PRESETS:
        raise UsageError(f"expected a preset among {', '.join(PRESETS)}, received {preset!r}")
    return preset
