"""The record: failures, costs, openings of the test split, settings, versions and the log."""

import json
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from nas_core.report.data import ReportData
from nas_core.report.markup import Html, duration, esc, facts, figure, plural, section, short, table
from nas_core.report.overview import moment
from nas_core.store import METRICS, TrialRow
from nas_core.summary import failures

LATEST = 50


def failures_section(data: ReportData) -> Html:
    """Return the failed children by status, each with its most recent message."""
    counts = failures(data.rows)
    if not any(row.status is not None for row in data.rows):
        return Html("")
    if not counts:
        body = Html('<p class="note">No child failed.</p>')
    else:
        rows = [(status, *_example(data.rows, status), count) for status, count in counts.items()]
        body = table(("status", "for example", "message", "children"), rows, numeric=1)
    return section("failures", "Failures", body)


def _example(rows: Sequence[TrialRow], status: str) -> tuple[str, str]:
    """Return the number and the message of the latest child that ended in `status`."""
    row = next(r for r in reversed(rows) if r.status == status and r.credited_from is None)
    return f"trial {row.number}", "no message" if row.message is None else row.message


def costs_section(data: ReportData) -> Html:
    """Return what the search spent, and every opening of the test split."""
    trained = [r for r in data.rows if r.status is not None and r.credited_from is None]
    spent = [row.seconds for row in trained if row.seconds is not None]
    pairs: list[tuple[str, object]] = [("wall-clock time", duration(data.seconds))]
    if spent:
        pairs += [
            ("all children together", duration(sum(spent))),
            ("a child, mean", duration(fmean(spent))),
            ("a child, median", duration(median(spent))),
            ("the longest child", duration(max(spent))),
        ]
    pairs += _range("parameters", [r.parameters for r in trained if r.parameters is not None])
    pairs += _range("MACs", [r.macs for r in trained if r.macs is not None])
    return section("costs", "Costs", facts(pairs) + _simulated(data) + _openings(data))


def _range(name: str, values: Sequence[int]) -> list[tuple[str, object]]:
    return [(name, f"{short(min(values))} to {short(max(values))}")] if values else []


def _simulated(data: ReportData) -> str:
    if data.plan.get("trainer") != "mock":
        return ""
    return '<p class="note">The mock trainer simulates its scores and the seconds of a child.</p>'


def _openings(data: ReportData) -> str:
    if not data.openings:
        return '<p class="note">The test split was never opened.</p>'
    rows = [
        [str(line.get(key, "")) for key in ("time", "reason", "dataset")] for line in data.openings
    ]
    opened = table(("opened at", "why", "data set"), rows)
    return figure("Openings of the test split", opened, "Each one is recorded before it happens.")


def settings_section(data: ReportData) -> Html:
    """Return seeds, versions, the whole configuration and the end of the log."""
    plan = [(name, _plain(value)) for name, value in data.plan.items() if value is not None]
    versions = data.config.get("versions")
    found = versions.items() if isinstance(versions, dict) else ()
    everything = esc(json.dumps(data.config, indent=2, ensure_ascii=False))
    body = (
        (facts(plan) if plan else "")
        + (f"<h3>Versions</h3>{facts((n, _plain(v)) for n, v in found)}" if found else "")
        + f"<details><summary>The whole configuration</summary><pre>{everything}</pre></details>"
        + _log(data)
    )
    return section("settings", "Seed, settings, versions", body)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _log(data: ReportData) -> str:
    shown = [event for event in data.events if event[1] != METRICS]
    if not shown:
        return ""
    rows = [(moment(when), kind, "" if detail is None else _plain(detail))
            for when, kind, detail in shown[-LATEST:]]  # fmt: skip
    log = table(("time", "event", "detail"), rows)
    return f"<details><summary>Log ({plural(len(shown), 'event')})</summary>{log}</details>"
