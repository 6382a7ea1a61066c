"""How long agents that model the reward think: processor milliseconds for each evaluation.

    python benchmarks/model_speed.py [--tables DIR] [--evaluations 200] [--seeds 3]

Suggesting, observing and recommending together, on one thread, on the mock of each space and, with
`--tables`, on NAS-Bench-201 and NAS-Bench-Macro. Random search stands beside: it is what the loop
itself takes.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

from nas_core.compare.pool import run_seeds
from nas_core.compare.run import plan_for

AGENTS = ("random", "reinforce-model", "metaqnn-model")
MOCKS = ("metaqnn", "nasnet", "chain")
TABLES = {
    "nasbench201": "nasbench201/nasbench201.npz",
    "nasbench_macro": "nas_bench_macro/nas_bench_macro.npz",
}


def milliseconds(space: str, table: Path | None, agent: str, trials: int, seeds: int) -> float:
    """Return the mean time of one evaluation; what is made once is made before."""
    plan = plan_for(space, trials, table, None, None, "quick")
    run_seeds(plan, 0.0, "random", [0])
    started = time.process_time()
    run_seeds(plan, 0.0, agent, range(seeds))
    return 1000.0 * (time.process_time() - started) / (trials * seeds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tables", type=Path)
    options.add_argument("--evaluations", type=int, default=200)
    options.add_argument("--seeds", type=int, default=3)
    given = options.parse_args()
    places: list[tuple[str, Path | None]] = []
    if given.tables is not None:
        places = [(space, given.tables / file) for space, file in TABLES.items()]
    places += [(space, None) for space in MOCKS]
    print(f"| space | {' | '.join(AGENTS)} |\n{'|---' * (len(AGENTS) + 1)}|")
    for space, table in places:
        times = [
            milliseconds(space, table, agent, given.evaluations, given.seeds) for agent in AGENTS
        ]
        print(f"| {space} | {' | '.join(f'{value:.1f}' for value in times)} |", flush=True)


if __name__ == "__main__":
    main()
