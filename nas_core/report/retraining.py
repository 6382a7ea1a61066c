"""What retraining found: the chosen networks trained again in full, then tested once."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nas_core.report.data import ReportData
from nas_core.report.markup import (
    Html,
    accuracy,
    esc,
    figure,
    is_number,
    mean_and_spread,
    plural,
    section,
    table,
)

FRESH_SHOWN = 4  # names of layers


@dataclass(frozen=True)
class Retrained:
    """One architecture after retraining, one accuracy in [0, 1] per seed.

    Attributes:
        digest: Of the architecture.
        text: Its notation.
        search_score: Validation accuracy in the search; None where it is not known.
        validation: Accuracies on the validation split.
        test: Accuracies on the test split.
        start: "scratch" or "fine-tuned".
        inherited: Which weights it began with, in words; empty for none.
    """

    digest: str
    text: str
    search_score: float | None
    validation: tuple[float, ...]
    test: tuple[float, ...]
    start: str = "scratch"
    inherited: str = ""

    @property
    def test_text(self) -> str:
        """Mean and spread of the test accuracy."""
        return mean_and_spread(self.test)


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(v for v in value if is_number(v)) if isinstance(value, list) else ()


def retrained(value: dict[str, Any]) -> list[Retrained]:
    """Return the architectures of a retraining record, in its order."""
    rows = value.get("architectures")
    if not isinstance(rows, list):
        return []
    return [
        Retrained(
            digest=str(row.get("digest", "")),
            text=str(row.get("text", "")),
            search_score=row["search_score"] if is_number(row.get("search_score")) else None,
            validation=_numbers(row.get("validation_accuracy")),
            test=_numbers(row.get("test_accuracy")),
            start=str(row.get("start", "scratch")),
            inherited=_inherited(row),
        )
        for row in rows
        if isinstance(row, dict)
    ]


def _inherited(row: dict[str, Any]) -> str:
    copied, fresh = row.get("copied"), row.get("fresh")
    if not isinstance(copied, list) or not isinstance(fresh, list):
        return ""
    layers = plural(len(copied), "layer")
    anew = ", ".join(map(str, fresh)) if len(fresh) <= FRESH_SHOWN else plural(len(fresh), "layer")
    return f"{layers} from {row.get('init_from', '')}; anew: {anew or 'none'}"


def chosen(networks: Sequence[Retrained]) -> Retrained | None:
    """Return the network with the best mean validation accuracy: the test split chooses nothing."""
    if not networks:
        return None
    return max(networks, key=lambda network: fmean(network.validation or (-1.0,)))


def retraining_section(data: ReportData) -> Html:
    """Return the section on retraining; nothing before there was one."""
    networks = retrained(data.retraining)
    if not networks:
        return Html("")
    details = _confusion(data.retraining) + _per_class(data.retraining)
    side = f'<div class="grid">{details}</div>' if details else ""
    body = _table(networks, data.retraining) + _notes(data.retraining) + side
    return section("retraining", "Retrained and tested", body)


def _table(networks: Sequence[Retrained], value: dict[str, Any]) -> Html:
    winner = chosen(networks)
    tuned = any(network.start != "scratch" for network in networks)
    rows: list[list[object]] = [
        [
            Html(f"{_mark(network is winner)}<code>{esc(network.text)}</code>"),
            *([_start(network)] if tuned else []),
            accuracy(network.search_score),
            mean_and_spread(network.validation),
            network.test_text,
            max(len(network.validation), len(network.test)),
        ]
        for network in networks
    ]
    baseline = value.get("baseline")
    if isinstance(baseline, dict):
        tests, checks = (_numbers(baseline.get(f"{s}_accuracy")) for s in ("test", "validation"))
        name = Html(f'<b class="tag">by hand</b><code>{esc(baseline.get("text", ""))}</code>')
        start = ["scratch"] if tuned else []
        figures = mean_and_spread(checks), mean_and_spread(tests), len(tests)
        rows.append([name, *start, "", *figures])
    start = ["start"] if tuned else []
    return table(
        ("network", *start, "search score", "validation", "test", "seeds"), rows, numeric=4
    )


def _start(network: Retrained) -> Html:
    """Return how a training began; the inherited weights in small print."""
    small = f'<p class="note">{esc(network.inherited)}</p>' if network.inherited else ""
    return Html(f"{esc(network.start)}{small}")


def _mark(is_chosen: bool) -> str:
    return '<b class="tag good">chosen</b>' if is_chosen else ""


def _notes(value: dict[str, Any]) -> Html:
    rank = value.get("rank_correlation")
    notes = [
        "Mean ± standard deviation over seeds. Networks are chosen on the validation split only."
    ]
    if isinstance(value.get("baseline"), dict):
        notes.append("By hand: a plain network that nobody searched for, trained the same way.")
    if any(network.start != "scratch" for network in retrained(value)):
        notes.append("Fine-tuned: begun with another model's weights, as many epochs.")
    if is_number(rank):
        notes.append(
            f"Rank correlation between search scores and retrained scores: {rank:+.2f} "
            "(1 means that the search ranked them as full training does, 0 that it told nothing)."
        )
    return Html(f'<p class="note">{esc(" ".join(notes))}</p>')


def _confusion(value: dict[str, Any]) -> Html:
    found = value.get("confusion")
    found = found if isinstance(found, dict) else {}
    classes, matrix = found.get("classes"), found.get("matrix")
    if not isinstance(classes, list) or not isinstance(matrix, list) or not matrix:
        return Html("")
    rows = [_numbers(row) for row in matrix]
    head = "".join(f'<th scope="col"><span>{esc(name)}</span></th>' for name in classes)
    body = "".join(_confusion_row(classes, index, row) for index, row in enumerate(rows))
    total, right = sum(map(sum, rows)), sum(row[i] for i, row in enumerate(rows) if i < len(row))
    caption = (
        f"Rows: true class; columns: answer. {right:.0f} of {plural(int(total), 'example')} right."
    )
    heat = f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"
    grid = f'<div class="scroll"><table class="confusion">{heat}</table></div>'
    return figure("Confusion on the test split", grid, caption)


def _confusion_row(classes: list[Any], index: int, row: tuple[float, ...]) -> str:
    total = sum(row)
    cells = ""
    for column, count in enumerate(row):
        share = count / total if total > 0 else 0.0
        css = "right" if column == index else "wrong"
        strong = " strong" if share > 0.55 else ""
        cells += f'<td class="{css}{strong}" style="--share:{share:.3f}">{count:.0f}</td>'
    name = classes[index] if index < len(classes) else index
    return f'<tr><th scope="row">{esc(name)}</th>{cells}</tr>'


def _per_class(value: dict[str, Any]) -> Html:
    classes = value.get("per_class_accuracy")
    if not isinstance(classes, dict):
        return Html("")
    rows = "".join(
        f'<li><span>{esc(name)}</span><i style="--share:{share:.4f}"></i><b>{share:.3f}</b></li>'
        for name, share in classes.items()
        if is_number(share)
    )
    return figure("Accuracy per class", f'<ul class="meters">{rows}</ul>') if rows else Html("")
