"""How the search went: best so far beside the control, every trial, the phases of epsilon."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from statistics import fmean

from nas_core.report.charts import Bar, Dot, Frame, bars, chart, crosses, curve, dots
from nas_core.report.data import SCORE, ReportData
from nas_core.report.learning_curves import learning_curves
from nas_core.report.markup import NOTHING, Html, accuracy, esc, figure, legend, plural, section
from nas_core.report.scales import counted, fitted
from nas_core.store import TrialRow
from nas_core.summary import mean_by_epsilon
from nas_core.trainer.base import Status

COLOURS = 10  # of phases, from the style sheet: p0 (all random) to p9 (all greedy)
LANES = {Status.OUT_OF_MEMORY: "memory"}  # names that are too long for the margin
LONGEST_HOVER = 120


def progress_section(data: ReportData) -> Html:
    """Return the section on the course of the search; nothing before the first result."""
    finished = [row for row in data.rows if row.status is not None]
    if not finished:
        return Html("")
    charts = _best_so_far(finished, data) + _every_trial(finished) + _by_phase(finished)
    charts += learning_curves(finished)
    return section("search", "The search", f'<div class="grid">{charts}</div>')


def best_so_far(rows: Sequence[TrialRow]) -> list[tuple[int, float]]:
    """Return (trial, best score up to it) for finished trials, from the first score on."""
    scores = [-inf if row.score is None else row.score for row in rows]
    best = accumulate(scores, max)
    return [(row.number, value) for row, value in zip(rows, best, strict=True) if value > -inf]


def _best_so_far(rows: Sequence[TrialRow], data: ReportData) -> Html:
    mine = best_so_far(rows)
    if not mine:
        return Html("")
    control = [row for row in data.control or [] if row.status is not None]
    other = best_so_far(control)
    agent = str(data.plan.get("agent", "the agent"))
    frame = Frame(
        "Best score so far over trials",
        counted("trial", max(rows[-1].number, control[-1].number if control else 0)),
        fitted(SCORE, [value for _, value in mine + other]),
    )
    lines = [
        curve(frame, _held(other, control), "control", f"{data.control_agent}: best so far", True),
        curve(frame, _held(mine, rows), "agent", f"{agent}: best so far", True),
    ]
    keys = [("agent", agent)] + ([("control", f"{data.control_agent} (control)")] if other else [])
    return figure("Best so far", chart(frame, lines), esc(_verdict(rows, data)), legend(keys))


def _held(best: list[tuple[int, float]], rows: Sequence[TrialRow]) -> list[tuple[int, float]]:
    """Draw the best on to the last trial even where the end brought nothing better."""
    return [*best, (rows[-1].number, best[-1][1])] if best else []


def _verdict(rows: Sequence[TrialRow], data: ReportData) -> str:
    agent = str(data.plan.get("agent", "the agent"))
    if data.control is not None:
        control = [row for row in data.control if row.status is not None]
        return comparison(rows, control, agent, data.control_agent)
    if agent == "random":
        return "Random search learns nothing: it is the control that agents are compared with."
    if data.plan.get("control") is not None:
        return "The control, with the same seed and budget, runs when the search has finished."
    return (
        "No control was run. --control random gives random search the same seed and budget: "
        "without it nobody can tell whether the agent helped."
    )


def comparison(
    rows: Sequence[TrialRow], control: Sequence[TrialRow], agent: str, other: str
) -> str:
    """Return one honest sentence or two on the agent beside its control.

    Args:
        rows: The agent's finished trials; as many of each are compared as both have.
        control: The control's finished trials.
        agent: Name of the agent.
        other: Name of the control.
    """
    both = min(len(rows), len(control))
    mine = [row.score for row in rows[:both] if row.score is not None]
    theirs = [row.score for row in control[:both] if row.score is not None]
    if not mine or not theirs:
        return "The control has no score to compare with yet."
    verdict = "beats" if max(mine) > max(theirs) else "does not beat"
    return (
        f"After {plural(both, 'trial')} each, {agent} {verdict} {other}: best {max(mine):.4f} "
        f"against {max(theirs):.4f}, mean of all proposals {fmean(mine):.4f} against "
        f"{fmean(theirs):.4f}. One seed is one draw: compare several before believing it."
    )


def phases(rows: Sequence[TrialRow]) -> dict[float, str]:
    """Return each epsilon's class of colour, highest epsilon first."""
    found = sorted({row.epsilon for row in rows if row.epsilon is not None}, reverse=True)
    last = max(len(found) - 1, 1)
    return {value: f"p{round(i * (COLOURS - 1) / last)}" for i, value in enumerate(found)}


def hover(row: TrialRow) -> str:
    """Return what is said about a trial where the pointer rests on it."""
    epsilon = "" if row.epsilon is None else f", epsilon {row.epsilon:g}"
    again = "" if row.credited_from is None else f", repeats trial {row.credited_from}"
    outcome = row.status.value if row.score is None and row.status else accuracy(row.score)
    text = row.text if len(row.text) <= LONGEST_HOVER else f"{row.text[:LONGEST_HOVER]}…"
    return f"trial {row.number}: {outcome}{epsilon}{again}\n{text}"


def _every_trial(rows: Sequence[TrialRow]) -> Html:
    failed = [row for row in rows if row.score is None]
    lanes = sorted({_lane(row) for row in failed})
    frame = Frame(
        "Score of every trial",
        counted("trial", rows[-1].number),
        fitted(SCORE, [row.score for row in rows if row.score is not None]),
        lanes,
    )
    colours = phases(rows)
    marks = [
        crosses(frame, lane, [(r.number, hover(r)) for r in failed if _lane(r) == lane], "bad")
        for lane in lanes
    ]
    for repeated in (False, True):
        for epsilon in [*colours, None]:
            group = [
                Dot(row.number, row.score, hover(row))
                for row in rows
                if row.score is not None
                and row.epsilon == epsilon
                and (row.credited_from is not None) == repeated
            ]
            css = "agent" if epsilon is None else colours[epsilon]
            marks.append(dots(frame, group, f"{css} hollow" if repeated else css))
    return figure("Every trial", chart(frame, marks), key=_key(rows, colours))


def _lane(row: TrialRow) -> str:
    if row.status is None:
        return NOTHING
    return LANES.get(row.status, row.status.value)


def _key(rows: Sequence[TrialRow], colours: dict[float, str]) -> Html:
    keys = [(css, f"ε {epsilon}") for epsilon, css in colours.items()]
    if not colours and any(row.score is not None for row in rows):
        keys = [("agent", "trial")]
    if any(row.credited_from is not None for row in rows):
        keys.append(("hollow", "repeat, credited"))
    if any(row.score is None for row in rows):
        keys.append(("cross", "failed"))
    return legend(keys)


def _by_phase(rows: Sequence[TrialRow]) -> Html:
    means = mean_by_epsilon(rows)
    if not means:
        return Html("")
    colours = {str(epsilon): css for epsilon, css in phases(rows).items()}
    counts = Counter(str(row.epsilon) for row in rows if row.score is not None)
    columns = [Bar(f"ε {name}", f"n={counts[name]}", means[name], colours[name]) for name in means]
    y = fitted(f"mean {SCORE}", means.values(), zero=True)
    caption = (
        "Mean over all scored proposals of a phase, repeats included. Rising towards a small "
        "epsilon means that what was learned proposes better networks than chance does."
    )
    return figure("Mean accuracy per epsilon", bars("Mean per epsilon", y, columns), caption)
