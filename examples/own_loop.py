"""A training loop of your own under an agent that goes on learning from run to run.

    python examples/own_loop.py --epochs 30 --folder runs/own_loop
    tensorboard --logdir runs/own_loop

Run it again: the agent goes on from the brain that it saved, on a fresh network. Needs
`pip install '.[control]'`.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training_control import HyperParameterOptimizer, prepare
from training_control.controls import Hyperparameters
from training_control.live_model import LiveModel
from training_control.observations import Measurement, Observer
from training_control.optimizer_agent import TrainingSpaces
from training_control.rewards import Interval, Rewarder
from training_control.tasks.registry import make_task

CONTROLS = ("learning_rate", "dropout", "weight_decay")


def network(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return a compiled Conv-Pool-Conv-Pool-Dense network whose values can be turned."""
    layers = [
        keras.Input(shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(classes),
    ]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return prepare(model)


def run(data: Any, epochs: int, folder: Path) -> dict[str, Any]:
    """Train one network; return its last accuracy and how the agent stands."""
    keras.utils.set_random_seed(0)
    train, held = data.train, data.validation
    model = network(train.inputs.shape[1:], data.classes)
    live = LiveModel(model)
    start = live.values()
    optimizer = HyperParameterOptimizer(
        TrainingSpaces(CONTROLS, start),
        {"brain_save_dir": str(folder / "brain"), "intervention_threshold": 0.4},
    )
    resumed = optimizer.load_brain()
    optimizer.values = start  # the brain is that of an earlier run, the network is new
    board = keras.callbacks.TensorBoard(str(folder / "fit"))
    first = model.evaluate(held.inputs, held.targets, verbose=0, return_dict=True)
    observer, rewarder = Observer(live.available), Rewarder(first["loss"])
    seen = observed(observer, live.values(), {"val_loss": first["loss"]}, None, 0.0, False)
    logs: dict[str, float] = {}
    for epoch in range(epochs):
        new = optimizer.optimize_hyperparameters(seen)  # None: do not intervene
        if new is not None:
            live.set(optimizer.values)
        history = model.fit(
            train.inputs,
            train.targets,
            validation_data=(held.inputs, held.targets),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            callbacks=[board],
        )
        logs = {name: values[-1] for name, values in history.history.items()}
        progress, intervened = (epoch + 1) / epochs, new is not None
        norm = live.gradient_norm()
        seen = observed(observer, live.values(), logs, norm, progress, intervened)
        ended = epoch + 1 == epochs
        reward = rewarder.reward(
            Interval(logs["val_loss"], intervened, ended=ended, final_loss=logs["val_loss"])
        )
        optimizer.learn_from_intervention(seen, reward, intervened, ended=ended)
        print(f"epoch {epoch + 1}: {logs['val_accuracy']:.3f}, reward {reward:+.3f}, {new or '-'}")
    optimizer.save_brain()
    return {"resumed": resumed, "accuracy": logs["val_accuracy"], "agent": optimizer.adaptation}


def observed(
    observer: Observer,
    values: Hyperparameters,
    logs: dict[str, float],
    gradient_norm: float | None,
    progress: float,
    intervened: bool,
) -> np.ndarray:
    """Return what the agent sees."""
    known = {name: getattr(values, name) for name in (*CONTROLS, "optimizer")}
    return observer.observe(
        Measurement(
            hyperparameters=known,
            train_loss=logs.get("loss"),
            validation_loss=logs["val_loss"],
            metric=logs.get("val_accuracy"),
            gradient_norm=gradient_norm,
            progress=progress,
            intervened=intervened,
        )
    )


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="leaves", help="leaves, cifar10, or generated-digits")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path("runs/own_loop"))
    given = parser.parse_args()
    result = run(make_task(given.task).load(), given.epochs, given.folder)
    before = "went on from its brain" if result["resumed"] else "began anew"
    print(f"the agent {before}; validation accuracy {result['accuracy']:.3f}; {result['agent']}")


if __name__ == "__main__":
    main()
