"""The best architectures: their pictures, their figures, and what accuracy costs."""

import json
from collections.abc import Sequence

from nas_core.report.cell_picture import cell_legend
from nas_core.report.chain_picture import chain_legend
from nas_core.report.cost_charts import cost_charts
from nas_core.report.data import ReportData
from nas_core.report.markup import (
    NOTHING,
    Html,
    accuracy,
    duration,
    esc,
    facts,
    mean_and_spread,
    section,
    short,
    whole,
)
from nas_core.report.pictures import picture
from nas_core.report.retraining import Retrained, retrained
from nas_core.spec import CellSpec, ChainSpec
from nas_core.store import TrialRow
from nas_core.summary import ranked

SHOWN = 10


def best_section(data: ReportData) -> Html:
    """Return the section on the best architectures; nothing while none has a score."""
    order = ranked(data.rows)
    if not order:
        return Html("")
    # Two starts of one network: the first is the better one.
    again = {network.digest: network for network in reversed(retrained(data.retraining))}
    cards = "".join(
        _card(rank, row, again.get(row.digest), data) for rank, row in enumerate(order[:SHOWN], 1)
    )
    charts = f'<div class="grid">{cost_charts(order)}</div>'
    return section("best", "Best architectures", _key(order[:SHOWN]) + cards + charts)


CHAIN_NOTE = (
    "Each box is one layer's output: its height is the size of the map, its width grows with "
    "the channels. Bows are skip inputs."
)
CELL_NOTE = (
    "A network repeats its cells. In a cell, h0 is the output of the cell before and h1 that of "
    "the one before it; every block joins the results of two operations to the next h, and what "
    "no block reads is concatenated."
)


def _key(rows: Sequence[TrialRow]) -> str:
    """Return how to read the pictures; nothing where there is none."""
    values = [json.loads(row.spec_json) for row in rows]
    chains = [value for value in values if value.get("type") == ChainSpec.type]
    cells = [CellSpec.from_json(value) for value in values if value.get("type") == CellSpec.type]
    key = ""
    if chains:
        kinds = {layer["layer"] for value in chains for layer in value["layers"]}
        key += f'<p class="note">{CHAIN_NOTE}</p>{chain_legend(kinds | {"image"})}'
    if cells:
        key += f'<p class="note">{CELL_NOTE}</p>{cell_legend(cells)}'
    return key


def _card(rank: int, row: TrialRow, again: Retrained | None, data: ReportData) -> str:
    pairs: list[tuple[str, object]] = [
        ("score", accuracy(row.score)),
        ("retrained, test", NOTHING if again is None else again.test_text),
        ("parameters", whole(row.parameters)),
        ("MACs", short(row.macs)),
        ("trained for", duration(row.seconds)),
        ("trial", row.number),
    ]
    if again is not None and not again.test:
        pairs[1] = ("retrained, validation", mean_and_spread(again.validation))
    return (
        f'<article class="card"><div class="rank">{rank}</div>{facts(pairs)}'
        f'{picture(row, data.image)}<code class="spec">{esc(row.text)}</code></article>'
    )
