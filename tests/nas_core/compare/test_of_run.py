"""A run's own comparison: made once, for its own space, and honest about what it cannot say."""

import json

import pytest
from small_spaces import GridSpace, GridTrainer
from tiny_tables import own_npz

import nas_core.api
from nas_core.compare import of_run
from nas_core.compare.of_run import COMPARISON, comparison_of
from nas_core.datasets.test_split import read_openings
from nas_core.store import RunStore
from nas_core.tables.outcome import OUTCOME


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(of_run, "SEEDS", 3)
    monkeypatch.setattr(of_run, "MOST", 12)
    monkeypatch.setattr(of_run, "SECONDS", 1e9)


def searched(folder, space="metaqnn", **options):
    options = {"trainer": "mock", "trials": 15, "control": None, **options}
    nas_core.api.search(space, run=folder, **options)
    with RunStore.open(folder) as store:
        return store.config


def test_agent_evolution_and_random_are_compared_on_the_mock(tmp_path):
    found = comparison_of(tmp_path / "r", searched(tmp_path / "r"))
    assert (found["space"], found["trainer"], found["seeds"]) == ("metaqnn", "mock", 3)
    assert found["evaluations"] == 12
    assert list(found["curves"]) == ["metaqnn", "evolution", "random"]
    assert found["verdicts"][0].startswith("metaqnn ")
    assert "random search (P = " in found["verdicts"][0]
    assert found["trust"].startswith("the mock is fitted to ")
    for line in found["curves"].values():
        assert len(line["mean"]) == 12
        rows = zip(line["low"], line["mean"], line["high"], strict=True)
        assert all(low <= mean <= high for low, mean, high in rows)


def test_it_is_made_once_and_again_where_scores_have_changed(tmp_path, monkeypatch):
    config = searched(tmp_path / "r")
    first = comparison_of(tmp_path / "r", config)
    monkeypatch.setattr(of_run, "compare", None)  # cannot be called
    assert comparison_of(tmp_path / "r", config) == first
    monkeypatch.setattr("nas_core.trainer.mock._calibration_digest", lambda: "another")
    with pytest.raises(TypeError):
        comparison_of(tmp_path / "r", config)


@pytest.mark.parametrize("damage", ["", "[1]"])
def test_a_damaged_record_is_made_anew(tmp_path, damage):
    config = searched(tmp_path / "r")
    first = comparison_of(tmp_path / "r", config)
    (tmp_path / "r" / COMPARISON).write_text(damage)
    assert comparison_of(tmp_path / "r", config) == first
    assert json.loads((tmp_path / "r" / COMPARISON).read_text()) == first


def test_a_slow_agent_gets_fewer_evaluations(tmp_path, monkeypatch):
    monkeypatch.setattr(of_run, "SECONDS", 0.0)
    assert comparison_of(tmp_path / "r", searched(tmp_path / "r"))["evaluations"] == of_run.LEAST


def test_on_a_table_it_waits_for_the_end_and_is_recorded(tmp_path):
    options = {"trainer": "table", "table": own_npz(tmp_path / "t.npz"), "search_column": "val",
               "report_columns": "test,hours", "agent": "evolution"}  # fmt: skip
    config = searched(tmp_path / "r", "table", **options)
    found = comparison_of(tmp_path / "r", config)
    assert (found["metric"], found["trust"]) == ("test", "")
    assert list(found["curves"]) == ["evolution", "random"]
    digest = config["identity"]["trainer"]["table"]
    assert [line["digest"] for line in read_openings(tmp_path / "r")] == [digest, digest]
    (tmp_path / "r" / OUTCOME).unlink()
    assert "once the search has ended" in comparison_of(tmp_path / "r", config)["note"]
    assert len(read_openings(tmp_path / "r")) == 2


def test_what_cannot_be_compared_is_said_in_one_sentence(tmp_path):
    own = searched(tmp_path / "own", GridSpace(5, 3), trainer=GridTrainer(), executor="inline")
    assert "its caller's own" in comparison_of(tmp_path / "own", own)["note"]
    config = searched(tmp_path / "r")
    config["plan"]["agent"] = "nobody"
    assert "Not compared: expected an agent" in comparison_of(tmp_path / "r", config)["note"]
    assert comparison_of(tmp_path / "r", {}) == {}


def test_a_folder_that_cannot_be_written_is_compared_all_the_same(tmp_path, monkeypatch):
    def refuse(path, value):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(of_run, "write_json", refuse)
    assert comparison_of(tmp_path / "r", searched(tmp_path / "r"))["seeds"] == 3
