"""How hard *leaves* is: colour and single pixels must not do, a good network must, design matters.

    python benchmarks/leaves_calibration.py            # prints the table, about ten minutes
    python benchmarks/leaves_calibration.py --write    # and puts it into data/README.md

Bars: logistic regression on pixels and on a hue histogram at most 45 % test; a plain convolutional
network at least 93 % test after full training; random networks of MetaQNN's quick space, trained as
the quick search does, spread by at least 8 points (standard deviation of validation accuracy).
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

from nas_core.datasets import DatasetInfo, load_split, resolve
from nas_core.datasets.test_split import open_test
from nas_core.files import write_text
from nas_core.seeding import derived_seed, generator

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "data" / "README.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
CLASSES = 10
HUES = 32
SIZE = 32
EPOCHS = 20
BATCH = 64


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    validation: str
    test: str
    bar: str
    seconds: float  # of processor time, all threads together


@dataclass(frozen=True)
class Data:
    """Images uint8 [N, H, W, 3] and labels of train, validation and test, in this order."""

    images: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]


def read(info: DatasetInfo, run: Path) -> Data:
    """Read all three splits; the opening of the test split is recorded in `run`."""
    run.mkdir(parents=True, exist_ok=True)
    test = open_test(info, run=run, reason="calibration of the data set: fixed baselines")
    splits = (load_split(info, "train"), load_split(info, "validation"), test)
    return Data(
        tuple(np.asarray(split.images) for split in splits), tuple(split.labels for split in splits)
    )


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Average areas: uint8 [N, H, W, 3] to float32 [N, size, size, 3]."""
    block = images.shape[1] // size
    shape = (len(images), size, block, size, block, 3)
    return images.reshape(shape).mean(axis=(2, 4), dtype=np.float32)


def hue_histogram(images: np.ndarray) -> np.ndarray:
    """Count the hues of each image: float32 [N, HUES], parts of its pixels."""
    pixels = images.reshape(len(images), -1, 3).astype(np.float32)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    most = pixels.max(axis=2)
    chroma = most - pixels.min(axis=2) + 1e-6
    hue = np.where(
        most == red,
        ((green - blue) / chroma) % 6,
        np.where(most == green, (blue - red) / chroma + 2, (red - green) / chroma + 4),
    )
    cells = np.clip((hue * HUES / 6).astype(int), 0, HUES - 1)
    counts = [np.bincount(cell, minlength=HUES) for cell in cells]
    return np.stack(counts).astype(np.float32) / pixels.shape[1]


