"""The page of a comparison of agents with schedules, from the folder that the command has filled.

    nas control compare --tasks titanic,sst2,leaves,mnist \
        --data titanic=titanic.csv,sst2=sst2.csv.gz,mnist=mnist.npz \
        --agents ppo,dqn --seeds 10 --preset quick --out runs/control --json figures.json
    python benchmarks/control_evidence.py runs/control

Replaces docs/control_evidence.md. The first command takes about an hour on two cores.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.files import read_json, write_text
from training_control.comparison.report import AT_RATES
from training_control.comparison.tables import text

PAGE = Path(__file__).resolve().parent.parent / "docs" / "control_evidence.md"
WITHIN = -0.005  # of tuned cosine
OF_BEST = 0.95  # of the best rate's score, over all given rates
INTRODUCTION = """# Evidence: agents that control a training, beside schedules

Written by `benchmarks/control_evidence.py`; the numbers are never typed. How this is measured, and
what it does not show, is on the page of the [comparison](control_comparison.md). No agent, setting
or schedule was chosen on these tasks' test splits.

    nas control compare --tasks {tasks} --agents {agents} --seeds {seeds} --preset {preset} \\
        --data titanic=titanic.csv,sst2=sst2.csv.gz,mnist=mnist.npz \\
        --out runs/control --json figures.json
    python benchmarks/control_evidence.py runs/control

Seconds are those of a machine that did other work, too; shares of overhead are not touched by that.

The bars are differences of interquartile means over all tasks and seeds: a quarter of all scores is
cut off at either end, which here are most of leaves (low) and MNIST (high). "By task" is the mean
over tasks of the difference of each task's interquartile means, where each task counts alike; the
bars do not look at it.
"""

Pair = dict[str, Any]


def agents(said: dict[str, Any]) -> list[str]:
    """Return the agents that have learned, in order."""
    return list(dict.fromkeys(pair["a"] for pair in said["pairs"] if AT_RATES not in pair["a"]))


def bars(said: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield agent, bar, figure and whether it is met."""
    pairs = {(pair["a"], pair["b"]): pair for pair in said["pairs"]}
    for agent in agents(said):
        for rates, where in (("", "tuned rates"), (AT_RATES, "given rates")):
            for other in (f"{agent}-untrained", "always-keep"):
                pair = pairs[agent + rates, other + rates]
                yield agent, f"above {other}, {where}", _figure(pair), _met(pair["ci_low"] > 0)
        cosine, plateau = pairs[agent, "cosine"], pairs[agent, "plateau"]
        near = cosine["iqm_difference"] >= WITHIN
        yield agent, "within 0.005 of tuned cosine (goal)", _figure(cosine), _met(near)
        better = plateau["ci_low"] > 0
        yield agent, "above tuned plateau (goal)", _figure(plateau), _met(better)
        shares = {r["task"]: r["over_best"] for r in said["sensitivity"] if r["method"] == agent}
        figure = ", ".join(f"{task} {share:.3f}" for task, share in shares.items())
        mean = float(np.mean(list(shares.values())))
        what = "0.95 of the best rate's score over the given rates (goal), mean"
        yield agent, what, f"{mean:.3f} ({figure})", _met(mean >= OF_BEST)


def _figure(pair: Pair) -> str:
    tasks = pair["of_tasks"]
    return (
        f"{pair['iqm_difference']:+.4f} [{pair['ci_low']:+.4f}, {pair['ci_high']:+.4f}]; by task "
        f"{tasks['difference']:+.4f} [{tasks['ci_low']:+.4f}, {tasks['ci_high']:+.4f}]"
    )


def _met(value: bool) -> str:
    return "yes" if value else "**no**"


def page(said: dict[str, Any], protocol: dict[str, Any]) -> str:
    """Return the page."""
    introduction = INTRODUCTION.format(
        tasks=",".join(protocol["tasks"]), agents=",".join(agents(said)),
        seeds=protocol["seeds"], preset=protocol["preset"],
    )  # fmt: skip
    rows = [f"| {' | '.join(row)} |" for row in bars(said)]
    heads = ["| agent | bar | measured | met |", "|---|---|---|---|"]
    return "\n".join([introduction, *heads, *rows, "", "```text", text(said), "```", ""])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path, help="of a finished nas control compare")
    folder = options.parse_args().folder
    written = page(read_json(folder / "summary.json"), read_json(folder / "protocol.json"))
    write_text(PAGE, written)
    print(written)


if __name__ == "__main__":
    main()
