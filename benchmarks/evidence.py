"""Write docs/evidence.md and docs/model_evidence.md: agents beside random search on tables.

    python benchmarks/evidence.py --tables DIR [--seeds 500] [--pages evidence,model_evidence]

DIR holds nasbench201/nasbench201.npz and nas_bench_macro/nas_bench_macro.npz.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas_core.compare.comparison import RANDOM, Comparison
from nas_core.compare.run import compare
from nas_core.executors.machine import cores
from nas_core.files import write_text

DOCS = Path(__file__).resolve().parent.parent / "docs"
AGENTS = ("reinforce", "metaqnn", "evolution", "local-search", RANDOM)
INTRODUCTION = """# Evidence

Written by `benchmarks/evidence.py`; the numbers are never typed.

Agents search with the same budget and the same seeds. A number is the mean over seeds of what the
table says of the recommended network, the best by the searched column, in percent: mean ± standard
deviation [95 % bootstrap interval of the mean]. P is the share of seeds on which the agent is above
random search with the same seed, ties half. An agent *beats* random search where the interval of
the mean paired difference in the first column lies above zero.

## How the settings were chosen

On NAS-Bench-Macro, by the means at 50, 100 and 200 evaluations over 150 to 6,000 random streams
other than those of the seeds below, 0 to 499.

- `reinforce`: 74 settings were tried in two rounds, and three compared in a third (Adam's rate and
  betas, decay of the baseline, how the first reward starts it, when it is updated, scaled
  advantages, entropy weight).
- `metaqnn`: 26 were tried in two rounds (learning rate, initial Q, replay, lag, schedule, state).
  The state, the schedule and the learning rate matter; the best of so many looks better than it is.
- `evolution`, `local-search` and `random`: none. Evolution has the published sizes.

So the figures on NAS-Bench-Macro are those of the table that `reinforce` and `metaqnn` were tuned
on: other draws, but the same networks. Only NAS-Bench-201 shows what the settings are worth on a
table that they were not chosen for. The second round followed figures like the ones below, of the
first round's settings, on both tables; it aimed at NAS-Bench-Macro alone. There `reinforce` became
better and on NAS-Bench-201 worse (93.889 / 71.777, from 93.944 / 71.928). A third round, made with
that in view, therefore asked for settings that do well on NAS-Bench-Macro and on the mock's made-up
rows of the NAS-Bench-201 space, and took the plainest of three (rate 0.2, betas 0.5 and 0.99). So
NAS-Bench-201 chose no number, but it was seen before the last choice was made.
"""
PUBLISHED = """
Published for about this budget (Dong & Yang 2020: 12,000 simulated seconds, 500 runs; CIFAR-10 /
CIFAR-100): evolution 93.92 / 71.84, REINFORCE 93.85 / 71.71, random 93.70 / 71.04.
"""


MODEL_AGENTS = ("reinforce-model", "evolution", RANDOM)
DYNA_AGENTS = ("metaqnn-model", RANDOM)
MODEL_INTRODUCTION = """# Evidence: agents that learn a model of the reward

Written by `benchmarks/evidence.py --pages model_evidence`; the numbers are never typed, and mean
what they mean on the [evidence](evidence.md) page. `reinforce-model` and `metaqnn-model` recommend
by their model; what they would be worth by their best score stands beside it.

Every setting was chosen on NAS-Bench-Macro with seeds from 1,000 on
([ablation](model_ablation.md)), and none on NAS-Bench-201. What the agents do with the sizes of
networks plays no part here: rows of a table have none.
"""
NOISY = """
Every reward has a normal error, whose deviation is half the interquartile range of uniform
networks' rewards. What is reported is free of it.
"""
NB201, MACRO = "nasbench201/nasbench201.npz", "nas_bench_macro/nas_bench_macro.npz"


@dataclass(frozen=True)
class Study:
    """One comparison of a page."""

    title: str
    space: str
    file: str
    evaluations: tuple[int, ...]
    note: str = ""
    agents: tuple[str, ...] = AGENTS
    noise: float = 0.0
    share: float = 1.0  # of the seeds


ALL = (50, 100, 200)
PAGES = {
    "evidence": (
        INTRODUCTION,
        Study("NAS-Bench-201", "nasbench201", NB201, (100,), PUBLISHED),
        Study("NAS-Bench-Macro", "nasbench_macro", MACRO, ALL),
    ),
    "model_evidence": (
        MODEL_INTRODUCTION,
        Study("NAS-Bench-201", "nasbench201", NB201, ALL, PUBLISHED, MODEL_AGENTS),
        Study("NAS-Bench-Macro", "nasbench_macro", MACRO, ALL, "", MODEL_AGENTS),
        Study("NAS-Bench-201, noise", "nasbench201", NB201, (100,), NOISY, MODEL_AGENTS, 0.5),
        Study("NAS-Bench-Macro, noise", "nasbench_macro", MACRO, (100,), NOISY, MODEL_AGENTS, 0.5),
        Study("NAS-Bench-201, Dyna", "nasbench201", NB201, ALL, "", DYNA_AGENTS, share=0.2),
        Study("NAS-Bench-Macro, Dyna", "nasbench_macro", MACRO, ALL, "", DYNA_AGENTS, share=0.2),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--pages", default=",".join(PAGES))
    given = parser.parse_args()
    for page in given.pages.split(","):
        introduction, *studies = PAGES[page]
        parts = [introduction]
        for study in studies:
            parts.append(measured(study, given.tables, max(1, round(study.share * given.seeds))))
            print(parts[-1], flush=True)
            write_text(DOCS / f"{page}.md", "\n".join(parts))  # a page is a study long at least


def measured(study: Study, tables: Path, seeds: int) -> str:
    """Return a study's part of its page."""
    started = time.monotonic()
    found = compare(
        study.space,
        study.agents,
        evaluations=study.evaluations,
        seeds=seeds,
        table=tables / study.file,
        noise=study.noise,
        on_progress=lambda agent, done, total: print(f"{agent} {done}/{total}", end="\r"),
    )
    return section(study, found, time.monotonic() - started)


def section(study: Study, found: Comparison, seconds: float) -> str:
    """Return one study's part of the page."""
    budgets = ",".join(map(str, study.evaluations))
    command = (
        f"nas compare --space {study.space} --table {Path(study.file).name} --agents "
        f"{','.join(study.agents)} --evaluations {budgets} --seeds {found.seeds}"
        f"{f' --noise {study.noise}' if study.noise > 0.0 else ''}"
    )
    timing = f"Measured in {seconds:.0f} s on {cores()} cores."
    lines = [f"## {study.title}", "", f"    {command}", "", timing, study.note]
    return "\n".join([*lines, *_table(found), "", *_verdicts(found), ""])


def _table(found: Comparison) -> Sequence[str]:
    rows = {(row["agent"], row["evaluations"], row["metric"]): row for row in found.rows()}
    columns = [(metric, budget) for metric in found.metrics for budget in found.evaluations]
    heads = " | ".join(f"`{metric}`, {budget}" for metric, budget in columns)
    lines = [f"| agent | {heads} |", "|---" * (len(columns) + 1) + "|"]
    for agent in found.agents:
        cells = []
        for metric, budget in columns:
            row = rows[agent, budget, metric]
            cells.append(
                f"{row['mean']:.3f} ± {row['std']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            )
        lines.append(f"| {agent} | {' | '.join(cells)} |")
    return lines


def _verdicts(found: Comparison) -> Sequence[str]:
    return [f"- {sentence}" for sentence in found.verdicts()]


if __name__ == "__main__":
    main()
