"""Decisions of a batch of architectures in any search space: masks, sampling, teacher forcing."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from nas_core.space import SearchSpace, Walk, Walks
from nas_core.tree import Tree
from nas_net_architecture import reinforce
from nas_net_architecture.controller import Policy
from nas_net_architecture.independent import IndependentPolicy


@runtime_checkable
class FixedMasks(Protocol):
    """A space whose masks depend on nothing but the number of decisions taken."""

    @property
    def fixed_masks(self) -> np.ndarray | None:
        """Bools [n_steps, n_actions], or None where the masks depend on the decisions."""


@runtime_checkable
class Curriculum(Protocol):
    """A space that may allow less to early trials."""

    @property
    def narrows(self) -> bool:
        """Whether it does."""

    def legal_for(self, trial: int, state: Any) -> np.ndarray:
        """Return bools [n_actions]: what `trial` may decide; a part of `legal(state)`."""


@dataclass(frozen=True)
class Sequences:
    """Decisions of B architectures with the masks under which each was made.

    Attributes:
        actions: [T, B]; 0 beyond an architecture's end.
        masks: Bools [T, B, A], or [T, 1, A] where all share them; beyond an architecture's end
            only action 0 is legal, so that it counts for nothing.
        made: Bools [T, B]: False beyond an architecture's end.
        sizes: Parameters and multiply-accumulates, int64 [B, 2], where the walk counted them.
    """

    actions: np.ndarray
    masks: np.ndarray
    made: np.ndarray
    sizes: np.ndarray | None = None

    def decisions(self, position: int) -> tuple[int, ...]:
        """Return one architecture's actions."""
        return tuple(self.actions[self.made[:, position], position].tolist())


class Drawn(NamedTuple):
    """A sampled group.

    Attributes:
        sequences: The decisions.
        log_prob: Their log-probabilities [T, B].
        log_probs: Those of all actions at each decision [T, B, A], or [T, 1, A] where all
            architectures have the same.
        memory: The policy's, led through exactly these decisions.
    """

    sequences: Sequences
    log_prob: np.ndarray
    log_probs: np.ndarray
    memory: Any


class _Walk:
    """A batch of states that are stepped together, one decision at a time."""

    def __init__(self, space: SearchSpace[Any], trials: Sequence[int]) -> None:
        self._space = space
        self._trials = trials
        self._states = [space.initial() for _ in trials]
        self._nothing = np.zeros(space.n_actions, bool)
        self._nothing[0] = True
        self._narrowed = space if isinstance(space, Curriculum) and space.narrows else None

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks [B, A] and whether each architecture is unfinished [B]."""
        made = np.array([not self._space.is_terminal(state) for state in self._states])
        rows = [
            self._legal(trial, state) if open_ else self._nothing
            for trial, state, open_ in zip(self._trials, self._states, made, strict=True)
        ]
        return np.stack(rows), made

    def _legal(self, trial: int, state: Any) -> np.ndarray:
        if self._narrowed is None:
            return self._space.legal(state)
        return self._narrowed.legal_for(trial, state)

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every unfinished architecture."""
        for position in np.flatnonzero(made).tolist():
            state = self._states[position]
            self._states[position] = self._space.step(state, int(actions[position]))

    def keys(self) -> list[Hashable]:
        """Return what a tabular agent tells each state apart by [B]."""
        return [self._space.key(state) for state in self._states]

    def sizes(self) -> None:
        """Know no sizes."""


def narrowed(space: SearchSpace[Any], trial: int) -> Tree:
    """Return a tree of what one trial may decide."""
    if isinstance(space, Curriculum) and space.narrows:
        return Tree(space, lambda state: space.legal_for(trial, state))
    return Tree(space)


def fixed_masks(space: SearchSpace[Any]) -> np.ndarray | None:
    """Return the space's masks [T, A] if they depend on the position only."""
    return space.fixed_masks if isinstance(space, FixedMasks) else None


def sample(
    policy: Policy,
    space: SearchSpace[Any],
    trials: Sequence[int],
    uniforms: np.ndarray,
    tree: Tree | None = None,
) -> Drawn:
    """Draw one architecture per trial, all together, decision after decision.

    Args:
        policy: Gives the logits of every decision given those before.
        space: Gives the masks.
        trials: Numbers of the trials, B.
        uniforms: Random numbers in [0, 1), [n_steps, B].
        tree: What is known of the masks of these trials, all alike; None to ask the space.
    """
    fixed = fixed_masks(space)
    if fixed is not None and isinstance(policy, IndependentPolicy):
        return _at_once(policy, fixed, uniforms)
    walk: Walk | None = None
    if fixed is None:
        walk = _side_by_side(space, trials) if tree is None else tree.walk(len(trials))
    memory = policy.start(len(trials))
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    actions, made = None, np.ones(len(trials), bool)
    for t in range(space.n_steps):
        if walk is None:
            masks = fixed[t : t + 1] if fixed is not None else made
        else:
            masks, made = walk.masks()
            if not made.any():
                break
        logits = policy.logits(memory, t, actions)
        actions = reinforce.choose(reinforce.masked(logits, masks), uniforms[t])
        rows.append((actions, masks, made, logits))
        if walk is not None:
            walk.step(actions, made)
    actions, masks, made, logits = (np.stack(parts) for parts in zip(*rows, strict=True))
    drawn = Sequences(actions, masks, made, None if walk is None else walk.sizes())
    log_probs = reinforce.log_softmax(logits, masks)
    return Drawn(drawn, reinforce.log_prob_of(log_probs, drawn.actions), log_probs, memory)


def _side_by_side(space: SearchSpace[Any], trials: Sequence[int]) -> Walk:
    """Begin a walk by the space's arrays, where it has them and all trials may decide the same."""
    alike = not (isinstance(space, Curriculum) and space.narrows)
    walk = space.walk(len(trials)) if alike and isinstance(space, Walks) else None
    return _Walk(space, trials) if walk is None else walk


def _at_once(policy: IndependentPolicy, fixed: np.ndarray, uniforms: np.ndarray) -> Drawn:
    """Draw all decisions together, where neither masks nor logits depend on those before."""
    steps, batch = uniforms.shape
    logits = reinforce.masked(policy.weights["logits"], fixed)
    rows = np.repeat(logits, batch, axis=0)  # [T B, A]
    actions = reinforce.choose(rows, uniforms.ravel()).reshape(steps, batch)
    drawn = Sequences(actions, fixed[:, None], np.ones((steps, batch), bool))
    log_probs = reinforce.log_softmax(logits, fixed)
    log_prob = np.take_along_axis(log_probs, actions, axis=1)
    return Drawn(drawn, log_prob, log_probs[:, None], policy.start(batch))


def replay(
    space: SearchSpace[Any], trials: Sequence[int], decisions: Sequence[Sequence[int]]
) -> Sequences:
    """Return decisions already taken, with the masks that each of them met.

    Args:
        space: Where they were taken.
        trials: Numbers of the trials, B.
        decisions: Each architecture's actions.

    Raises:
        SpecError: An action is not legal where it stands.
    """
    steps = max(len(row) for row in decisions)
    actions = np.zeros((steps, len(decisions)), np.int64)
    made = np.zeros(actions.shape, bool)
    for position, row in enumerate(decisions):
        actions[: len(row), position] = row
        made[: len(row), position] = True
    fixed = fixed_masks(space)
    if fixed is not None:
        return Sequences(actions, fixed[:steps, None], made)
    walk, masks = _Walk(space, trials), []
    for t in range(steps):
        masks.append(walk.masks()[0])
        walk.step(actions[t], made[t])
    return Sequences(actions, np.stack(masks), made)
