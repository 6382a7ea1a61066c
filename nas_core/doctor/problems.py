"""Small decision problems whose right answers are known by enumeration."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.errors import SpecError
from nas_core.space import require_legal
from nas_core.spec import ChainSpec, Conv, GlobalAveragePool, Softmax, Spec

Actions = tuple[int, ...]
CLASSES = 2


class SmallSpace:
    """Up to `n_steps` decisions among `n_actions` numbers; what is legal depends on those before.

    The network of a sequence is a chain of 1x1 convolutions with one filter more than each number.
    """

    def __init__(self, name: str, options: Callable[[Actions], Actions], steps: int) -> None:
        """Take the legal actions after each sequence; none ends it.

        Args:
            name: For messages.
            options: (decisions so far) -> the legal numbers.
            steps: Most decisions.
        """
        self.name = name
        self.n_steps = steps
        self.image_shape = (8, 8, 3)
        self._options = options
        self.n_actions = 1 + max(max(options(node)) for node in self.nodes())

    def nodes(self) -> Iterator[Actions]:
        """Yield every sequence after which something is left to decide."""
        waiting: list[Actions] = [()]
        while waiting:
            node = waiting.pop()
            options = self._options(node)
            if options:
                yield node
                waiting += [(*node, action) for action in options]

    def ends(self) -> Iterator[Actions]:
        """Yield every complete sequence."""
        for node in self.nodes():
            for action in self._options(node):
                if not self._options((*node, action)):
                    yield (*node, action)

    def initial(self) -> Actions:
        """Return the empty sequence."""
        return ()

    def is_terminal(self, state: Actions) -> bool:
        """Return whether nothing is left to decide."""
        return not self._options(state)

    def legal(self, state: Actions) -> np.ndarray:
        """Return bools [n_actions]."""
        mask = np.zeros(self.n_actions, bool)
        mask[list(self._options(state))] = True
        return mask

    def step(self, state: Actions, action: int) -> Actions:
        """Return the sequence with one more decision.

        Raises:
            SpecError: The action is not legal here.
        """
        require_legal(self, state, action)
        return (*state, action)

    def key(self, state: Actions) -> Actions:
        """Return the sequence itself."""
        return state

    def spec(self, state: Actions) -> Spec:
        """Return the chain of a complete sequence."""
        convs = [Conv(action + 1, 1) for action in state]
        return ChainSpec((*convs, GlobalAveragePool(), Softmax(CLASSES)))

    def encode(self, spec: Spec) -> Actions:
        """Return the sequence of a chain.

        Raises:
            SpecError: The chain is not in this space.
        """
        layers = spec.layers[:-2] if isinstance(spec, ChainSpec) else ()
        actions = tuple(layer.filters - 1 for layer in layers if isinstance(layer, Conv))
        if actions not in set(self.ends()) or self.spec(actions).digest != spec.digest:
            raise SpecError(f"expected a chain of the space {self.name}, received {spec}")
        return actions

    def describe(self, action: int) -> str:
        """Return the number."""
        return str(action)

    def config(self) -> dict[str, Any]:
        """Return the name, which identifies the space."""
        return {"space": self.name}


@dataclass(frozen=True)
class Problem:
    """A small space with a score for each of its networks.

    Attributes:
        space: The decisions.
        score: (decisions) -> score in [0, 1], or None for a child that fails.
    """

    space: SmallSpace
    score: Callable[[Actions], float | None]

    def best(self) -> float:
        """Return the largest score."""
        return max(score for end in self.space.ends() if (score := self.score(end)) is not None)

    def uniform_mean(self) -> float:
        """Return what uniform decisions score on average; a failed child counts as 0."""
        return self._mean(())

    def _mean(self, node: Actions) -> float:
        if self.space.is_terminal(node):
            score = self.score(node)
            return 0.0 if score is None else score
        options = np.flatnonzero(self.space.legal(node)).tolist()
        return sum(self._mean((*node, action)) for action in options) / len(options)


def _free(choices: int, steps: int) -> SmallSpace:
    """Return a space in which everything is legal."""
    every = tuple(range(choices))

    def options(node: Actions) -> Actions:
        return every if len(node) < steps else ()

    return SmallSpace(f"{choices} options, {steps} decisions", options, steps)


def bandit(right: int) -> Problem:
    """Of three decisions only the middle one matters: one of its five options is right."""
    return Problem(_free(5, 3), lambda actions: 0.9 if actions[1] == right else 0.3)


def failing(wrong: int) -> Problem:
    """Every network with one of five options in the middle fails; all others are equal."""
    return Problem(_free(5, 3), lambda actions: None if actions[1] == wrong else 0.5)


def constant() -> Problem:
    """Every network of a masked space is equally good: nothing is to be learned."""
    return Problem(_masked(), lambda actions: 0.5)


def graph() -> Problem:
    """A masked space with one best end; every decision before it must be right as well."""

    def score(actions: Actions) -> float:
        right = 0
        for action, wanted in zip(actions, (1, 3, 2), strict=False):
            if action != wanted:
                break
            right += 1
        return 0.3 + 0.2 * right

    return Problem(_masked(), score)


def _masked() -> SmallSpace:
    """Return a space with ends of unequal depth, where an option opens and closes others.

    0 ends at once after the first decision; 1 and 2 lead on to odd and to even numbers.
    """

    def options(node: Actions) -> Actions:
        if len(node) == 3 or (node and node[-1] == 0):
            return ()
        if not node:
            return (1, 2)
        if len(node) == 1:
            return (1, 3) if node[0] == 1 else (0, 2, 4)
        return (0, 2, 3) if node[-1] == 3 else (1, 4)

    return SmallSpace("masked", options, 3)
