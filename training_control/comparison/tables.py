"""A comparison for people: aligned tables and sentences."""

from typing import Any

from nas_core.cli.output import number, table

FEWEST_SEEDS = 5


def text(said: dict[str, Any]) -> str:
    """Return everything in `report.summary`'s values that fits on a screen."""
    parts = [_task(said, task) for task in dict.fromkeys(row["task"] for row in said["by_task"])]
    parts += [_pooled(said), _pairs(said)]
    if said["sensitivity"]:
        parts.append(_sensitivity(said))
    parts.append(_compute(said))
    return "\n\n".join(parts)


def _task(said: dict[str, Any], task: str) -> str:
    header = (
        "method", "initial lr", "score", "95 %", "sd", "val. loss", "seconds", "overhead",
        "to target", "to plateau", "moves", "crashes", "metrics",
    )  # fmt: skip
    rows = [_line(row) for row in said["by_task"] if row["task"] == task]
    return f"{task}: test split, tuned initial rates\n{table(header, rows)}"


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    score = row["score"]
    metrics = ", ".join(f"{n} {v:.3f}" for n, v in row["metrics"].items() if n != "loss")
    return (
        row["method"],
        f"{row['initial_lr']:g}",
        number(score["iqm"]),
        _range(score),
        number(score["sd"]),
        number(row["validation_loss"]),
        number(row["seconds"], 2),
        f"{100 * row['overhead']:.1f} %",
        f"{number(row['epochs_to_target'], 1)} ({row['reached_target']}/{row['trainings']})",
        number(row["epochs_to_plateau"], 1),
        number(row["interventions"], 1),
        row["crashes"],
        metrics,
    )


def _range(values: dict[str, Any]) -> str:
    return f"[{number(values['ci_low'])}, {number(values['ci_high'])}]"


def _pooled(said: dict[str, Any]) -> str:
    rows = [
        (
            row["method"],
            number(row["iqm"]),
            _range(row),
            number(row["mean_of_tasks"]),
            f"{100 * row['overhead']:.1f} %",
            number(row["instability"]),
            f"{row['crashes']}/{row['trainings']}",
        )
        for row in sorted(said["pooled"], key=lambda row: -row["iqm"])
    ]
    header = ("method", "score", "95 %", "by task", "overhead", "instability", "crashes")
    title = "all tasks: interquartile mean over tasks and seeds; by task: mean of each task's own"
    return f"{title}\n{table(header, rows)}"


def _pairs(said: dict[str, Any]) -> str:
    if not said["pairs"]:
        return "no agent was compared"
    rows = [
        (
            pair["a"],
            pair["b"],
            f"{pair['iqm_difference']:+.4f}",
            f"[{pair['ci_low']:+.4f}, {pair['ci_high']:+.4f}]",
            f"{pair['of_tasks']['difference']:+.4f}",
            f"[{pair['of_tasks']['ci_low']:+.4f}, {pair['of_tasks']['ci_high']:+.4f}]",
            f"{pair['probability_of_improvement']:.2f}",
            verdict(pair),
        )
        for pair in said["pairs"]
    ]
    header = ("a", "b", "a - b", "95 %", "by task", "95 %", "P(a > b)", "")
    return f"differences\n{table(header, rows)}"


def verdict(pair: dict[str, Any]) -> str:
    """Return what an interval allows to claim; of few seeds it is too narrow to allow anything."""
    if pair["seeds"] < FEWEST_SEEDS:
        return "too few seeds to tell"
    if pair["ci_low"] > 0:
        return "a is better"
    return "b is better" if pair["ci_high"] < 0 else "no difference shown"


def _sensitivity(said: dict[str, Any]) -> str:
    rates = list(said["sensitivity"][0]["means"])
    rows = [
        (
            row["task"],
            row["method"],
            *(number(row["means"][rate]) for rate in rates),
            row["crashes"],
            number(row["over_best"]),
        )
        for row in said["sensitivity"]
    ]
    header = ("task", "method", *rates, "crashes", "all / best rate")
    return f"mean score from given initial rates\n{table(header, rows)}"


def _compute(said: dict[str, Any]) -> str:
    rows = [
        (
            row["method"],
            row["tuning_trainings"],
            number(row["seconds_of_one_use"], 1),
            _meta(row),
            number(row["seconds_with_meta_training"], 1),
            number(row["untuned_trainings_for_the_same_time"], 1),
        )
        for row in said["compute"]
    ]
    header = (
        "method", "tuning trainings", "seconds of one use", "meta-training", "with meta-training",
        "untuned trainings for that",
    )  # fmt: skip
    return (
        "total compute of one use (tuning and one training; meta-training is paid once)\n"
        f"{table(header, rows)}"
    )


def _meta(row: dict[str, Any]) -> str:
    seconds, decisions = row["meta_training_seconds"], row["meta_training_decisions"]
    if seconds is None:
        return f"{decisions:.0f} decisions, time not recorded"
    return f"{seconds:.0f} s" if decisions > 0 else "-"
