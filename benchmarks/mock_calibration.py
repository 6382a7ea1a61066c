"""Fit the mock to real trainings, and measure how well it ranks architectures it has not seen.

    python benchmarks/mock_trainings.py          # real trainings, an hour or two
    python benchmarks/mock_calibration.py --write

The architectures are split by digest: 55 of each space are held out and never fitted to.
Ridge regression on the logits of the accuracy. Squares and products are penalised up to a thousand
times more than features; both penalties are chosen by cross-validation within the fitted part, by
the mean rank correlation within spaces. Printed beside the rank correlation: that of two trainings
of the same architectures, the most that a prediction could reach.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.files import write_text
from nas_core.ranks import spearman
from nas_core.spec import spec_from_json
from nas_core.trainer import surrogate
from nas_core.trainer.features import features
from nas_core.trainer.surrogate import Evidence, Fit, standardised, terms

KINDS = {"chain": ("metaqnn", "chain"), "cell": ("nasnet",)}
IMAGE, CLASSES = (32, 32, 3), 10
CHANCE = 1.0 / CLASSES
HELD_OUT = 55  # of each space: those with the smallest digests
LEAST = 150  # trainings to be fitted to: with fewer a space stays uncalibrated
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # of features
RATIOS = (1.0, 10.0, 100.0, 1000.0)  # of squares and products, over that
FOLDS, REPEATS = 10, 5
ABOVE = 0.05  # the ceiling lies this much above the best accuracy seen
INTRODUCTION = """# The mock

Written by `benchmarks/mock_calibration.py --write`; the numbers are never typed.

`--trainer mock` trains nothing: it answers in well under a millisecond with the accuracy, the curve
and the seconds that a network of these features (`nas_core.trainer.features`) has had on leaves, by
a regression on real trainings with each space's quick recipe (`benchmarks/trainings`, made by
`benchmarks/mock_trainings.py`), plus the deviation that two seeds have. Spaces without a row, such
as `text`, are not calibrated: their scores are made up, and every run on the mock says so.

**Rank correlation**: Spearman's, of prediction and training, over architectures that were held out
by their digest and fitted to in no way. **Retest**: of two trainings of the same architectures with
other seeds; more cannot be expected. Chains are told apart worst: those that the quick space draws
score alike, and differ by little more than seeds do.
"""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "mock.md"
TARGET = Path(surrogate.__file__).parent / surrogate.CALIBRATION


class Trainings:
    """Trainings of one space: one row per architecture.

    Attributes:
        names: Of the features.
        values: Features [N, F].
        accuracy: [N]; chance for a network that never learned.
        again: Accuracy of a second training, NaN where there was none [N].
        held: Bools [N]: which are held out.
        curves: Validation accuracies [N, epochs], NaN where a training failed.
        seconds: On a machine with nothing else to do [N]; NaN where other work disturbed.
        macs: [N].
    """

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        firsts = {row["digest"]: row for row in rows if row["repeat"] == 0}
        seconds = {row["digest"]: _accuracy(row["result"]) for row in rows if row["repeat"] == 1}
        found = [features(spec_from_json(row["spec"]), IMAGE) for row in firsts.values()]
        results = [row["result"] for row in firsts.values()]
        self.names = tuple(found[0][0]) if found else ()
        self.values = np.array([[row[name] for name in self.names] for row, _ in found])
        self.macs = np.array([figures.macs for _, figures in found], float)
        self.accuracy = np.array([_accuracy(result) for result in results])
        self.again = np.array([seconds.get(digest, np.nan) for digest in firsts])
        self.held = np.isin(list(firsts), sorted(firsts)[:HELD_OUT])
        self.curves = np.array([_curve(result) for result in results])
        self.seconds = _seconds(results)

    def __len__(self) -> int:
        return len(self.accuracy)

    def retest(self) -> tuple[float, float]:
        """Return rank correlation and standard deviation of a score between two seeds."""
        both = ~np.isnan(self.again)
        one, two = self.accuracy[both], self.again[both]
        return _rank(one, two), float(np.std(one - two) / np.sqrt(2.0))


def _accuracy(result: dict[str, Any]) -> float:
    return CHANCE if result["score"] is None else float(result["score"])


def _seconds(results: list[dict[str, Any]]) -> np.ndarray:
    """Return processor seconds if any were noted: of one thread, so those of a quiet machine."""
    spent = np.array([(row["details"] or {}).get("cpu_seconds", np.nan) for row in results])
    return np.array([row["seconds"] for row in results]) if np.isnan(spent).all() else spent


def _curve(result: dict[str, Any]) -> list[float]:
    rows = [row[3] for row in result["curve"]]
    return [np.nan] * 4 if result["score"] is None else rows


def _rank(one: np.ndarray, two: np.ndarray) -> float:
    found = spearman(one.tolist(), two.tolist())
    return float("nan") if found is None else found


def ridge(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights [K] and offset of y [N] on x [N, K]; of penalties [K], none on the offset."""
    mean, centre = x.mean(axis=0), y.mean()
    inner = (x - mean).T @ (x - mean) + np.diag(penalties)
    weights = np.linalg.solve(inner, (x - mean).T @ (y - centre))
    return weights, float(centre - mean @ weights)


def logits(accuracy: np.ndarray, ceiling: float) -> np.ndarray:
    share = np.clip((accuracy - CHANCE) / (ceiling - CHANCE), 0.01, 0.99)
    return np.log(share / (1.0 - share))


