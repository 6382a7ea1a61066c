"""What a published table says about the recommended network, looked up after the search."""

from nas_core.report.data import ReportData
from nas_core.report.markup import Html, facts, section
from nas_core.tables.outcome import read_outcome


def published_section(data: ReportData) -> Html:
    """Return the reported columns; nothing for other trainers, or before the search has ended."""
    columns = read_outcome(data.run).get("columns")
    if not isinstance(columns, dict) or not columns:
        return Html("")
    note = (
        "The search saw one column only. These were read once it had ended, for the network that "
        "is best by that column, in the table's own unit."
    )
    pairs: list[tuple[str, object]] = [(str(name), f"{v:.3f}") for name, v in columns.items()]
    return section("table", "In the published table", f'{facts(pairs)}<p class="note">{note}</p>')
