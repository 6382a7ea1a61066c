"""The search space of a table: a fixed number of decisions, each among named choices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_core.errors import SpecError
from nas_core.space import require_legal
from nas_core.spec import Spec, TableSpec

State = tuple[int, ...]  # the actions taken
PLACE = "{}"  # in a notation: where a decision's symbol stands
IMAGE = (32, 32, 3)  # both published tables are of CIFAR-10


@dataclass(frozen=True)
class Decision:
    """One decision of a table.

    Attributes:
        name: What is decided, such as ``edge 0>1``.
        choices: Names of what may be chosen, at least one, all different.
    """

    name: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Notation:
    """How a row is written.

    Attributes:
        template: Text with `PLACE` once for each decision.
        symbols: (choice, symbol) where the written symbol is not the choice's name.
    """

    template: str
    symbols: tuple[tuple[str, str], ...] = ()

    def write(self, choices: Sequence[str]) -> str:
        """Return the text of a row."""
        symbols = dict(self.symbols)
        first, *rest = self.template.split(PLACE)
        pairs = zip(choices, rest, strict=True)
        return first + "".join(symbols.get(choice, choice) + part for choice, part in pairs)


class TableSpace:
    """All combinations of the decisions' choices; nothing is ever masked but a foreign choice.

    Actions are numbered over all choices' names in the order in which they are first met, so
    that equal names mean equal actions in every decision.
    """

    def __init__(self, name: str, decisions: Sequence[Decision], notation: Notation) -> None:
        """Number the actions.

        Raises:
            SpecError: There is no decision, or one without different choices' names.
        """
        self.name = name
        self.decisions = tuple(decisions)
        self.image_shape = IMAGE
        self._notation = notation
        _check(self.decisions, notation)
        self._words = tuple(dict.fromkeys(c for d in self.decisions for c in d.choices))
        self._number = {word: action for action, word in enumerate(self._words)}
        self.n_actions = len(self._words)
        self.n_steps = len(self.decisions)
        self._masks = np.zeros((self.n_steps + 1, self.n_actions), bool)  # the last: terminal
        for row, decision in zip(self._masks, self.decisions, strict=False):
            row[[self._number[choice] for choice in decision.choices]] = True
        self._masks.flags.writeable = False
        self._codes = tuple({c: i for i, c in enumerate(d.choices)} for d in self.decisions)

    @property
    def size(self) -> int:
        """Number of architectures."""
        return math.prod(len(decision.choices) for decision in self.decisions)

    @property
    def fixed_masks(self) -> np.ndarray:
        """The masks of all decisions [n_steps, n_actions], whatever was decided before."""
        return self._masks[:-1]

    def initial(self) -> State:
        """Return the state with nothing decided."""
        return ()

    def is_terminal(self, state: State) -> bool:
        """Return whether every decision is taken."""
        return len(state) == self.n_steps

    def legal(self, state: State) -> np.ndarray:
        """Return bools [n_actions], not to be changed."""
        mask: np.ndarray = self._masks[len(state)]
        return mask

    def step(self, state: State, action: int) -> State:
        """Return the state after a legal action.

        Raises:
            SpecError: The action is no choice of this decision.
        """
        require_legal(self, state, action)
        return (*state, action)

    def key(self, state: State) -> tuple[int, tuple[int, ...]]:
        """Return the number of the decision, and how often each action was taken before it.

        The last action alone would hide all earlier ones from a tabular agent, which then could
        not tell what they are worth; whole prefixes are met too rarely to be learned.
        """
        return len(state), tuple(state.count(action) for action in range(self.n_actions))

    def spec(self, state: State) -> Spec:
        """Return the row of a complete state."""
        choices = tuple(self._words[action] for action in state)
        return TableSpec(self.name, choices, self._notation.write(choices))

    def encode(self, spec: Spec) -> tuple[int, ...]:
        """Return the actions that lead to `spec`.

        Raises:
            SpecError: It is no row of this table.
        """
        self.row(spec)
        return tuple(self._number[choice] for choice in _choices(spec))

    def row(self, spec: Spec) -> int:
        """Return the number of a row in [0, size): its choices as digits, the first one leading.

        Raises:
            SpecError: It is no row of this table.
        """
        choices = _choices(spec)
        if len(choices) != self.n_steps or getattr(spec, "table", None) != self.name:
            raise self._foreign(spec)
        number = 0
        for codes, choice in zip(self._codes, choices, strict=True):
            if choice not in codes:
                raise self._foreign(spec)
            number = number * len(codes) + codes[choice]
        return number

    def codes(self) -> np.ndarray:
        """Return the codes of all rows [size, n_steps]: places among the decisions' choices."""
        sizes = [len(decision.choices) for decision in self.decisions]
        return np.indices(sizes).reshape(len(sizes), -1).T

    def texts(self) -> list[str]:
        """Return the texts of all rows, in their order."""
        return [self._notation.write(self._chosen(row)) for row in self.codes().tolist()]

    def text(self, row: int) -> str:
        """Return the text of one row."""
        sizes = [len(decision.choices) for decision in self.decisions]
        codes = [int(code) for code in np.unravel_index(row, sizes)]
        return self._notation.write(self._chosen(codes))

    def _chosen(self, codes: Sequence[int]) -> tuple[str, ...]:
        pairs = zip(self.decisions, codes, strict=True)
        return tuple(decision.choices[code] for decision, code in pairs)

    def _foreign(self, spec: Spec) -> SpecError:
        return SpecError(
            f"expected an architecture of the table {self.name}, received {spec.to_text()}: "
            "it is not in the table"
        )

    def describe(self, action: int) -> str:
        """Return the choice's name."""
        return self._words[action]

    def decision_name(self, number: int) -> str:
        """Return what decision `number` is about."""
        return self.decisions[number].name

    def config(self) -> dict[str, Any]:
        """Return what identifies the space."""
        return {"space": self.name, "decisions": [[d.name, *d.choices] for d in self.decisions]}


def _choices(spec: Spec) -> tuple[str, ...]:
    return spec.choices if isinstance(spec, TableSpec) else ()


def _check(decisions: tuple[Decision, ...], notation: Notation) -> None:
    if not decisions:
        raise SpecError("expected at least one decision in the table, received none")
    for decision in decisions:
        if not decision.choices or len(set(decision.choices)) != len(decision.choices):
            raise SpecError(
                f"expected different choices at {decision.name!r}, received "
                f"{', '.join(decision.choices) or 'none'}: correct the table"
            )
    places = notation.template.count(PLACE)
    if places != len(decisions):
        raise SpecError(f"expected a notation for {len(decisions)} decisions, received {places}")
