"""A search space walked again and again: each state is asked for its options only once.

States are numbered as they are met, so that a whole batch takes a step by looking numbers up.
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from nas_core.space import SearchSpace, Walk, Walks

MOST_NODES = 30_000  # remembered at a time
ROOT = 0
UNKNOWN = -1
Legal = Callable[[Any], np.ndarray]


class Tree:
    """The states met so far, from the first; forgotten when there are too many.

    Attributes:
        options: The legal actions of each node; none of one where nothing is left to decide.
    """

    def __init__(self, space: SearchSpace[Any], legal: Legal | None = None) -> None:
        """Begin with the initial state, node 0.

        Args:
            space: What is walked.
            legal: (state) -> bools [A], a part of the legal actions; None for all of them.
        """
        self._space = space
        self._legal = space.legal if legal is None else legal
        self._walks = space if legal is None and isinstance(space, Walks) else None
        self._clear()

    def _clear(self) -> None:
        self.options: list[list[int]] = []
        self._states: list[Any] = []
        self._masks = np.zeros((64, self._space.n_actions), bool)
        self._children = np.zeros((64, self._space.n_actions), np.int64)
        self._add(self._space.initial())

    def _add(self, state: Any) -> int:
        """Number a state and ask the space for its options."""
        node = len(self._states)
        if node == len(self._masks):
            self._masks = np.concatenate([self._masks, np.zeros_like(self._masks)])
            self._children = np.concatenate([self._children, np.zeros_like(self._children)])
        if not self._space.is_terminal(state):
            self._masks[node] = self._legal(state)
        self._children[node] = UNKNOWN
        self._states.append(state)
        self.options.append(np.flatnonzero(self._masks[node]).tolist())
        return node

    def root(self) -> int:
        """Return the initial state's node, to walk on from; nodes of earlier walks are void."""
        if len(self._states) > MOST_NODES:
            self._clear()
        return ROOT

    def mask(self, node: int) -> np.ndarray:
        """Return the legal actions of a node, bools [A]."""
        found: np.ndarray = self._masks[node]
        return found

    def masks(self, nodes: np.ndarray) -> np.ndarray:
        """Return the legal actions of nodes [B], bools [B, A]."""
        found: np.ndarray = self._masks[nodes]
        return found

    def key(self, node: int) -> Hashable:
        """Return what a tabular agent tells a node's state apart by."""
        return self._space.key(self._states[node])

    def child(self, node: int, action: int) -> int:
        """Return the node after a legal action."""
        found = int(self._children[node, action])
        if found == UNKNOWN:
            found = self._add(self._space.step(self._states[node], action))
            self._children[node, action] = found
        return found

    def step(self, nodes: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Return the nodes [B] after one legal action each."""
        after: np.ndarray = self._children[nodes, actions]
        for place in np.flatnonzero(after == UNKNOWN).tolist():
            after[place] = self.child(int(nodes[place]), int(actions[place]))
        return after

    def walk(self, batch: int) -> Walk:
        """Begin a batch of architectures: by the space's arrays where it has them."""
        walk = None if self._walks is None else self._walks.walk(batch)
        return TreeWalk(self, batch) if walk is None else walk

    def uniform(self, rng: np.random.Generator) -> tuple[int, ...]:
        """Draw decisions uniformly among the legal ones until nothing is left to decide."""
        node, actions = self.root(), []
        while self.options[node]:
            actions.append(self.options[node][rng.integers(len(self.options[node]))])
            node = self.child(node, actions[-1])
        return tuple(actions)


class TreeWalk:
    """A batch of architectures that looks up what a tree knows."""

    def __init__(self, tree: Tree, batch: int) -> None:
        """Begin at the tree's root."""
        self._tree = tree
        self._nodes = np.full(batch, tree.root())

    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks [B, A] and whether each architecture is unfinished [B]."""
        masks = self._tree.masks(self._nodes)
        made = np.asarray(masks.any(axis=1))
        masks[~made, 0] = True
        return masks, made

    def step(self, actions: np.ndarray, made: np.ndarray) -> None:
        """Take one decision in every unfinished architecture."""
        self._nodes[made] = self._tree.step(self._nodes[made], actions[made])

    def keys(self) -> list[Hashable]:
        """Return what a tabular agent tells each state apart by [B]."""
        return [self._tree.key(node) for node in self._nodes.tolist()]

    def sizes(self) -> None:
        """Know no sizes."""
