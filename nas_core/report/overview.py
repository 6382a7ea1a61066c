"""The headline: what was searched, what came of it, and how to run it again."""

import shlex
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from nas_core.report.data import ReportData
from nas_core.report.markup import NOTHING, Html, accuracy, duration, esc, facts, plural
from nas_core.report.pictures import picture
from nas_core.report.retraining import chosen, retrained
from nas_core.store import METRICS, TrialRow
from nas_core.summary import failures, ranked, stopped_early

TITLES = {"metaqnn": "MetaQNN", "nasnet": "NASNet", "random": "Random search"}


def title(data: ReportData) -> str:
    """Return the run's method and data set as a title."""
    space, agent = str(data.plan.get("space", "architecture")), str(data.plan.get("agent", ""))
    name = TITLES.get(space, space)
    method = name if agent in ("", space) else f"{name} with {TITLES.get(agent, agent)}"
    return f"{method} on {_target(data)}"


def _target(data: ReportData) -> str:
    source, trainer = data.plan.get("data"), data.plan.get("trainer")
    if source is not None:
        return PurePath(str(source)).name
    if trainer == "table":
        return f"the table {PurePath(str(data.plan.get('table'))).name}"
    return "the mock trainer" if trainer == "mock" else "its own data"


def overview(data: ReportData) -> Html:
    """Return the page's head: one sentence, the figures, the winner and the command."""
    notices = "".join(f'<p class="notice">{esc(line)}</p>' for line in data.notices)
    started = f" · started {moment(data.events[0][0])}" if data.events else ""
    return Html(
        f'<header><p class="eyebrow">Architecture search · {esc(data.run.name)}{started}</p>'
        f'<h1>{esc(title(data))}</h1><p class="lead">{_sentence(data)}</p>{notices}'
        f"{_figures(data)}{_winner(data)}{_command(data)}</header>"
    )


def moment(unix: float) -> str:
    """Return a time as people write it, in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _sentence(data: ReportData) -> Html:
    finished = [row for row in data.rows if row.status is not None]
    if not finished:
        return Html("No trial has ended yet: come back when the first child has been scored.")
    unique = len({row.digest for row in finished})
    lost = sum(failures(finished).values())
    done = f"{plural(len(finished), 'proposal')} tried {plural(unique, 'different network')}"
    failed = "none failed" if lost == 0 else f"{lost} failed"
    best = ranked(finished)
    if not best:
        return esc(f"{done}; {failed} and no network has a score.")
    tail = f"the best one reached {accuracy(best[0].score)} on the validation split"
    return esc(f"{done} ({failed}); {tail}{_tested(data)}.")


def _tested(data: ReportData) -> str:
    winner = chosen(retrained(data.retraining))
    if winner is None or not winner.test:
        return ""
    return f", and the one chosen after retraining {winner.test_text} on the test split"


def _figures(data: ReportData) -> Html:
    rows = data.rows
    finished = [row for row in rows if row.status is not None]
    trained = [row for row in finished if row.credited_from is None]
    best = ranked(finished)
    winner = chosen(retrained(data.retraining))
    pairs: list[tuple[str, object]] = [
        ("best validation score", accuracy(best[0].score) if best else NOTHING),
        ("test accuracy, retrained", NOTHING if winner is None else winner.test_text),
        ("trials", _progress(len(finished), data.plan.get("trials"))),
        ("different networks", f"{len({row.digest for row in finished}):,}"),
        ("trained children", f"{len(trained):,}"),
        ("failed children", f"{sum(failures(finished).values()):,}"),
        ("wall-clock time", duration(data.seconds)),
        ("state", _ending(data)),
    ]
    if data.plan.get("stop_early"):
        found = stopped_early(finished)["stopped_early"]
        pairs.insert(6, ("stopped early", f"{found['children']:,}, {found['saved']:.0%} of epochs"))
    if len(rows) > len(finished):
        pairs.insert(6, ("waiting or running", f"{len(rows) - len(finished):,}"))
    return facts(pairs)


def _progress(done: int, planned: Any) -> str:
    if not isinstance(planned, int) or planned == done:
        return f"{done:,}"
    return f"{done:,} of {planned:,}"


def _ending(data: ReportData) -> str:
    """Return how the run ended as its log tells it: a killed driver leaves no last word."""
    last = next((event for event in reversed(data.events) if event[1] != METRICS), None)
    if last is None:
        return "not started"
    _, kind, detail = last
    if kind == "started":
        return "running, or killed"
    reason = detail.get("reason") if isinstance(detail, dict) else None
    return kind if reason is None else str(reason)


def _winner(data: ReportData) -> Html:
    best = ranked(data.rows)
    if not best:
        return Html("")
    top: TrialRow = best[0]
    drawing = picture(top, data.image)
    words = f"Best network: trial {top.number}, {accuracy(top.score)}"
    return Html(
        f'<div class="winner"><h3>{esc(words)}</h3>{drawing}'
        f'<code class="spec">{esc(top.text)}</code></div>'
    )


def _command(data: ReportData) -> Html:
    command = reproduce(data)
    if not command:
        return Html("")
    return Html(f'<p class="label">The same search again</p><pre>{esc(command)}</pre>')


def reproduce(data: ReportData) -> str:
    """Return the command that repeats the search; empty where the plan is not recorded."""
    plan = data.plan
    if not plan:
        return ""
    if "custom" in (plan.get("space"), plan.get("agent"), plan.get("trainer")):
        return "# started from Python with parts of its own: nas_core.search(...)"
    words = ["nas", "search", str(plan.get("space"))]
    first = plan.get("schedule_trials", plan.get("trials"))
    for name, value in {**plan, "trials": first}.items():
        if name in _OPTIONS and value is not None and value != _OPTIONS[name]:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    more = _extension(plan)
    again = "" if more == 0 else f"\nnas resume RUN --trials +{more}"
    return shlex.join([*words, "--run", "RUN"]) + again


def _extension(plan: dict[str, Any]) -> int:
    trials, first = plan.get("trials"), plan.get("schedule_trials")
    return trials - first if isinstance(trials, int) and isinstance(first, int) else 0


# Options that results depend on, with the value that need not be written.
_OPTIONS: dict[str, object] = {
    "agent": None,
    "trainer": "real",
    "data": None,
    "preset": "quick",
    "trials": None,
    "workers": 1,
    "asynchronous": False,
    "stop_early": False,
    "seed": None,
    "data_fraction": 1.0,
    "max_hours": None,
    "target": None,
    "control": None,
    "table": None,
    "search_column": None,
    "report_columns": None,
    "seconds_column": None,
    "reuse": None,
}
