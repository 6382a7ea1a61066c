"""What does parts of a comparison in tests: at once, or with the trouble that its name says."""

import os
import signal
from dataclasses import dataclass, replace

from nas_core.errors import DataError
from training_control.comparison.records import Record
from training_control.comparison.side_by_side import Kept, Part

SEEDS = 3
TRAINING = Record(
    key="", task="", method="", initial_lr=1e-3, seed=0, parameters={}, metric="accuracy",
    value=0.9, score=0.9, metrics={"accuracy": 0.9}, validation_loss=0.3, losses=[2.0, 0.3],
    train_losses=[1.0], hyperparameters={"learning_rate": [1e-3]}, epochs=1.0, decisions=1,
    examples=100, seconds=1.5, agent_seconds=0.1, interventions=1, rollbacks=0, crashed=False,
)  # fmt: skip


@dataclass(frozen=True)
class PartDoer:
    """Does three trainings of a part; ``trouble`` comes after the first one of method "bad"."""

    trouble: str = ""

    def do(self, part: Part, records: Kept) -> None:
        number, method = part
        for seed in range(SEEDS):
            key = f"{number} {method} {seed}"
            if records.get(key) is None:
                records.open_test(f"task {number}", "digest")
                records.add(replace(TRAINING, key=key, task=f"task {number}", method=method))
            if method == "bad":
                self._fail()

    def _fail(self) -> None:
        if self.trouble == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble == "data":
            raise DataError("expected examples, received none")
        if self.trouble == "bug":
            raise ZeroDivisionError("by zero")
