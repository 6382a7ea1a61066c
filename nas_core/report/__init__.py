"""One self-contained HTML page about a run: `write_report(run)`."""

from nas_core.report.page import write_report

__all__ = ["write_report"]
