"""What a controller knows of a search space: sizes, and which decisions are skip connections."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from nas_core.space import SearchSpace


@dataclass(frozen=True)
class Anchors:
    """Decisions between two actions that compare two anchor points (Zoph & Le 2017, section 3.3).

    Attributes:
        pairs: For each such decision's number: the numbers of the decisions at whose hidden
            states the current layer i and the earlier layer j have their anchor points; neither
            comes after the decision itself.
        refuse: Action for no connection.
        connect: Action for a connection.
    """

    pairs: dict[int, tuple[int, int]] = field(default_factory=dict)
    refuse: int = 0
    connect: int = 1


@runtime_checkable
class Anchored(Protocol):
    """A space with skip connections."""

    @property
    def anchors(self) -> Anchors:
        """Which decisions are skip connections."""


@dataclass(frozen=True)
class Layout:
    """Sizes of a sequence of decisions.

    Attributes:
        n_steps: Most decisions of one architecture.
        n_actions: Number of actions.
        anchors: Its skip connections.
    """

    n_steps: int
    n_actions: int
    anchors: Anchors = field(default_factory=Anchors)


def layout_of(space: SearchSpace[Any]) -> Layout:
    """Return a space's layout."""
    anchors = space.anchors if isinstance(space, Anchored) else Anchors()
    return Layout(space.n_steps, space.n_actions, anchors)