def logistic_regression(data: Data, features: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Return [validation, test] accuracy, the L2 penalty being the best on validation."""
    flat = [features(images).reshape(len(images), -1) for images in data.images]
    mean, std = flat[0].mean(axis=0), flat[0].std(axis=0) + 1e-6
    flat = [np.hstack([(x - mean) / std, np.ones((len(x), 1), np.float32)]) for x in flat]
    best = [0.0, 0.0]
    for penalty in (1e-2, 1e-1, 1.0):
        weights = descend(flat[0], np.eye(CLASSES, dtype=np.float32)[data.labels[0]], penalty)
        scores = [
            float(((x @ weights).argmax(axis=1) == y).mean())
            for x, y in zip(flat[1:], data.labels[1:], strict=True)
        ]
        best = max(best, scores, key=lambda pair: pair[0])
    return best


def descend(x: np.ndarray, target: np.ndarray, penalty: float, steps: int = 200) -> np.ndarray:
    """Minimise softmax cross-entropy plus penalty/2 |W|^2 by Nesterov's accelerated gradient."""
    vector = np.ones(x.shape[1], np.float32)
    for _ in range(30):  # power iteration: the largest eigenvalue bounds the curvature
        vector = x.T @ (x @ vector)
        vector /= np.linalg.norm(vector)
    rate = 1 / (0.5 * float(np.linalg.norm(x @ vector)) ** 2 / len(x) * 1.05 + penalty)
    weights = ahead = np.zeros((x.shape[1], target.shape[1]), np.float32)
    momentum = 1.0
    for _ in range(steps):
        scores = x @ ahead
        exps = np.exp(scores - scores.max(axis=1, keepdims=True))
        slope = x.T @ (exps / exps.sum(axis=1, keepdims=True) - target) / len(x) + penalty * ahead
        following = ahead - rate * slope
        grown = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = following + (momentum - 1) / grown * (following - weights)
        weights, momentum = following, grown
    return weights


def augmented(images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Turn, flip and shift every image [N, S, S, 3] at random."""
    turned = images.copy()
    way = draws.integers(0, 8, len(images))
    for number in range(8):
        chosen = way == number
        picture = np.rot90(images[chosen], number % 4, axes=(1, 2))
        turned[chosen] = picture[:, :, ::-1] if number >= 4 else picture
    padded = np.pad(turned, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    places = draws.integers(0, 5, (len(images), 2))
    return np.stack(
        [p[y : y + SIZE, x : x + SIZE] for p, (y, x) in zip(padded, places.tolist(), strict=True)]
    )


def plain_network(data: Data, seed: int = 0, epochs: int = EPOCHS) -> list[float]:
    """Train three stages of two 3x3 convolutions at 32x32; return [validation, test] accuracy."""
    import keras

    keras.backend.clear_session()
    images = [np.rint(shrink(x, SIZE)).astype(np.uint8) for x in data.images]
    one_hot = [np.eye(CLASSES, dtype=np.float32)[y] for y in data.labels]
    model = build_network(derived_seed(seed, "calibration weights"))
    steps = epochs * (len(images[0]) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, steps * 9 // 10, warmup_target=3e-3, warmup_steps=steps // 10
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.02),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics=["accuracy"],
    )
    draws = generator(seed, "calibration augmentation")
    for epoch in range(epochs):
        order = draws.permutation(len(images[0]))[: steps // epochs * BATCH]
        model.fit(
            augmented(images[0][order], draws), one_hot[0][order], batch_size=BATCH, epochs=1,
            shuffle=False, verbose=0,
        )  # fmt: skip
        print(f"epoch {epoch + 1} of {epochs}", flush=True)
    return [
        float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())
        for x, y in zip(images[1:], data.labels[1:], strict=True)
    ]


def build_network(seed: int):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return the plain network: (conv, conv, pool) x 3 of 32, 64, 128, conv 192, average, dense."""
    import keras
    from keras import layers

    def convolution(x, filters, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        start = keras.initializers.HeNormal(seed=seed + number)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=start)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for stage, filters in enumerate((32, 64, 128)):
        x = convolution(convolution(x, filters, 2 * stage), filters, 2 * stage + 1)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(convolution(x, 192, 6))
    x = layers.Dropout(0.3, seed=seed)(x)
    start = keras.initializers.GlorotUniform(seed=seed + 7)
    return keras.Model(inputs, layers.Dense(CLASSES, kernel_initializer=start)(x))


def random_networks(info: DatasetInfo, count: int, seed: int = 0) -> list[float]:
    """Return validation accuracies of random networks at the quick search's fidelity."""
    import metaqnn  # noqa: F401  (registers its spaces)
    from nas_core.registry import space_entry
    from nas_core.trainer.base import Job
    from nas_core.trainer.keras_trainer import KerasTrainer

    entry = space_entry("metaqnn")
    # Without restarts: the spread of all networks, those included that the search would give up.
    recipe = replace(entry.recipe("quick"), restarts=0)
    side = info.image_shape[0] if recipe.image_size is None else recipe.image_size
    space = entry.build("quick", (side, side, 3), CLASSES)
    trainer = KerasTrainer(info.path.resolve(), recipe)
    scores: list[float] = []
    for trial in range(count):
        draws = generator(seed, "calibration networks", trial)
        state = space.initial()
        while not space.is_terminal(state):
            state = space.step(state, int(draws.choice(np.flatnonzero(space.legal(state)))))
        job = Job(trial, derived_seed(seed, "calibration training", trial), threads=2)
        result = trainer.score(space.spec(state), job)
        if result.score is not None:
            scores.append(result.score)
        print(f"{trial + 1} of {count}: {result.score} {space.spec(state).to_text()}", flush=True)
    return scores


def timed(what: str, bar: str, measure: Callable[[], list[float]]) -> Row:
    """Return the row of a measurement of [validation, test] accuracy."""
    start = time.process_time()
    validation, test = measure()
    return reported(Row(what, f"{validation:.1%}", f"{test:.1%}", bar, time.process_time() - start))


def spread(info: DatasetInfo, count: int) -> Row:
    """Return the row of the random networks; only their validation accuracy is measured."""
    start = time.process_time()
    scores = np.array(random_networks(info, count)) * 100
    measured = f"{scores.std(ddof=1):.1f} points ({scores.min():.1f} to {scores.max():.1f} %)"
    what = f"standard deviation of {len(scores)} random MetaQNN networks, quick fidelity"
    return reported(
        Row(what, measured, "not opened", "at least 8 points", time.process_time() - start)
    )


def reported(row: Row) -> Row:
    """Print a row as soon as it is measured."""
    print(f"{row.what}: {row.validation} / {row.test} in {row.seconds:.0f} s", flush=True)
    return row


def measure_all(info: DatasetInfo, run: Path, networks: int) -> list[Row]:
    """Measure every row of the table."""
    random = spread(info, networks)
    data = read(info, run)
    rows = [
        timed(
            f"logistic regression on {size}x{size} pixels",
            "at most 45 %",
            lambda size=size: logistic_regression(data, lambda images: shrink(images, size)),  # type: ignore[misc]
        )
        for size in (16, 32)
    ]
    hues = timed(
        f"logistic regression on {HUES} hues",
        "at most 45 %",
        lambda: logistic_regression(data, hue_histogram),
    )
    network = timed(
        f"plain network, {EPOCHS} epochs at {SIZE}x{SIZE}",
        "at least 93 %",
        lambda: plain_network(data),
    )
    return [*rows, hues, network, random]


def table(rows: list[Row], info: DatasetInfo) -> str:
    """Return the rows as Markdown, with what they were measured on."""
    import keras

    lines = ["| what | validation | test | bar | processor seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.validation} | {row.test} | {row.bar} | {row.seconds:.0f} |"
        for row in rows
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"Data digest `{info.digest[:16]}`, seed 0, {os.cpu_count()} processor cores, Python "
            f"{platform.python_version()}, NumPy {np.__version__}, Keras {keras.__version__} "
            f"({keras.backend.backend()}). Written by `benchmarks/leaves_calibration.py --write`.",
        ]
    )


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="leaves", help="data set (default: leaves)")
    parser.add_argument("--networks", type=int, default=24, help="random networks to train")
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "leaves-calibration")
    parser.add_argument("--write", action="store_true", help="put the table into data/README.md")
    asked = parser.parse_args()
    info = resolve(asked.data, ROOT / "data")
    text = table(measure_all(info, asked.run, asked.networks), info)
    print(text)
    if asked.write:
        before, rest = README.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        write_text(README, f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
