"""What a controller did to the learning rates of children and of retrained networks."""

from collections.abc import Iterator
from typing import Any

from nas_core.report.data import ReportData
from nas_core.report.markup import Html, esc, is_number, section, table
from nas_core.summary import ranked
from nas_core.trainer.control import CONTROLLED

SHOWN = 10  # best children
EVENTS_SHOWN = 30  # of one training

NOTE = (
    "The learning rate was decided after each epoch by a trained agent, in place of a schedule. An "
    "epoch whose validation loss rose above 1.5 times the one before was taken back; a cut "
    "of the rate early in a training that had learned nothing brought the first weights back."
)


def steering_section(data: ReportData) -> Html:
    """Return the interventions of the best children and the retrained networks; or nothing."""
    rows = list(_rows(data))
    if not rows:
        return Html("")
    head = ("training", "interventions", "learning rate after each, with its epoch", "network")
    return section(
        "steering", "Under a controller", f'<p class="note">{NOTE}</p>{table(head, rows)}'
    )


def _rows(data: ReportData) -> Iterator[list[object]]:
    for row in ranked(data.rows)[:SHOWN]:
        told = (row.result.details or {}).get(CONTROLLED)
        if isinstance(told, dict):
            yield _row(f"trial {row.number}", told, row.text)
    again = data.retraining.get(CONTROLLED)
    for told in again if isinstance(again, list) else []:
        if isinstance(told, dict):
            yield _row("retrained", told, str(told.get("text", "")))


def _row(name: str, told: dict[str, Any], text: str) -> list[object]:
    events = told.get("interventions")
    events = [event for event in events if isinstance(event, dict)] if events else []
    shown = [_event(event) for event in events[:EVENTS_SHOWN]]
    more = [f"and {len(events) - EVENTS_SHOWN} more"] if len(events) > EVENTS_SHOWN else []
    return [name, len(events), "; ".join(shown + more), Html(f"<code>{esc(text)}</code>")]


def _event(event: dict[str, Any]) -> str:
    rate = event.get("learning_rate")
    value = f"{rate:.2g}" if is_number(rate) else "?"
    kind = str(event.get("event", ""))
    return f"{event.get('epoch', '?')}: {value}" + ("" if kind == "changed" else f" ({kind})")
