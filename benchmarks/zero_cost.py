"""Would a score without training help the reward model? NASWOT on real trainings of leaves.

    python benchmarks/zero_cost.py [--space metaqnn] [--specs 120]

NASWOT (Mellor et al. 2021, equation 2) at initialisation, on 64 training images: the logarithm of
the determinant of K_H, whose entry for two images counts the ReLUs that are on, or off, for both.
Printed: seconds per network; its rank correlation with the accuracy after the quick recipe; and
that of the reward model's prediction of architectures it was not told of, from 15, 30 and 60
others, without anything but decisions, with the sizes that agents use, and with NASWOT besides.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets import resolve
from nas_core.ranks import normal_scores, spearman
from nas_core.registry import space_entry
from nas_core.reward_model.basis import EVEN, Basis
from nas_core.reward_model.encoding import Encoder
from nas_core.spec import spec_from_json
from nas_core.trainer import runtime

NOISES = (0.03, 0.1, 0.3, 1.0)
IMAGES = 64
SPLITS = 60


def naswot(model: Any, images: np.ndarray) -> float:
    """Return log |det K_H| over all layers that end in a ReLU; -inf where two images look alike."""
    import keras

    ends = [layer.output for layer in model.layers if _is_relu(layer)]
    kernel = np.zeros((len(images), len(images)))
    if not ends:
        return -np.inf
    for output in (
        keras.Model(model.input, ends)(images)
        if len(ends) > 1
        else [keras.Model(model.input, ends[0])(images)]
    ):
        on = (np.asarray(output).reshape(len(images), -1) > 0).astype(float)
        kernel += on @ on.T + (1.0 - on) @ (1.0 - on).T
    sign, value = np.linalg.slogdet(kernel)
    return float(value) if sign > 0 else -np.inf


def _is_relu(layer: Any) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "") == "relu"


def scores(rows: list[dict[str, Any]]) -> tuple[np.ndarray, float]:
    """Return NASWOT [N] of architectures, and processor seconds for each."""
    runtime.prepare(1)
    import keras

    from nas_core.trainer.build import build_model
    from nas_core.trainer.data_pipeline import load_pixels

    info = resolve("leaves", Path("data"))
    images = load_pixels(info.path, info.digest, 32, 1.0).train.images[:IMAGES]
    found, started = [], time.process_time()
    for row in rows:
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        model = build_model(spec_from_json(row["spec"]), (32, 32, 3), initialiser="he_uniform")
        found.append(naswot(model, images))
    lowest = min(value for value in found if np.isfinite(value))
    return np.maximum(found, lowest), (time.process_time() - started) / len(rows)


def predicted(kernel: np.ndarray, told: np.ndarray, asked: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return posterior means of `asked`, the noise chosen by evidence."""
    best: tuple[float, np.ndarray] | None = None
    for noise in NOISES:
        factor = np.linalg.cholesky(kernel[np.ix_(told, told)] + noise * np.eye(len(told)))
        half = np.linalg.solve(factor, y)
        evidence = -0.5 * float(half @ half) - float(np.log(np.diagonal(factor)).sum())
        if best is None or evidence > best[0]:
            best = evidence, np.linalg.solve(factor.T, half)
    if best is None:
        raise SystemExit("expected a noise to choose")
    means: np.ndarray = kernel[np.ix_(asked, told)] @ best[1]
    return means


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--space", default="metaqnn")
    options.add_argument("--specs", type=int, default=120)
    given = options.parse_args()
    lines = (Path("benchmarks/trainings") / f"{given.space}.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["repeat"] == 0][: given.specs]
    scored = [row["result"]["score"] for row in rows]
    accuracy = [0.0 if score is None else score for score in scored]
    free, seconds = scores(rows)
    print(f"{seconds:.2f} s a network; rank correlation {spearman(free.tolist(), accuracy):.3f}")
    space = space_entry(given.space).build("quick", (32, 32, 3), 10)
    encoder = Encoder.of(space)
    inputs = encoder.inputs([space.encode(spec_from_json(row["spec"])) for row in rows])
    decisions = Basis(encoder.coding, EVEN).kernel(inputs) - inputs.sizes @ inputs.sizes.T
    sizes = decisions + inputs.sizes @ inputs.sizes.T
    ranks = np.array(normal_scores(free.tolist()))
    kernels = {
        "decisions": decisions,
        "with sizes": sizes,
        "with sizes and NASWOT": sizes + np.outer(ranks, ranks),
        "with NASWOT": decisions + np.outer(ranks, ranks),
    }
    print(f"| told | {' | '.join(kernels)} |\n|{'---|' * (len(kernels) + 1)}")
    for count in (15, 30, 60):
        cells = []
        for kernel in kernels.values():
            found = []
            for split in range(SPLITS):
                order = np.random.default_rng(split).permutation(len(rows))
                told, asked = order[:count], order[count:]
                y = normal_scores([accuracy[place] for place in told])
                means = predicted(kernel, told, asked, np.array(y))
                found.append(spearman(means.tolist(), [accuracy[place] for place in asked]))
            cells.append(f"{np.mean(found):.3f}")
        print(f"| {count} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
