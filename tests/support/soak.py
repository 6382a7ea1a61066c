"""Long searches in a process of their own, which looks at itself while they run.

`python soak.py mock|real RUN TRIALS` prints JSON: samples of memory, descriptors and threads.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import nas_core
from nas_core.executors import tree
from nas_core.plan import Plan
from nas_core.store import TrialRow

SAMPLES = 24
WARM = 0.25  # of a run: caches fill, and are not looked at


def look() -> dict[str, float]:
    """Return this process's resident bytes, open descriptors, threads, and processes below it."""
    status = Path("/proc/self/status").read_text().splitlines()
    threads = next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    return {
        "bytes": tree._resident(os.getpid()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threads,
        "processes": len(tree.descendants(os.getpid())),
    }


class Watch:
    """Takes samples at regular numbers of trials."""

    def __init__(self, trials: int) -> None:
        self._every = max(1, trials // SAMPLES)
        self._committed = 0
        self.samples: list[dict[str, float]] = []

    def __call__(self, plan: Plan, row: TrialRow) -> None:
        self._committed += 1
        if self._committed % self._every == 0:
            self.samples.append({"trial": self._committed, **look()})


def growth(samples: list[dict[str, float]], per: int) -> dict[str, float]:
    """Return how memory grows in `per` trials, and what descriptors and threads were gained.

    The latter by their least in each half, once everything is warm: a leak raises it, and children
    that happen to run while a sample is taken do not.
    """
    later = samples[int(WARM * len(samples)) :]
    trials = [sample["trial"] for sample in later]
    slope = float(np.polyfit(trials, [sample["bytes"] for sample in later], 1)[0])
    found = {"bytes": slope * per}
    for name in ("descriptors", "threads"):
        first, second = (
            min(later[place][name] for place in half)
            for half in np.array_split(np.arange(len(later)), 2)
        )
        found[name] = second - first
    return found


def mock(run: Path, trials: int, agent: str) -> list[dict[str, float]]:
    watch = Watch(trials)
    nas_core.search(
        "metaqnn", None, trainer="mock", agent=agent, trials=trials, run=run, control=None,
        on_trial=watch,
    )  # fmt: skip
    return watch.samples


def real(run: Path, trials: int) -> list[dict[str, float]]:
    from tiny_data import write_tiny

    write_tiny(run.parent / "tiny")
    watch = Watch(trials)
    recipe = {"epochs": 1, "image_size": 8, "restarts": 0}
    nas_core.search(
        "metaqnn", run.parent / "tiny", agent="random", trials=trials, run=run, workers=2,
        control=None, recipe=recipe, on_trial=watch,
    )  # fmt: skip
    return watch.samples


def size(run: Path) -> int:
    """Return the bytes of a run's database, with its log."""
    return sum(path.stat().st_size for path in run.glob("run.sqlite*"))


def main() -> None:
    kind, run, trials = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    began = time.monotonic()
    samples = real(run, trials) if kind == "real" else mock(run, trials, sys.argv[4])
    found: dict[str, Any] = {"samples": samples, "seconds": time.monotonic() - began}
    print(json.dumps({**found, "size": size(run)}))


if __name__ == "__main__":
    main()
