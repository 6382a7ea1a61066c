"""What a search space is: decisions with masks, from an empty state to a specification."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from nas_core.errors import SpecError
from nas_core.spec import Spec

State = TypeVar("State", bound=Hashable)
MASKS_KEPT = 50_000


@runtime_checkable
class SearchSpace(Protocol[State]):
    """A decision process without rewards: deterministic, finite, acyclic.

    A state holds everything decided so far, so that masks can be exact: whatever a mask allows
    can be finished within the space's limits, and nothing is rejected after sampling.

    Attributes:
        name: As typed on the command line.
        n_actions: Number of actions; an action is an index below it.
        n_steps: Most decisions of one specification.
        image_shape: Height, width, channels that the limits are computed for.
    """

    name: str
    n_actions: int
    n_steps: int
    image_shape: tuple[int, int, int]

    def initial(self) -> State:
        """Return the state with nothing decided."""

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions]; at least one is True unless the state is terminal."""

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is not legal in `state`.
        """

    def is_terminal(self, state: State) -> bool:
        """Return whether the specification is complete."""

    def key(self, state: State) -> Hashable:
        """Return what a tabular agent may tell states apart by (a tuple of numbers and words)."""

    def spec(self, state: State) -> Spec:
        """Return the specification of a terminal state."""

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`.

        Raises:
            SpecError: The specification is outside this space.
        """

    def describe(self, action: int) -> str:
        """Return an action in a few characters, for tables and pictures."""

    def config(self) -> dict[str, Any]:
        """Return JSON values that identify the space: same values, same decisions."""


@runtime_checkable
class Sized(Protocol):
    """A space that counts parameters and multiply-accumulates of many networks at once."""

    def sizes(self, actions: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return both figures of each network, int64 [N, 2], as `nas_core.cost` counts them.

        Args:
            actions: Finished sequences of legal actions [T, N]; anything beyond their ends.
            made: Bools [T, N]: False beyond an architecture's end.
        """


class Walk(Protocol):
    """A batch of architectures that are decided side by side, one decision of all at a time."""

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what may be decided next.

        Returns:
            The masks, bools [B, A], as `SearchSpace.legal` gives them; only action 0 where an
            architecture is finished. And whether each is unfinished, bools [B].
        """

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every unfinished architecture.

        Args:
            actions: Legal ones [B].
            made: Bools [B], as `masks` returned them.
        """

    def keys(self) -> list[Hashable]:
        """Return `SearchSpace.key` of each state [B]; of finished ones, anything."""

    def sizes(self) -> np.ndarray | None:
        """Return what `Sized` would of finished architectures; None where it takes counting."""


@runtime_checkable
class Walks(Protocol):
    """A space that finds the masks of many states at once."""

    def walk(self, batch: int) -> Walk | None:
        """Begin `batch` architectures; None where each state has to be asked for its mask."""


class FixedWalk:
    """A walk where masks depend on the number of the decision only, and keys on it and the last.

    Every sequence is complete after the same number of decisions.
    """

    def __init__(self, masks: np.ndarray, batch: int) -> None:
        """Begin with nothing decided.

        Args:
            masks: Of all decisions, bools [n_steps, A].
            batch: B.
        """
        self._masks = masks
        self._number = 0
        self._last = [-1] * batch

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks [B, A] and whether each architecture is unfinished [B]."""
        batch = len(self._last)
        if self._number < len(self._masks):
            here = self._masks[self._number]
            return np.broadcast_to(here, (batch, len(here))), np.ones(batch, bool)
        mask = np.arange(self._masks.shape[1]) == 0
        return np.broadcast_to(mask, (batch, len(mask))), np.zeros(batch, bool)

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every architecture."""
        self._number += 1
        self._last = actions.tolist()

    def keys(self) -> list[Hashable]:
        """Return the number of the decision and the action before it, -1 for none [B]."""
        return [(self._number, action) for action in self._last]

    def sizes(self) -> None:
        """Know no sizes."""


class Masks(dict[Any, np.ndarray]):
    """The masks of states by state, each computed once: proposing and learning meet them again.

    A memory of `MASKS_KEPT` masks is emptied before the next one.
    """

    def __init__(self, mask: Callable[[Any], np.ndarray]) -> None:
        """Remember nothing yet; `mask` returns a state's bools [n_actions]."""
        super().__init__()
        self._mask = mask

    def __missing__(self, state: Any) -> np.ndarray:
        """Compute a mask and keep it."""
        if len(self) >= MASKS_KEPT:
            self.clear()
        mask = self[state] = self._mask(state)
        return mask


@runtime_checkable
class NamesDecisions(Protocol):
    """A space in which a decision's number says what it is about."""

    def decision_name(self, number: int) -> str:
        """Return the name of decision `number`, from 0, such as ``normal h2: input 1``."""


def decision_name(space: SearchSpace[Any], number: int) -> str:
    """Return the space's name of decision `number`, or its number where the space has none."""
    if isinstance(space, NamesDecisions):
        return space.decision_name(number)
    return f"decision {number}"


def sample(space: SearchSpace[Any], rng: np.random.Generator) -> tuple[int, ...]:
    """Draw decisions uniformly among the legal ones until the specification is complete."""
    state, actions = space.initial(), []
    while not space.is_terminal(state):
        action = int(rng.choice(np.flatnonzero(space.legal(state))))
        actions.append(action)
        state = space.step(state, action)
    return tuple(actions)


def require_legal(space: SearchSpace[Any], state: Any, action: int) -> None:
    """Refuse an action that `space` does not allow in `state`.

    Raises:
        SpecError: It is out of range or masked.
    """
    if not 0 <= action < space.n_actions or not space.legal(state)[action]:
        raise SpecError(f"expected a legal action after {state}, received {action}")


def follow(space: SearchSpace[Any], actions: Sequence[int]) -> Any:
    """Return the state after `actions`.

    Raises:
        SpecError: One of them is not legal where it stands.
    """
    state = space.initial()
    for action in actions:
        state = space.step(state, action)
    return state


def spec_of(space: SearchSpace[Any], actions: Sequence[int]) -> Spec:
    """Return the specification that a complete sequence of decisions stands for.

    Raises:
        SpecError: The sequence is illegal or stops too early.
    """
    state = follow(space, actions)
    if not space.is_terminal(state):
        raise SpecError(f"expected a complete sequence of decisions, received {tuple(actions)}")
    return space.spec(state)
