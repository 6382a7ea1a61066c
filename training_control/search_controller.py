"""A brain that steers the children of an architecture search: the learning rate, each epoch."""

import math
from dataclasses import replace
from typing import Any

from nas_core.trainer.base import Epoch
from training_control.controls import OPTIMIZERS, Hyperparameters
from training_control.steering import Seen, Steering, open_brain

KNOWN = ("learning_rate", "optimizer")


class SearchController:
    """See `nas_core.trainer.control.Controller`; an error of its own ends its work alone."""

    def __init__(self, brain: str, rate: float, optimizer: str) -> None:
        """Open a brain for one training.

        Args:
            brain: "default", or a folder.
            rate: Learning rate that the training starts with.
            optimizer: Of the recipe.

        Raises:
            RunError: There is no such brain, or it is damaged.
        """
        known = KNOWN if optimizer in OPTIMIZERS else KNOWN[:1]
        values = Hyperparameters(learning_rate=rate)
        if optimizer in OPTIMIZERS:
            values = replace(values, optimizer=optimizer)
        self._steering = Steering(open_brain(brain), values, KNOWN[:1], known)
        self._log: list[dict[str, Any]] = []
        self._off = self._begins_again = False

    @property
    def rate(self) -> float:
        """Learning rate of the next epoch."""
        return self._steering.values.learning_rate

    @property
    def interventions(self) -> list[dict[str, Any]]:
        """What it has done, oldest first; epochs in which it kept everything are left out."""
        return [dict(entry) for entry in self._log]

    @property
    def begins_again(self) -> bool:
        """Whether the next epoch is to start from the first weights."""
        return self._begins_again

    def begin(self, loss: float) -> None:
        """Take in the validation loss before training."""
        self._steering.begin(loss)

    def see(self, epoch: Epoch, number: int, epochs: int) -> bool:
        """Take in an epoch; return whether the weights are to go back."""
        self._begins_again = False
        if self._off:
            return False
        loss = epoch.val_loss if math.isfinite(epoch.loss) else math.inf
        seen = Seen(loss, epoch.loss, epoch.val_accuracy, None, number / epochs)
        try:
            verdict = self._steering.decide(seen)
        except Exception as error:
            self._off = True
            self._note(number, f"off: {type(error).__name__}: {error}"[:200])
            return False
        self._begins_again = verdict.begin_again
        if verdict.changed:
            self._note(number, verdict.reason)
        return verdict.roll_back

    def _note(self, number: int, event: str) -> None:
        self._log.append({"epoch": number, "event": event, "learning_rate": self.rate})

    def state(self) -> dict[str, Any]:
        """Return JSON values for a checkpoint."""
        return {
            "steering": self._steering.state(),
            "log": self._log,
            "off": self._off,
            "begins_again": self._begins_again,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state`'s values."""
        self._steering.load_state(state["steering"])
        self._log, self._off = list(state["log"]), state["off"]
        self._begins_again = state["begins_again"]
