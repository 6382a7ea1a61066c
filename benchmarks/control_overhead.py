"""Share of a training's time that a controller takes, on the leaves CNN.

    python benchmarks/control_overhead.py

A frozen brain decides once an epoch inside `model.fit`. With learning on, `HyperParameterOptimizer`
is timed alone: it decides and is trained as often as in 100 epochs, on made-up losses and rewards,
and its mean time is divided by that of an epoch of the frozen run. Goals: at most 1 % and 5 %.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training_control import HyperParameterOptimizer, LearnedController
from training_control.observations import Measurement, Observer
from training_control.optimizer_agent import TrainingSpaces
from training_control.tasks.registry import make_task


def network(data: Any) -> keras.Model:
    layers = [
        keras.Input(data.train.inputs.shape[1:]),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(data.classes),
    ]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


def frozen(data: Any, epochs: int) -> dict[str, float]:
    """Fit under the default brain; the first epoch, which traces, does not count."""
    controller = LearnedController(verbose=False)
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter())
    )
    network(data).fit(
        data.train.inputs,
        data.train.targets,
        validation_data=(data.validation.inputs, data.validation.targets),
        epochs=epochs + 1,
        verbose=0,
        callbacks=[clock, controller],
    )
    epoch = float(np.median(np.diff(times)[1:]))
    decision = float(np.median([entry.seconds for entry in controller.log[1:]]))
    return {"epoch_seconds": epoch, "decision_seconds": decision, "share": decision / epoch}


def learning(epoch_seconds: float, epochs: int) -> dict[str, float]:
    """Decide and learn as often as in so many epochs, without them."""
    observer, rng = Observer(("learning_rate",)), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        config = {"brain_save_dir": str(Path(folder) / "brain")}
        optimizer = HyperParameterOptimizer(TrainingSpaces(), config)
        seen = observer.observe(Measurement(validation_loss=1.0))
        started = time.perf_counter()
        for number in range(epochs):
            new = optimizer.optimize_hyperparameters(seen)
            seen = observer.observe(Measurement(validation_loss=1 / (number + 1)))
            reward = float(rng.normal())
            optimizer.learn_from_intervention(seen, reward, new is not None)
        seconds = (time.perf_counter() - started) / epochs
    return {"agent_seconds_per_epoch": seconds, "share": seconds / epoch_seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="leaves")
    parser.add_argument("--preset", default="published", help="published: all images, 64x64")
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    data = make_task(given.task, preset=given.preset).load()
    still = frozen(data, given.epochs)
    print(
        json.dumps({"frozen": still, "learning": learning(still["epoch_seconds"], 100)}, indent=2)
    )


if __name__ == "__main__":
    main()
