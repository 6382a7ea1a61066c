"""Real children: agents beside random search on the leaves, 30 children each, five seeds.

    python benchmarks/real_leaves.py [--out runs/real-leaves] [--seeds 5] [--trials 30] [--write]

Every search is a run of its own in OUT, with the quick recipe in MetaQNN's space; a run that is
there already goes on. The scores of finished searches are kept, a JSON line each, in
benchmarks/trainings/real_leaves.jsonl: what stands there is not searched again. About 15 minutes on
two cores for one seed of all agents. What is compared is the best validation accuracy so far, as a
search of that budget reports it. `--write` replaces docs/real_leaves.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import nas_core
from nas_core.compare.statistics import interval, probability_above, resamples
from nas_core.database import DATABASE
from nas_core.files import write_text
from nas_core.loop import Stop
from nas_core.store import RunStore

PAGE = Path(__file__).resolve().parent.parent / "docs" / "real_leaves.md"
KEPT = Path(__file__).resolve().parent / "trainings" / "real_leaves.jsonl"
RANDOM = "random"
AGENTS = ("reinforce-model", "metaqnn-model", "reinforce", "metaqnn", "evolution", RANDOM)
INTRODUCTION = """# Real children on leaves

Written by `benchmarks/real_leaves.py --write`; the numbers are never typed. Best validation
accuracy after so many proposals (real trainings with the quick recipe in MetaQNN's space; a
proposal that was made before counts, and is credited): mean over {seeds} seeds [95 % bootstrap
interval]. P is the share of seeds on which an agent is above random search with the same seed after
all {trials} proposals, ties half. Few seeds prove little; this is reported whatever it shows.
"""


def searched(folder: Path, agent: str, seed: int, trials: int, workers: int) -> None:
    """Search, or go on, until the run has ended."""
    if (folder / DATABASE).exists():
        result = nas_core.resume(folder)
    else:
        result = nas_core.search(
            "metaqnn", "leaves", agent=agent, trials=trials, seed=seed, workers=workers, run=folder,
            control=None,
        )  # fmt: skip
    if result.stopped is not Stop.FINISHED:
        raise SystemExit(f"{folder}: {result.stopped.value}; start again to go on")


def scores(folder: Path) -> list[float]:
    """Return the score after each proposal; a failed child's is 0."""
    with RunStore.open(folder) as store:
        return [0.0 if row.score is None else row.score for row in store.trials()]


def kept(trials: int) -> dict[tuple[str, int], list[float]]:
    """Return the scores of finished searches of this many trials, by agent and seed."""
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    rows = [row for row in map(json.loads, lines) if len(row["scores"]) == trials]
    return {(row["agent"], row["seed"]): row["scores"] for row in rows}


def keep(agent: str, seed: int, found: list[float]) -> None:
    """Add a finished search to those that are kept."""
    row = {"agent": agent, "seed": seed, "scores": found}
    with KEPT.open("a") as file:
        file.write(json.dumps(row) + "\n")


def page(curves: dict[str, np.ndarray], seeds: int, trials: int) -> str:
    """Return the table of the best so far at a third, two thirds and all of the trials."""
    budgets = [trials // 3, 2 * trials // 3, trials]
    lines = [INTRODUCTION.format(seeds=seeds, trials=trials)]
    lines += [f"| agent | {' | '.join(map(str, budgets))} | P |", "|---" * 5 + "|"]
    for agent, found in curves.items():
        cells = []
        for budget in budgets:
            values = found[:, budget - 1]
            low, high = interval(values, resamples(seeds))
            cells.append(f"{values.mean():.3f} [{low:.3f}, {high:.3f}]")
        above = probability_above(found[:, -1], curves[RANDOM][:, -1])
        lines.append(f"| {agent} | {' | '.join(cells)} | {above:.2f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("runs/real-leaves"))
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--trials", type=int, default=30)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--write", action="store_true", help="replace docs/real_leaves.md")
    given = options.parse_args()
    found = kept(given.trials)
    for seed in range(given.seeds):
        for agent in AGENTS:
            if (agent, seed) not in found:
                folder = given.out / f"{agent}-{seed}"
                searched(folder, agent, seed, given.trials, given.workers)
                found[agent, seed] = scores(folder)
                keep(agent, seed, found[agent, seed])
            print(f"{agent}, seed {seed}: {max(found[agent, seed]):.3f}", flush=True)
    curves = {
        agent: np.stack([np.maximum.accumulate(found[agent, seed]) for seed in range(given.seeds)])
        for agent in AGENTS
    }
    text = page(curves, given.seeds, given.trials)
    print(text)
    if given.write:
        write_text(PAGE, text)


if __name__ == "__main__":  # children are processes: they import this file
    main()