def best_penalties(x: np.ndarray, y: np.ndarray, spaces: np.ndarray, features: int) -> np.ndarray:
    """Return the penalties [K] whose predictions of left-out parts rank best.

    Args:
        x: Terms [N, K], the features first.
        y: Logits [N].
        spaces: Number of each row's space [N].
        features: How many terms are features.
    """
    products = np.arange(x.shape[1]) >= features
    tried = [p * np.where(products, ratio, 1.0) for p in PENALTIES for ratio in RATIOS]
    ranks = [_left_out_rank(x, y, spaces, penalties) for penalties in tried]
    return tried[int(np.argmax(ranks))]


def _left_out_rank(
    x: np.ndarray, y: np.ndarray, spaces: np.ndarray, penalties: np.ndarray
) -> float:
    """Return the mean rank correlation within spaces, over `REPEATS` divisions into `FOLDS`."""
    ranks = []
    for repeat in range(REPEATS):
        place = np.random.default_rng(repeat).permutation(len(y)) % FOLDS
        predicted = np.empty(len(y))
        for fold in range(FOLDS):
            weights, offset = ridge(x[place != fold], y[place != fold], penalties)
            predicted[place == fold] = x[place == fold] @ weights + offset
        ranks += [_rank(predicted[spaces == n], y[spaces == n]) for n in np.unique(spaces)]
    return float(np.mean(ranks))


def curve_shares(parts: list[Trainings]) -> tuple[float, ...]:
    """Return the mean share of the way from chance to the score after each epoch."""
    curves = np.concatenate([part.curves for part in parts])
    curves = curves[~np.isnan(curves).any(axis=1)]
    best = curves.max(axis=1, keepdims=True)
    learned = best[:, 0] > 2 * CHANCE
    shares = np.clip((curves - CHANCE) / (best - CHANCE), 0.0, 1.0)[learned].mean(axis=0)
    return (*(round(float(share), 4) for share in shares[:-1]), 1.0)


def second_terms(parts: list[Trainings]) -> tuple[float, float]:
    """Return the constant and the seconds per multiply-add, by least squares, not below 0."""
    macs = np.concatenate([part.macs for part in parts])
    seconds = np.concatenate([part.seconds for part in parts])
    macs, seconds = macs[~np.isnan(seconds)], seconds[~np.isnan(seconds)]
    slope = float(np.cov(macs, seconds)[0, 1] / macs.var(ddof=1))
    slope = max(slope, 0.0)
    return max(float(seconds.mean() - slope * macs.mean()), 0.1), slope


def fitted(spaces: dict[str, Trainings]) -> Fit:
    """Return the coefficients of one type of specification, with their evidence."""
    parts = list(spaces.values())
    values = np.concatenate([part.values[~part.held] for part in parts])
    accuracy = np.concatenate([part.accuracy[~part.held] for part in parts])
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    ceiling = round(float(accuracy.max()) + ABOVE, 3)
    x, y = terms(standardised(values, mean, scale)), logits(accuracy, ceiling)
    numbers = np.repeat(np.arange(len(parts)), [int((~part.held).sum()) for part in parts])
    weights, offset = ridge(x, y, best_penalties(x, y, numbers, values.shape[1]))
    evidence = []
    for name, part in spaces.items():
        rows = terms(standardised(part.values[part.held], mean, scale))
        rank = _rank(rows @ weights + offset, part.accuracy[part.held])
        count, held = int((~part.held).sum()), int(part.held.sum())
        evidence.append(Evidence(name, count, held, round(rank, 3), round(part.retest()[0], 3)))
    return Fit(
        features=parts[0].names,
        mean=tuple(float(value) for value in mean),
        scale=tuple(float(value) for value in scale),
        weights=tuple(round(float(value), 6) for value in weights),
        offset=round(offset, 6),
        ceiling=ceiling,
        noise=round(float(np.mean([part.retest()[1] for part in parts])), 4),
        curve=curve_shares(parts),
        seconds=second_terms(parts),
        evidence=tuple(evidence),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trainings", type=Path, default=Path("benchmarks/trainings"))
    options.add_argument("--write", action="store_true", help="replace the shipped coefficients")
    given = options.parse_args()
    fits = dict(surrogate.calibration())
    for kind, names in KINDS.items():
        spaces = {name: Trainings(given.trainings / f"{name}.jsonl") for name in names}
        ready = {name: part for name, part in spaces.items() if len(part) >= HELD_OUT + LEAST}
        for name in set(spaces) - set(ready):
            print(f"{name}: {len(spaces[name])} trainings are too few, it stays uncalibrated")
        if ready:
            fits[kind] = fitted(ready)
    text = table(fits)
    print(text)
    if given.write:
        value = {"fits": {kind: asdict(fit) for kind, fit in fits.items()}}
        write_text(TARGET, json.dumps(value, allow_nan=False).replace("], ", "],\n") + "\n")
        write_text(PAGE, f"{INTRODUCTION}\n{text}\n")


def table(fits: dict[str, Fit]) -> str:
    """Return how well each space's architectures are ranked."""
    lines = [
        "| space | fitted to | held out | rank correlation | retest | deviation between seeds |",
        "|---|---|---|---|---|---|",
    ]
    for fit in fits.values():
        lines += [
            f"| {row.space} | {row.fitted} | {row.held_out} | {row.spearman:.3f} | "
            f"{row.retest:.3f} | {fit.noise:.3f} |"
            for row in fit.evidence
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
