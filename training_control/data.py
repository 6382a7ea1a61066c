"""The arrays of one task: three splits, and what its targets are."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nas_core.errors import DataError


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs [N, ...] and targets: integer labels int32 [N], or float32 [N] of a regression."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """One task's examples.

    Attributes:
        train: What the network learns from.
        validation: What the agent sees and is paid for.
        test: What only the final score sees.
        classes: Number of classes; None for a regression.
        vocabulary: Number of tokens of a text task; None for others.

    Raises:
        DataError: On construction, if the splits do not fit one another.
    """

    train: Examples
    validation: Examples
    test: Examples
    classes: int | None
    vocabulary: int | None = None

    def __post_init__(self) -> None:
        shape = self.train.inputs.shape[1:]
        for name in ("train", "validation", "test"):
            split: Examples = getattr(self, name)
            if len(split) == 0 or len(split.inputs) != len(split):
                raise DataError(
                    f"expected a target for each of the {name} inputs, received "
                    f"{len(split.inputs)} inputs and {len(split)} targets: give one of each or more"
                )
            if split.inputs.shape[1:] != shape:
                raise DataError(
                    f"expected {name} inputs of shape {list(shape)}, received "
                    f"{list(split.inputs.shape[1:])}: give all splits the same"
                )
            self._check_values(name, split)

    def _check_values(self, name: str, split: Examples) -> None:
        for array in (split.inputs, split.targets):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(
                    f"expected finite numbers in the {name} split, received NaN or infinity: "
                    "fill in missing values first"
                )
        if self.classes is not None and not (
            split.targets.dtype.kind in "iu"
            and split.targets.min() >= 0
            and split.targets.max() < self.classes
        ):
            raise DataError(
                f"expected integer labels from 0 to {self.classes - 1} in the {name} split, "
                f"received {split.targets.min()} to {split.targets.max()}: number the classes"
            )


def assembled(
    parts: Iterable[Examples], classes: int | None, vocabulary: int | None = None
) -> TrainingData:
    """Return a task of its train, validation and test examples, in this order."""
    train, validation, test = parts
    return TrainingData(train, validation, test, classes, vocabulary)
