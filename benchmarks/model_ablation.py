"""Write docs/model_ablation.md: what each part of the model-based agents is worth.

    python benchmarks/model_ablation.py --table nas_bench_macro.npz [--seeds 40]

On NAS-Bench-Macro, with the seeds that settings are chosen on (from 1,000), not those of evidence.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np

from metaqnn import model_agent as metaqnn
from nas_core.agent import Agent, Recommends
from nas_core.assembly import Own, agent_of, assemble
from nas_core.compare.memory import Improvement, Recommendations, improvements, search_in_memory
from nas_core.compare.statistics import interval, resamples
from nas_core.executors.machine import cores
from nas_core.files import write_text
from nas_core.loop import Settings
from nas_core.plan import Plan
from nas_core.reward_model.basis import Prior
from nas_core.reward_model.model import ModelConfig
from nas_core.space import SearchSpace, spec_of
from nas_core.tables.assembly import TablePlan, open_table, report_values
from nas_core.trainer.base import Trainer
from nas_net_architecture.model_agent import ReinforceModel
from nas_net_architecture.model_config import IMAGINED, TABLE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "model_ablation.md"
BUDGETS = (50, 100, 200)
FIRST_SEED = 1000

POLICIES = {
    "`reinforce-model`": TABLE,
    "without uncertainty (posterior mean)": replace(TABLE, uncertain=False),
    "without pairs": replace(TABLE, model=ModelConfig(Prior(pairs=0.0))),
    "without shared actions": replace(TABLE, model=ModelConfig(Prior(shared=0.0))),
    "without ranks": replace(TABLE, model=ModelConfig(ranks=False)),
    "without chosen noise (0.1)": replace(TABLE, model=ModelConfig(noise=0.1)),
    "without redrawing what is known": replace(TABLE, redraws=0),
    "without a policy (argmax of the same function)": replace(TABLE, proposer="argmax"),
    "with an LSTM": replace(TABLE, learner=replace(IMAGINED, policy="lstm", learning_rate=0.01)),
}
DYNA = metaqnn.DYNA
LEARNERS = {
    "`metaqnn-model`": DYNA,
    "without uncertainty (posterior mean)": replace(DYNA, uncertain=False),
    "without imagination": replace(DYNA, imagined=0),
}
INTRODUCTION = """# What the parts of the model-based agents are worth

Written by `benchmarks/model_ablation.py`; the numbers are never typed. NAS-Bench-Macro, seeds from
1,000 on: the ones that settings were chosen with, so that this page explains and proves nothing
([evidence](evidence.md) has other seeds and another table). A number is the mean over seeds of
`mean_acc` of the recommended network [95 % interval]; ms are processor milliseconds per
evaluation, proposing and learning together.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=40)
    given = parser.parse_args()
    names = [("p", name) for name in POLICIES] + [("a", "reinforce")]
    names += [("q", name) for name in LEARNERS] + [("a", "metaqnn")]
    lines = [f"| {given.seeds} seeds | {' | '.join(map(str, BUDGETS))} | ms |", "|---" * 5 + "|"]
    with ProcessPoolExecutor(cores()) as pool:
        waiting = [pool.submit(measured, name, given.table, given.seeds) for name in names]
        for row in waiting:
            lines.append(row.result())
            print(lines[-1], flush=True)
    write_text(PAGE, "\n".join([INTRODUCTION, *lines, ""]))


def measured(name: tuple[str, str], table: Path, seeds: int) -> str:
    """Return a row of the page."""
    plan = Plan(
        "nasbench_macro", "random", "table", executor="inline", trials=BUDGETS[-1],
        schedule_trials=BUDGETS[-1], table=str(table.resolve()),
    )  # fmt: skip
    parts = assemble(plan, Own())
    curves, started = [], process_time()
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        agent = made(name, plan, parts.space, seed)
        curves.append(steps(agent, parts.trainer, Settings(plan.trials, seed, credits=False)))
    milliseconds = 1000.0 * (process_time() - started) / seeds / plan.trials
    opened = open_table(plan.space, table)
    column = report_values(opened, TablePlan(table))["mean_acc"]
    cells = []
    for budget in BUDGETS:
        last = [[actions for place, actions in curve if place < budget][-1] for curve in curves]
        rows = [opened.space.row(spec_of(parts.space, actions)) for actions in last]
        cells.append(cell(column[rows]))
    label = f"`{name[1]}`" if name[0] == "a" else name[1]
    return f"| {label} | {' | '.join(cells)} | {milliseconds:.1f} |"


def made(name: tuple[str, str], plan: Plan, space: SearchSpace, seed: int) -> Agent:
    """Return the agent of a row."""
    kind, label = name
    if kind == "p":
        return ReinforceModel(space, seed, POLICIES[label])
    if kind == "q":
        return metaqnn.MetaQNNModel(space, seed, LEARNERS[label])
    return agent_of(replace(plan, agent=label, seed=seed), space)


def steps(agent: Agent, trainer: Trainer, settings: Settings) -> Sequence[Improvement]:
    """Return what an agent recommends after each evaluation."""
    if not isinstance(agent, Recommends):
        return improvements(search_in_memory(agent, trainer, settings))
    watch = Recommendations(agent)
    search_in_memory(agent, trainer, settings, watch)
    return watch.steps


def cell(values: np.ndarray) -> str:
    """Return a mean with its interval."""
    low, high = interval(values, resamples(len(values)))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
