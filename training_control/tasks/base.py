"""What a task is: examples, a model, a metric, a budget and a starting point."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nas_core.errors import UsageError
from training_control.controls import Hyperparameters
from training_control.data import TrainingData

PUBLISHED = Hyperparameters()  # lr 0.001, batch 32, dropout 0.5, 2 layers, 64 units
METRICS = ("accuracy", "f1", "mse")
MOST_EPOCHS = 1e6


@dataclass(frozen=True)
class Task:
    """A training to be controlled.

    Attributes:
        name: Short and unique; generated data say so in it.
        family: "image", "text", "tabular" or "regression".
        load: Returns the examples; may read files or download.
        build: Makes a `keras.Model` for the examples, from inputs to logits.
        metric: What a comparison reports: "accuracy", "f1" or "mse".
        epochs: Budget in passes over the training split, above 0, at most `MOST_EPOCHS`.
        start: First hyperparameters.
        generated: Whether the examples are made by a program.
        pretrained: Layers that start with the weights they were built with.
        warm_up_steps: Steps over which the learning rate rises to its value.
        model: The network as a user names it; "" for one of one's own.

    Raises:
        UsageError: On construction, for an unknown metric or a budget that is none.
    """

    name: str
    family: str
    load: Callable[[], TrainingData]
    build: Callable[[TrainingData], Any]
    metric: str = "accuracy"
    epochs: float = 10.0
    start: Hyperparameters = PUBLISHED
    generated: bool = False
    pretrained: tuple[str, ...] = ()
    warm_up_steps: int = 0
    model: str = ""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise UsageError(
                f"expected a metric among {', '.join(METRICS)}, received {self.metric}"
            )
        if not 0 < self.epochs <= MOST_EPOCHS:
            raise UsageError(
                f"expected a budget above 0 epochs, at most {MOST_EPOCHS:g}, received "
                f"{self.epochs}: try 10"
            )

    def interval(self, examples: int, decisions: int) -> int:
        """Return the training examples between two decisions.

        Args:
            examples: Of the training split.
            decisions: Intervals of the whole budget.
        """
        return max(1, round(self.epochs * examples / decisions))

    def starting_at(self, learning_rate: float) -> "Task":
        """Return the same task with another first learning rate."""
        return replace(self, start=replace(self.start, learning_rate=learning_rate))
