"""Changes of one decision, in any space: what follows is kept wherever it stays legal."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas_core.space import SearchSpace

Change = tuple[int, int]  # the decision's number, the other action


def changes(space: SearchSpace[Any], actions: Sequence[int]) -> list[Change]:
    """Return every single decision of a finished sequence that could have been taken otherwise."""
    found: list[Change] = []
    state = space.initial()
    for place, action in enumerate(actions):
        others = np.flatnonzero(space.legal(state)).tolist()
        found += [(place, other) for other in others if other != action]
        state = space.step(state, action)
    return found


def changed(
    space: SearchSpace[Any], actions: Sequence[int], change: Change, rng: np.random.Generator
) -> tuple[int, ...]:
    """Return the sequence with one decision taken otherwise.

    Decisions after it are kept while they are legal; one that is not is drawn uniformly among
    the legal ones, and so is what is missing at the end. The result is complete and legal.

    Args:
        space: Where the decisions are taken.
        actions: A finished sequence.
        change: One of `changes(space, actions)`.
        rng: Source of what has to be drawn.
    """
    place, other = change
    state = space.initial()
    taken: list[int] = []
    wanted = [*actions[:place], other, *actions[place + 1 :]]
    while not space.is_terminal(state):
        legal = space.legal(state)
        action = wanted[len(taken)] if len(taken) < len(wanted) else -1
        if action < 0 or not legal[action]:
            action = int(rng.choice(np.flatnonzero(legal)))
        taken.append(action)
        state = space.step(state, action)
    return tuple(taken)


def mutated(
    space: SearchSpace[Any], actions: Sequence[int], rng: np.random.Generator
) -> tuple[int, ...]:
    """Return a sequence that differs in one decision, drawn uniformly: first which, then how.

    A sequence that could not be any other is returned as it is.
    """
    found = changes(space, actions)
    if not found:
        return tuple(actions)
    places = sorted({place for place, _ in found})
    chosen = places[rng.integers(len(places))]
    here = [change for change in found if change[0] == chosen]
    return changed(space, actions, here[rng.integers(len(here))], rng)
