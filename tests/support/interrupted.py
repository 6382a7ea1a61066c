"""A retraining that is killed with its whole process group again and again, beside one that is not.

Both run at the same time, one training at a time on one thread each, so that what else the machine
does slows both alike. The children have sessions of their own: they must end with their driver.
"""

import io
import json
import os
import random
import signal
import subprocess
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from command_line import NAS, nas

from nas_core.datasets import Split, write_dataset
from nas_core.trainer import checkpoint

CLASSES = ("a", "b", "c", "d")


def write_data(folder: Path, per_class: int) -> None:
    """Write noisy 16x16 images of four classes that differ in where they are bright."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", per_class), ("validation", 40), ("test", 40)):
        labels = np.repeat(np.arange(4), count).astype(np.int32)
        images = rng.integers(0, 200, (len(labels), 16, 16, 3))
        for label in range(4):
            images[labels == label, 4 * label : 4 * label + 4] += 40
        splits[name] = Split(images.astype(np.uint8), labels)
    write_dataset(folder, splits, CLASSES, source="test")


def prepare(folder: Path, per_class: int, runs: tuple[str, ...] = ("whole", "parts")) -> None:
    """Write the data set, and the same run on the mock for each retraining."""
    write_data(folder / "data", per_class)
    for name in runs:
        nas("search", "metaqnn", "--trainer", "mock", "--trials", 6, "--control", "random",
            "--run", name, cwd=folder)  # fmt: skip


def command(run: str, epochs: int) -> list[str]:
    words = ["retrain", run, "--top", "1", "--data", "data", "--workers", "1", "--epochs"]
    return [*NAS, *words, str(epochs)]


@dataclass
class Sitting:
    """One retraining, started as often as need be.

    Attributes:
        seconds: From the first start to the end; 0 before it.
        kills: How often its group was killed.
        kept: How often a checkpoint was there then.
    """

    folder: Path
    run: str
    epochs: int
    least: str | None
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    kills: int = 0
    kept: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k != checkpoint.VARIABLE}
        if self.least is not None:
            environment[checkpoint.VARIABLE] = self.least
        with (self.folder / f"{self.run}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command(self.run, self.epochs), cwd=self.folder, stdout=log, stderr=log,
                env=environment, start_new_session=True,
            )  # fmt: skip

    def ended(self) -> bool:
        code = self.process.poll()
        if code is None:
            return False
        if code != 0:
            raise RuntimeError((self.folder / f"{self.run}.log").read_text()[-2000:])
        if self.seconds == 0.0:
            self.seconds = time.monotonic() - self.began
        return True

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.kills += 1
        manifests = (self.folder / self.run / checkpoint.CHECKPOINTS).glob("*/*.json")
        self.kept += any(True for _ in manifests)
        self.start()


def race(
    folder: Path, epochs: int, kills: list[float], least: str | None = None
) -> tuple[Sitting, Sitting]:
    """Run both to their ends.

    Args:
        folder: As `prepare` left it.
        epochs: Of each of the two trainings of a retraining.
        kills: When to kill the second, in seconds since its start, ascending.
        least: Least seconds between two of its checkpoints; None for the usual rule.
    """
    both = Sitting(folder, "whole", epochs, None), Sitting(folder, "parts", epochs, least)
    waiting = list(kills)
    while not all([sitting.ended() for sitting in both]):
        now = time.monotonic() - both[1].began
        if waiting and now >= waiting[0] and not both[1].ended():
            waiting.pop(0)
            both[1].kill()
        time.sleep(0.1)
    return both


def spread(kills: int, seconds: float, seed: int) -> list[float]:
    """Return moments of kills: one somewhere in the middle of each equal part of the time."""
    rng = random.Random(seed)
    return [seconds * (number + 0.25 + 0.5 * rng.random()) / kills for number in range(kills)]


def weights(model: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a `.keras` file by name."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item)

    with zipfile.ZipFile(model) as archive:
        data = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(keep)
    return found


def difference(folder: Path) -> float:
    """Return the largest difference of any weight, score or point of a curve; inf for other names."""
    largest = 0.0
    models = sorted((folder / "whole" / "models").glob("*.keras"))
    others = sorted((folder / "parts" / "models").glob("*.keras"))
    if not models or [m.name for m in models] != [m.name for m in others]:
        return float("inf")
    for one, other in zip(models, others, strict=True):
        first, second = weights(one), weights(other)
        if first.keys() != second.keys():
            return float("inf")
        largest = max([largest, *(float(np.abs(first[n] - second[n]).max()) for n in first)])
        told = [json.loads(m.with_suffix(".json").read_text())["result"] for m in (one, other)]
        curves = [np.array([[r["score"]] * 5, *r["curve"]], float) for r in told]
        largest = max(largest, float(np.abs(curves[0] - curves[1]).max()))
    return largest


def tidy(folder: Path) -> bool:
    """Return whether no checkpoint is left behind: every training has come to its end."""
    return not (folder / "parts" / checkpoint.CHECKPOINTS).exists()
