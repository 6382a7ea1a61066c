"""What an import has read and has not yet split: images, labels, names, and what was left out."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas_core.errors import DataError

EXAMPLES = 5


@dataclass(frozen=True)
class Pool:
    """Images of one size with their labels, before they are split.

    Attributes:
        images: uint8 [N, H, W, C], C 1 or 3.
        labels: int64 [N], indices into `classes`.
        classes: Class names.
        names: What to call each image in a report, length N.
        split: uint8 [N]: 0 train, 1 validation, 2 test as supplied, or None.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    names: list[str]
    split: np.ndarray | None = None


@dataclass
class Dropped:
    """Why images were left out: for each reason a count and the first few names."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one image that was left out."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(name)

    def summary(self) -> dict[str, Any]:
        """Return {reason: {"count": n, "examples": [names]}}."""
        return {
            reason: {"count": count, "examples": self.examples[reason]}
            for reason, count in self.counts.items()
        }


def printable(name: str) -> str:
    """Return a file's or class's name for a terminal or picture: one line, no control codes."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def require_classes(classes: tuple[str, ...], where: str) -> None:
    """Refuse fewer than two classes.

    Raises:
        DataError: None or one class in `where`.
    """
    if len(classes) < 2:
        received = f"only the class {classes[0]!r}" if classes else "no class"
        raise DataError(
            f"expected at least two classes in {where}, received {received}: give every class its "
            "own folder or label, and name the folder that holds them"
        )
