"""What stopping hopeless children saves and costs, replayed on real trainings of leaves.

    python benchmarks/early_stopping.py [--orders 200]

The trainings in `benchmarks/trainings` come in many random orders, as random search would have
met them. Printed for each space: the share of all epochs that are saved (of an order of
`--trials` children), how often the best of them is lost, and the regret: how much lower the best
score is, on average and at worst.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from nas_core.early_stopping import is_hopeless, least_accuracies


def replay(curves: list[list[float]], scores: list[float]) -> tuple[float, float]:
    """Return the share of epochs saved and the regret of one order."""
    seen: list[list[float]] = []
    worth: list[float] = []
    spent = 0
    for curve, score in zip(curves, scores, strict=True):
        stops = least_accuracies(seen, worth)
        after = next(
            (n for n in range(1, len(curve)) if is_hopeless(n, curve[n - 1], stops)), len(curve)
        )
        seen.append(curve[:after])
        worth.append(score if after == len(curve) else max(curve[:after]))
        spent += after
    return 1.0 - spent / sum(map(len, curves)), max(scores) - max(worth)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trainings", type=Path, default=Path("benchmarks/trainings"))
    options.add_argument("--trials", type=int, default=60)
    options.add_argument("--orders", type=int, default=200)
    given = options.parse_args()
    print(
        "| space | epochs saved | best lost | mean regret | worst regret |\n|---|---|---|---|---|"
    )
    for path in sorted(given.trainings.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        results = [row["result"] for row in rows if row["repeat"] == 0]
        results = [row for row in results if row["score"] is not None]
        found = []
        for order in range(given.orders):
            drawn = np.random.default_rng(order).permutation(len(results))[: given.trials]
            curves = [[epoch[3] for epoch in results[place]["curve"]] for place in drawn]
            found.append(replay(curves, [results[place]["score"] for place in drawn]))
        saved, regret = np.array(found).T
        print(
            f"| {path.stem} | {saved.mean():.1%} | {(regret > 0).mean():.1%} | "
            f"{regret.mean():.4f} | {regret.max():.4f} |"
        )


if __name__ == "__main__":
    main()
