"""The progress lines: what they show of the executor's workers."""

import pytest

from nas_core.cli.progress import SearchProgress
from nas_core.executors.inline import InlineExecutor
from nas_core.plan import Plan
from nas_core.store import TrialRow
from nas_core.trainer.mock import MockTrainer

PLAN = Plan("metaqnn", "metaqnn", trials=1)


class Cluster(InlineExecutor):
    def state(self) -> str:
        return "2 nodes, 3/4 busy"


@pytest.fixture
def row(tmp_path):
    import nas_core.api

    rows: list[TrialRow] = []
    nas_core.api.search(
        "metaqnn", trainer="mock", trials=1, control=None, run=tmp_path / "run",
        on_trial=lambda plan, row: rows.append(row),
    )  # fmt: skip
    return rows[0]


@pytest.mark.parametrize(("kind", "shown"), [(Cluster, True), (InlineExecutor, False)])
def test_workers_are_shown_where_the_executor_speaks_of_them(kind, shown, row, capsys):
    with SearchProgress() as progress:
        progress.watch(kind(MockTrainer()))
        progress(PLAN, row)
    line = capsys.readouterr().err
    assert ("2 nodes, 3/4 busy" in line) is shown
    assert "metaqnn 1/1" in line


def test_the_bar_asks_for_the_workers_at_each_refresh(row, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    with SearchProgress() as progress:
        progress.watch(Cluster(MockTrainer()))
        progress(Plan("metaqnn", "metaqnn", trials=2), row)
        progress._bar.refresh()
    assert "2 nodes, 3/4 busy" in capsys.readouterr().err
