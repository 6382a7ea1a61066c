"""`LearnedController`: a trained agent inside any `model.fit`.

from training_control import LearnedController

model.fit(x, y, validation_data=(xv, yv), epochs=20, callbacks=[LearnedController()])
"""

import math
import time
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nas_core.errors import NasError, RunError, UsageError
from training_control.brain import Brain
from training_control.interventions import Entry
from training_control.live_model import ACCURACY, LiveModel
from training_control.outputs import Outputs
from training_control.safety import EARLY
from training_control.steering import Seen, Steering, Verdict, describe, open_brain

AGENTS = ("brain", "off")
RISING = ("acc", "auc", "f1", "precision", "recall")  # parts of names of what is to rise
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)  # of a foreign state
COMPARABLE = "val_loss"  # the loss that `fit` also reports of the first batch


class LearnedController(keras.callbacks.Callback):
    """Sets the learning rate, and what else the model offers, as a brain has learned to.

    After each epoch (or every so many batches) it looks at the losses, decides, and goes back to
    the weights before when the validation loss exceeds 1.5 times its value before the decision or
    is not finite. A cut of the rate in the first quarter of the epochs goes back to the first
    weights if the validation loss is still 0.9 of the loss of the first batch or more. An error of
    its own ends its work, never the training.

    Attributes:
        log: Decisions so far, an `interventions.Entry` each; those before an interruption too.
    """

    def __init__(
        self,
        brain: str | Path | Brain = "default",
        *,
        agent: str = "brain",
        monitor: str = "val_loss",
        every: int | None = None,
        csv: str | Path | None = None,
        log_dir: str | Path | None = None,
        backup: str | Path | None = None,
        best: str | Path | None = None,
        verbose: bool = True,
    ) -> None:
        """Open a brain.

        Args:
            brain: "default", which comes with this package, or a brain's folder.
            agent: "off" does nothing at all: the run is the plain one, to the bit.
            monitor: Loss or error that is to fall, as `fit` names it; with another than "val_loss"
                no training begins again.
            every: Batches between two decisions, 1 or above; None decides after each epoch.
                Validation is known only after epochs, and only then is a rise rolled back.
            csv: File for the decisions; none when None.
            log_dir: TensorBoard folder for them; none when None.
            backup: File that keeps the controller's state from epoch to epoch, for a training that
                goes on after an interruption (with `keras.callbacks.BackupAndRestore`, before or
                after it in the list); an .npz beside it keeps the weights to go back to. Both are
                removed at the end.
            best: File, ending in `.keras`, for the model as it was after the epoch with the lowest
                monitored loss; the last model is what `fit` leaves. `backup` keeps that loss over
                an interruption.
            verbose: Whether to print what this model offers and each change.

        Raises:
            RunError: The brain is missing, damaged or has another schema.
            UsageError: A value out of range.
        """
        super().__init__()
        _check(agent, every, monitor)
        self.log: list[Entry] = []
        self._off = agent == "off"
        self._brain = None if self._off else open_brain(brain)
        self._monitor, self._every, self._verbose = monitor, every, verbose
        places = [None if p is None or self._off else Path(p) for p in (csv, log_dir, backup, best)]
        self._outputs = Outputs(*places)
        self._steering: Steering | None = None
        self._pending: dict[str, Any] | None = None
        self._epoch = self._step = 0
        self._sums = (0.0, 0)  # of the training loss at the last decision within this epoch
        self._held: float | None = None  # validation loss of the weights that are kept
        self._good: list[np.ndarray] | None = None  # snapshot to roll back to
        self._fresh: list[np.ndarray] | None = None  # first one, while it may be needed
        self._kept: list[np.ndarray] | None = None  # `_good` from before an interruption
        self._rate: float | None = None  # as the controller has left it
        self._starting = self._resumed = self._went_back = self._failed = False
        self._shared = False  # whether another hand has set the rate

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the model; raise for what cannot be controlled."""
        if self._off or self._brain is None:
            return
        self._live = LiveModel(self.model)
        values = self._live.values()
        self._steering = Steering(self._brain, values, self._live.available, self._live.known)
        self._held = self._good = self._fresh = self._kept = None
        self._starting, self._resumed, self._failed = True, False, False
        self._rate, self._shared = None, False
        found = self._outputs.kept()
        if found is not None:
            self._pending, self._kept = found
        if self._pending is not None:
            self._take_over(self._pending)
        if self._failed:
            self._say("off, after an error before the interruption")
            return
        live = self._live
        self._say(describe(self._brain, live.available, live.known, live.measured))
        if self._live.stale:
            self._say("compiled again: prepare(model) once more, for weight decay and norms")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start counting the epoch's batches; before the first, keep the weights."""
        self._sums = (0.0, 0)
        if self._starting and self._steering is not None:
            self._good = self._live.first_snapshot()  # after what others have loaded
            first = epoch == 0 and not self._resumed and self._live.shows_first_loss()
            self._fresh = self._good if first and self._monitor == COMPARABLE else None
            if self._resumed:
                self._go_on(epoch)
            self._adopt(self._steering)
        self._epoch = epoch

    def _go_on(self, epoch: int) -> None:
        """Set what another callback's backup does not know of, before the first epoch.

        Keras saves weights at the end of an epoch, which may be before the controller goes back
        from them. Its backup may also be an epoch older or newer than the controller's: then its
        weights stay, and the kept ones are only there to go back to.
        """
        if epoch != self._epoch:
            self._say(f"its state is from the end of epoch {self._epoch}, training is at {epoch}")
        if self._kept is not None and self._good is not None:
            self._live.check(self._kept)
            if self._went_back and epoch == self._epoch:
                self._live.restore(self._kept)
        self._good = self._good if self._kept is None else self._kept
        self._kept = None
        if self._steering is not None:
            self._set(self._steering)

    def _set(self, steering: Steering) -> None:
        self._live.set(steering.values)
        self._rate = self._live.values().learning_rate

    def _adopt(self, steering: Steering) -> None:
        """Go on from the rate as it is, whoever has set it; say so once, unless it is the first."""
        found, left = self._live.values().learning_rate, self._rate
        if found == left:
            return
        steering.adopt(found)
        self._rate = found
        if left is not None and not self._shared:
            self._shared = True
            warnings.warn(
                f"expected the learning rate as the controller left it, {left:.4g}, received "
                f"{found:.4g}: another callback sets it too (LearningRateScheduler, "
                "ReduceLROnPlateau?); the controller goes on from there; leave one of them out",
                RuntimeWarning,
                stacklevel=2,
            )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take in the loss before training; decide, if decisions are counted in batches."""
        self._step += 1
        if self._steering is None:
            return
        mean = float((logs or {}).get("loss", math.nan))
        if self._starting:
            self._steering.begin(None if self._fresh is None else mean)
            self._starting = False
        if self._every is None or self._step % self._every != 0:
            return
        loss = self._interval_loss(batch + 1, mean)
        known = self._held is not None and math.isfinite(self._held)
        if known or not math.isfinite(loss):
            held = loss if not math.isfinite(loss) or self._held is None else self._held
            progress = self._progress(batch + 1)
            self._guarded(Seen(held, loss, progress=progress, validated=False))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Decide on the next epoch."""
        self._epoch, self._went_back = epoch + 1, False
        self._outputs.keep_best(self.model, (logs or {}).get(self._monitor))
        seen = None if self._steering is None else self._seen(logs or {})
        if seen is not None:
            self._guarded(seen)
        if self._steering is None or self._progress(0) >= EARLY:
            self._fresh = None
        self._outputs.keep(self.state(), self._good)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remove the backup: the training is whole."""
        self._outputs.finish()

    def state(self) -> dict[str, Any]:
        """Return JSON values from which another controller goes on, between two epochs."""
        steering = {} if self._steering is None else self._steering.state()
        return {
            "steering": steering,
            "epoch": self._epoch,
            "step": self._step,
            "held": self._held,
            "went_back": self._went_back,
            "failed": self._failed,
            "best": self._outputs.lowest,
            "log": [entry.to_json() for entry in self.log],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken; before or during the next `fit`.

        Raises:
            RunError: It is no such state; before training, if it was given before.
        """
        self._pending = state
        if self._steering is not None:
            self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        try:
            self._take_values(state)
        except MALFORMED as error:
            raise RunError(
                f"expected the state of a controller, received another ({type(error).__name__}: "
                f"{error}): delete the backup to start without it, or name another"
            ) from error
        self._pending, self._fresh, self._resumed = None, None, True
        if self._failed:
            self._steering = None

    def _take_values(self, state: dict[str, Any]) -> None:
        if self._steering is not None and state["steering"]:
            self._steering.load_state(state["steering"])
            self._steering.begin(None)  # the first weights are those of another process
            self._set(self._steering)
        self._epoch, self._step = int(state["epoch"]), int(state["step"])
        self._held = None if state["held"] is None else float(state["held"])
        self._went_back, self._failed = bool(state["went_back"]), bool(state["failed"])
        self._outputs.take_lowest(state["best"])
        self.log = [Entry.from_json(row) for row in state["log"]]

    def _seen(self, logs: dict[str, Any]) -> Seen | None:
        """Return what an epoch has shown; None where `fit` has skipped validation."""
        if self._monitor not in logs:
            if self._held is not None:
                return None
            raise UsageError(
                f"expected {self._monitor!r} after the epoch, received {', '.join(logs)}: give fit "
                "validation_data, or the controller another monitor"
            )
        found = (v for k, v in logs.items() if k.startswith("val_") and ACCURACY in k)
        accuracy = next(found, None)
        return Seen(
            validation_loss=float(logs[self._monitor]),
            train_loss=float(logs["loss"]) if "loss" in logs else None,
            metric=None if accuracy is None else float(accuracy),
            gradient_norm=self._live.gradient_norm(),
            progress=self._progress(0),
        )

    def _progress(self, batches: int) -> float:
        epochs, steps = self.params.get("epochs", 1), self.params.get("steps")
        within = 0.0 if steps is None else batches / steps  # a generator's length may be unknown
        return min((self._epoch + within) / epochs, 1.0)

    def _interval_loss(self, batches: int, mean: float) -> float:
        """Return the mean loss since the last decision; Keras reports that of the epoch."""
        total, (before, count) = mean * batches, self._sums
        self._sums = (total, batches)
        return (total - before) / max(batches - count, 1)

    def _guarded(self, seen: Seen) -> None:
        """Decide; whatever goes wrong inside ends the controller, not the training."""
        started = time.perf_counter()
        try:
            self._decide(seen, started)
        except Exception as error:
            self._steering = self._good = None
            self._failed = True
            kind = "" if isinstance(error, NasError) else f"{type(error).__name__}: "
            warnings.warn(
                f"the controller is off from now on, training goes on with what is set: {kind}"
                f"{error}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _decide(self, seen: Seen, started: float) -> None:
        if self._steering is None:
            return
        self._adopt(self._steering)
        verdict = self._steering.decide(seen)
        before = self._live.values().values()
        self._set_weights(verdict)
        self._set(self._steering)
        if seen.validated:
            self._held = self._steering.loss
        changed = "; ".join(f"{n} {before[n]:.4g} -> {v:.4g}" for n, v in verdict.changed.items())
        entry = Entry(
            epoch=self._epoch,
            step=self._step,
            event=verdict.reason,
            changed=changed,
            learning_rate=verdict.values.learning_rate,
            validation_loss=seen.validation_loss,
            train_loss=seen.train_loss,
            seconds=time.perf_counter() - started,
        )
        self._report(entry, verdict.values.values())

    def _set_weights(self, verdict: Verdict) -> None:
        """Go back where the verdict says so; keep the weights to go back to next time."""
        if verdict.begin_again:
            self._good = self._fresh
        if not (verdict.begin_again or verdict.roll_back):
            self._good = self._live.snapshot()
        elif self._good is not None:
            self._live.restore(self._good)
            self._went_back = True

    def _report(self, entry: Entry, values: dict[str, Any]) -> None:
        self.log.append(entry)
        self._outputs.record(self.log, values, self._live.known)
        if entry.changed:
            self._say(f"epoch {entry.epoch}: {entry.event}: {entry.changed}")

    def _say(self, text: str) -> None:
        if self._verbose:
            print(f"controller: {text}", flush=True)


def _check(agent: str, every: int | None, monitor: str) -> None:
    """Refuse options that cannot be.

    Raises:
        UsageError: One of them.
    """
    if agent not in AGENTS or (every is not None and every < 1):
        raise UsageError(
            f"expected agent 'brain' or 'off' and 1 batch or more, received {agent!r} and {every!r}"
        )
    name = monitor.lower()
    if any(part in name for part in RISING) and not name.endswith("loss"):
        raise UsageError(
            f"expected a loss to monitor, which is to fall, received {monitor!r}: use 'val_loss', "
            "or the name of a metric that falls, such as 'val_mae'"
        )
