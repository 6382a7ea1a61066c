"""An architecture of a published table: the choices at its decisions, and its published name."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from nas_core.errors import SpecError
from nas_core.spec.digest import canonical_digest

MOST_CHOICES = 512


@dataclass(frozen=True)
class TableSpec:
    """One row of a table. It is never simplified: isomorphic rows were measured apart.

    Attributes:
        table: Name of the table's space, such as ``nasbench201``.
        choices: Name of the choice at each decision, in order.
        text: The row's published name; it says the same as `choices`.

    Raises:
        SpecError: On construction, if a name is missing.
    """

    type: ClassVar[str] = "table"
    table: str
    choices: tuple[str, ...]
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        words = (self.table, self.text, *self.choices)
        fine = all(isinstance(word, str) and word != "" for word in words)
        if not fine or not 1 <= len(self.choices) <= MOST_CHOICES:
            raise SpecError(
                f"expected a table's name, 1 to {MOST_CHOICES} choices and a text, received "
                f"{self.table!r}, {self.choices!r} and {self.text!r}: correct the file"
            )

    @cached_property
    def digest(self) -> str:
        """The row's name; the text, which adds nothing, is left out."""
        return canonical_digest(
            {"type": self.type, "table": self.table, "choices": list(self.choices)}
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that `from_json` reads back to an equal specification."""
        return {
            "type": self.type,
            "table": self.table,
            "choices": list(self.choices),
            "text": self.text,
        }

    @classmethod
    def from_json(cls, value: Any) -> "TableSpec":
        """Build a row from `to_json`'s values.

        Raises:
            SpecError: A key is unknown or missing, or a value is no name.
        """
        wanted = {"type", "table", "choices", "text"}
        if not isinstance(value, dict) or set(value) != wanted:
            raise SpecError(f"expected the keys {', '.join(sorted(wanted))}, received {value!r}")
        choices = value["choices"]
        if not isinstance(choices, list):
            raise SpecError(f"expected a list of choices, received {choices!r}: correct the file")
        return cls(value["table"], tuple(choices), value["text"])

    def to_text(self) -> str:
        """Return the published name, such as ``|nor_conv_3x3~0|+|...|``."""
        return self.text
