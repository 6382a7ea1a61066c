"""A controller of trainings, by name: packages register theirs, none is imported here.

The entry-point group is ``nas.controllers``; the entry ``brain`` opens a saved one.
"""

from importlib.metadata import entry_points
from typing import Any, Protocol

from nas_core.errors import UsageError
from nas_core.trainer.base import Epoch

GROUP = "nas.controllers"
ENTRY = "brain"
CONTROLLED = "controller"  # in a result's details


class Controller(Protocol):
    """Decides on the learning rate after each epoch of one training.

    Attributes:
        rate: Learning rate of the next epoch.
        interventions: What it has done: JSON values with ``epoch``, ``event`` and
            ``learning_rate``.
        begins_again: Whether the next epoch is to start from the first weights.
    """

    @property
    def rate(self) -> float:
        """See above."""

    @property
    def interventions(self) -> list[dict[str, Any]]:
        """See above."""

    @property
    def begins_again(self) -> bool:
        """See above."""

    def begin(self, loss: float) -> None:
        """Take in the validation loss before training, which may not be finite."""

    def see(self, epoch: Epoch, number: int, epochs: int) -> bool:
        """Take in an epoch and decide on the next.

        Args:
            epoch: As it went; losses may not be finite.
            number: Of the epoch, from 1.
            epochs: Of the whole training.

        Returns:
            Whether the weights are to go back to where they were before this epoch.
        """

    def state(self) -> dict[str, Any]:
        """Return JSON values for a checkpoint."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state`'s values."""


def open_controller(brain: str, rate: float, optimizer: str) -> Controller:
    """Return a controller for one training.

    Args:
        brain: "default", or a folder.
        rate: Learning rate that the training starts with.
        optimizer: "adam", "adamw" or "sgd".

    Raises:
        UsageError: No installed package controls trainings.
        NasError: There is no such brain, or it is damaged.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == ENTRY:
            controller: Controller = entry.load()(brain, rate, optimizer)
            return controller
    raise UsageError(
        "expected a package that controls trainings, found none installed: install this project "
        "with pip again, or leave the controller out"
    )


def check_controller(brain: str | None, rate: float, optimizer: str) -> None:
    """Open a controller once, so that a wrong one is told before anything is trained.

    Args:
        brain: As for `open_controller`; None for no controller.
        rate: As for `open_controller`.
        optimizer: As for `open_controller`.

    Raises:
        UsageError: As for `open_controller`.
        NasError: As for `open_controller`.
    """
    if brain is not None:
        open_controller(brain, rate, optimizer)
