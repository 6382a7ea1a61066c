"""What training jobs were billed: by trial, from the results and from `nas sagemaker cost`."""

from typing import Any

from nas_core.files import read_json
from nas_core.report.data import ReportData
from nas_core.report.markup import Html, duration, esc, facts, figure, is_number, section, table

BILL = "cost.json"  # in the run's folder
DETAILS = "sagemaker"  # in a result's details: its job, its share of the job's billed seconds


def bill_section(data: ReportData) -> Html:
    """Return the bill of a run with training jobs; nothing for other runs."""
    bill = _bill(data)
    by_trial = _by_trial(data)
    jobs = bill.get("jobs") if isinstance(bill.get("jobs"), list) else []
    if not by_trial and not jobs:
        return Html("")
    body = facts(_total(bill, by_trial))
    if jobs:
        source = f"Prices: {esc(bill.get('prices', 'unknown'))}."
        body = Html(body + figure("Jobs", _jobs(bill), source))
    if by_trial:
        rows = [(number, job, f"{seconds:.0f}") for number, job, seconds in by_trial]
        note = "A job's seconds are shared by its trials; what is billed includes its start."
        trials = table(("trial", "job", "billed s"), rows, numeric=1)
        body = Html(body + figure("Billed seconds by trial", trials, note))
    return section("bill", "Training jobs", body)


def _bill(data: ReportData) -> dict[str, Any]:
    """Return what `nas sagemaker cost` kept; empty where nobody has asked, or it is damaged."""
    try:
        value = read_json(data.run / BILL)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _by_trial(data: ReportData) -> list[tuple[int, str, float]]:
    """Return number, job and billed seconds of each trial that a job has trained."""
    found = []
    for row in data.rows:
        if row.result_json is None or row.credited_from is not None:
            continue
        about = (row.result.details or {}).get(DETAILS)
        if isinstance(about, dict) and is_number(about.get("billed_seconds")):
            found.append((row.number, str(about.get("job", "")), float(about["billed_seconds"])))
    return found


def _total(
    bill: dict[str, Any], by_trial: list[tuple[int, str, float]]
) -> list[tuple[str, object]]:
    seconds = bill.get("billed_seconds", sum(item[2] for item in by_trial))
    pairs: list[tuple[str, object]] = [("billed", duration(seconds))]
    if is_number(bill.get("money")):
        pairs.append(("cost", f"{bill['money']:.2f} {bill.get('currency', '')}"))
    if isinstance(bill.get("instance"), str):
        pairs.append(("instance", bill["instance"]))
    return pairs


def _jobs(bill: dict[str, Any]) -> Html:
    rows = [
        (
            row.get("job", ""),
            row.get("kind", ""),
            " ".join(map(str, row.get("trials", []))),
            row.get("status", ""),
            _number(row.get("billed_seconds"), 0),
            _number(row.get("money"), 4),
        )
        for row in bill["jobs"]
        if isinstance(row, dict)
    ]
    currency = str(bill.get("currency", ""))
    return table(("job", "kind", "trials", "status", "billed s", currency), rows, numeric=2)


def _number(value: Any, digits: int) -> str:
    return f"{value:.{digits}f}" if is_number(value) else "-"
