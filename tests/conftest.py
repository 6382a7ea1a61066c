"""Shared fixtures: the place of the optional real data sets, a quiet TensorFlow, one thread."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# As `nas` itself does: for small matrices NumPy's threads cost more than they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
pytest_plugins = ["s3_server"]  # in tests/support: servers start when a test asks for one


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Return a function from a relative path to the real data file, or skip and name it."""
    base = Path(os.environ.get("NAS_SHARED_DATA", ROOT.parent / "shared" / "data"))

    def find(relative: str) -> Path:
        path = base / relative
        if not path.exists():
            pytest.skip(f"missing {path}: set NAS_SHARED_DATA to a folder that holds {relative}")
        return path

    return find


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, and how to have it run."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"skipped {report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything is installed (NAS_FAIL_ON_SKIP=1), a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NAS_FAIL_ON_SKIP") == "1" and reporter.stats.get("skipped"):
        session.exitstatus = 1
