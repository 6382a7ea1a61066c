"""The page: one HTML file with its style inside, no script and nothing fetched from anywhere."""

import time
from dataclasses import replace
from pathlib import Path

from nas_core.artefacts import note
from nas_core.compare.of_run import comparison_of
from nas_core.errors import RunError
from nas_core.files import write_text
from nas_core.report.best import best_section
from nas_core.report.bill import bill_section
from nas_core.report.comparison import comparison_section
from nas_core.report.data import ReportData, load
from nas_core.report.markup import esc
from nas_core.report.overview import moment, overview, title
from nas_core.report.policy import policy_section
from nas_core.report.progress import progress_section
from nas_core.report.published import published_section
from nas_core.report.record import costs_section, failures_section, settings_section
from nas_core.report.retraining import retraining_section
from nas_core.report.steering import steering_section
from nas_core.report.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SECTIONS = (
    progress_section,
    comparison_section,
    policy_section,
    best_section,
    published_section,
    retraining_section,
    steering_section,
    failures_section,
    costs_section,
    bill_section,
    settings_section,
)


def write_report(run: Path, out: Path | None = None, *, comparison: bool = True) -> Path:
    """Write a run's report as one self-contained HTML file and return its path.

    The run's database is only read: a search may be going on in it.

    Args:
        run: The run's folder.
        out: The file to write; None for ``report.html`` in the run's folder.
        comparison: Whether to compare the run's agent with random search over many seeds, which
            takes seconds and is kept in the run's folder.

    Raises:
        RunError: There is no readable run, or the file cannot be written.
    """
    target = run / "report.html" if out is None else out
    data = load(run)
    if comparison:
        found = comparison_of(run, data.config)
        data = replace(load(run), comparison=found)  # it may have opened a table
    page = render(data)
    try:
        write_text(target, page)
        note(run, target)
    except OSError as error:
        raise RunError(
            f"expected to write {target} ({error.strerror}): choose another place with --out"
        ) from error
    return target


def render(data: ReportData) -> str:
    """Return the whole page."""
    name = esc(title(data))
    body = "".join(section(data) for section in SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{name}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{overview(data)}\n{body}\n"
        f"<footer>Written {moment(time.time())} from {esc(data.run)}. "
        "Scores are accuracies on the validation split, between 0 and 1.</footer>"
        "</main></body></html>\n"
    )
