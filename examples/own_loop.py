"""A training loop of your own under an agent that goes on learning from run to run.

    python examples/own_loop.py --epochs 30 --folder runs/own_loop
    python examples/own_loop.py --task cifar10 --data cifar10.npz --config examples/own_loop.toml
    tensorboard --logdir runs/own_loop/logs

Run it again: the agent goes on from the brain that it saved, on a fresh network. The folder holds
the brain, logs of every run, the last network (last.keras) and the best of all runs (best.keras).
Needs `pip install '.[control]'`.
"""

import argparse
import math
import tomllib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nas_core.errors import NasError
from training_control import HyperParameterOptimizer, prepare
from training_control.controls import Hyperparameters
from training_control.interventions import Entry, TensorBoardLog
from training_control.live_model import LiveModel
from training_control.observations import Measurement, Observer
from training_control.optimizer_agent import TrainingSpaces
from training_control.rewards import Interval, Rewarder
from training_control.tasks.registry import make_task

CONTROLS = ("learning_rate", "dropout", "weight_decay")
CONFIG = Path(__file__).with_name("own_loop.toml")


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


def run(data: Any, epochs: int, folder: Path, config: Path = CONFIG) -> dict[str, Any]:
    """Train one network; return its last accuracy and how the agent stands."""
    keras.utils.set_random_seed(0)
    train, held = data.train, data.validation
    model = network(train.inputs.shape[1:], data.classes)
    live = LiveModel(model)
    start = live.values()
    optimizer = HyperParameterOptimizer(TrainingSpaces(CONTROLS, start), settings(config, folder))
    resumed = optimizer.load_brain()
    optimizer.values = start  # the brain is that of an earlier run, the network is new
    print(f"the agent {'goes on from its brain' if resumed else 'begins anew'}")
    logs_of_run = new_logs(folder)
    board, told = (
        keras.callbacks.TensorBoard(str(logs_of_run)),
        TensorBoardLog(logs_of_run / "agent"),
    )
    best = best_before(folder, model, held)
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
        log(told, model, logs, new or {}, live.values(), reward, optimizer.adaptation.threshold)
        if logs["val_loss"] < best:
            best = logs["val_loss"]
            model.save(folder / "best.keras")
        print(f"epoch {epoch + 1}: {logs['val_accuracy']:.3f}, reward {reward:+.3f}, {new or '-'}")
    model.save(folder / "last.keras")
    optimizer.save_brain()
    return {"resumed": resumed, "accuracy": logs["val_accuracy"], "agent": optimizer.adaptation}


def settings(config: Path, folder: Path) -> dict[str, Any]:
    """Return a TOML file's settings of the agent, with its brain inside the folder."""
    with config.open("rb") as file:
        found = tomllib.load(file)
    return {**found, "brain_save_dir": str(folder / found.get("brain_save_dir", "brain"))}


def new_logs(folder: Path) -> Path:
    """Return a folder for the logs of this run, beside those of earlier ones."""
    return folder / "logs" / f"run-{len(list((folder / 'logs').glob('run-*'))) + 1}"


def best_before(folder: Path, model: keras.Model, held: Any) -> float:
    """Return the validation loss of the best network of earlier runs; infinity without one."""
    path = folder / "best.keras"
    if not path.exists():
        return math.inf
    before = keras.models.load_model(path)
    if (before.input_shape, before.output_shape) != (model.input_shape, model.output_shape):
        return math.inf  # of other data
    return before.evaluate(held.inputs, held.targets, verbose=0, return_dict=True)["loss"]


def log(
    board: TensorBoardLog,
    model: keras.Model,
    logs: dict[str, float],
    new: dict[str, Any],
    values: Hyperparameters,
    reward: float,
    threshold: float,
) -> None:
    """Write what the agent has done, the values it left, its reward and its threshold."""
    step = int(model.optimizer.iterations)
    event, changed = "changed" if new else "kept", "; ".join(f"{n} {v}" for n, v in new.items())
    entry = Entry(
        step, step, event, changed, values.learning_rate, logs["val_loss"], logs["loss"], 0.0
    )
    scalars = {**values.values(), "reward": float(reward), "threshold": threshold}
    board.write(entry, scalars, (*CONTROLS, "reward", "threshold"))


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
    parser.add_argument("--data", help="a file, folder or name, in place of the task's own")
    parser.add_argument("--config", type=Path, default=CONFIG, help="TOML file of the agent")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path("runs/own_loop"))
    given = parser.parse_args()
    try:
        data = make_task(given.task, data=given.data).load()
        result = run(data, given.epochs, given.folder, given.config)
    except (NasError, OSError, tomllib.TOMLDecodeError) as error:
        parser.exit(1, f"own_loop: {error}\n")
    print(f"validation accuracy {result['accuracy']:.3f}; {result['agent']}")


if __name__ == "__main__":
    main()
