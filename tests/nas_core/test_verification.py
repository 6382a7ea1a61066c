"""`nas show RUN --verify`: each kind of damage is named, in one line with what to do."""

import json
import sqlite3

import pytest
from command_line import nas_here
from frozen_scores import FrozenScores

import nas_core
from nas_core import artefacts
from nas_core.database import DATABASE
from nas_core.datasets.test_split import record_opening
from nas_core.errors import RunError
from nas_core.files import write_json, write_text
from nas_core.generations import COPY
from nas_core.report import write_report
from nas_core.rows import seal
from nas_core.store import RunStore


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a control, artefacts, a repeat and a failure."""
    folder = tmp_path_factory.mktemp("runs") / "r"
    nas_core.search(
        "metaqnn", None, agent="metaqnn", trainer=FrozenScores(), trials=24, seed=3, run=folder,
        executor="inline", workers=1, control="random",
    )  # fmt: skip
    write_json(folder / "retrain.json", {"architectures": []})
    write_text(folder / "report.html", "<html></html>")
    artefacts.note(folder, folder / "retrain.json", folder / "report.html")
    record_opening(folder, "final", "leaves", "0")
    with RunStore.open(folder) as store:
        rows = store.trials()
    assert any(row.credited_from is not None for row in rows)
    assert any(row.status is not None and row.score is None for row in rows)
    return folder


@pytest.fixture
def run(made, tmp_path):
    import shutil

    return shutil.copytree(made, tmp_path / "r")


def change(run, statement):
    """Change rows as a faulty writer would: with right checksums."""
    database = sqlite3.connect(run / DATABASE)
    seal(database)
    with database:
        database.execute(statement)
    database.close()


def lines(run):
    return [str(finding) for finding in nas_core.verify(run)]


def test_a_run_as_it_was_written_has_no_findings(run):
    assert lines(run) == []
    done = nas_here("show", run, "--verify", cwd=run)
    assert "all as it was written" in done.stdout


STORIES = [
    ("UPDATE trials SET reward = NULL WHERE number = 3", "trial 3", "reward without"),
    ("UPDATE trials SET observed = 99 WHERE number = 3", "the agent", "gaps"),
    ("UPDATE trials SET status = NULL WHERE number = 3", "trial 3", "observed without a result"),
    ("UPDATE trials SET result = NULL WHERE number = 3", "trial 3", "status without a result"),
    ("UPDATE trials SET score = 0.99 WHERE number = 3", "trial 3", "not its result's"),
    ("UPDATE trials SET digest = 'v1:0' WHERE number = 3", "trial 3", "another digest"),
    ("UPDATE trials SET known = 9 WHERE number = 3", "trial 3", "knowledge of 9"),
    ("UPDATE trials SET spec = '{}' WHERE number = 3", "trial 3", "expected"),
    ("UPDATE trials SET credited_from = 77 WHERE credited_from >= 0", "trial", "not there"),
    ("UPDATE trials SET credited_from = 3 WHERE credited_from >= 0", "trial", "another arch"),
    ("DELETE FROM trials WHERE number = 3", "trial 3", "missing"),
    ("UPDATE agent SET observed = 999", "the agent", "knows 999"),
    ("UPDATE agent SET observed = 1", "the agent", "is behind: 1 of 24"),
    ("UPDATE meta SET value = '{}' WHERE key = 'config'", "meta config", "no plan"),
]


@pytest.mark.parametrize(("statement", "where", "words"), STORIES)
def test_what_cannot_have_happened_is_told(run, statement, where, words):
    change(run, statement)
    told = lines(run)
    assert any(line.startswith(where) and words in line for line in told), told
    assert all("\n" not in line for line in told)


@pytest.mark.parametrize("table", ["trials", "meta", "events", "agent"])
def test_a_row_without_its_checksum_is_told(run, table):
    database = sqlite3.connect(run / DATABASE)
    with database:
        key = {"meta": "key", "agent": "place"}.get(table, "number")
        database.execute(
            f"UPDATE {table} SET sum = 'x' WHERE {key} = (SELECT MAX({key}) FROM {table})"
        )
    database.close()
    (line,) = lines(run)
    assert "changed since it was written" in line
    assert "nas resume" in line


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    data = bytearray(path.read_bytes())
    digest = data.find(b"v1:")  # in a database the middle may be free space
    data[len(data) // 2 if digest < 0 else digest + 5] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize(
    "name",
    [
        "retrain.json", "report.html", artefacts.LIST, artefacts.BEFORE, COPY,
        "test_openings.jsonl", f"control/{COPY}",
    ],
)  # fmt: skip
def test_a_damaged_file_is_told(run, name, damage):
    if name == artefacts.BEFORE:  # there is one from the second time on
        artefacts.note(run, run / "report.html")
    damage(run / name)
    if name == "test_openings.jsonl" and not (run / name).stat().st_size:
        return  # that it was ever opened is told by its lines alone
    assert [line.split(":")[0] for line in lines(run)] == [name]


def test_a_missing_file_and_an_unlisted_one_are_told(run):
    (run / "retrain.json").unlink()
    (run / "models").mkdir()
    (run / "models" / "a.json").write_text("{}")
    assert [line.split(": ")[:2] for line in lines(run)] == [
        ["retrain.json", "missing"],
        ["models/a.json", "not on the list"],
    ]


def test_a_model_that_may_not_be_loaded_is_told(run):
    (run / "models").mkdir()
    (run / "models" / "a.keras").write_bytes(b"PK nothing")
    artefacts.note(run, run / "models" / "a.keras")
    (line,) = lines(run)
    assert line.startswith("models/a.keras: expected a model saved by Keras")


def test_findings_come_as_json_with_exit_code_1(run):
    flip(run / "retrain.json")
    done = nas_here("show", run, "--verify", "--json", cwd=run, check=1)
    told = json.loads(done.stdout)
    assert told["intact"] is False
    assert [finding["where"] for finding in told["findings"]] == ["retrain.json"]


def test_no_run_is_no_finding(tmp_path):
    with pytest.raises(RunError, match=r"no run\.sqlite"):
        nas_core.verify(tmp_path)


def test_the_list_of_a_path_outside_is_refused(run):
    values = json.loads((run / artefacts.LIST).read_text())
    files = {"../../etc/passwd": {"size": 1, "sha256": "0"}}
    write_json(run / artefacts.LIST, {**values, "files": files, "sum": artefacts._sum(files)})
    assert [line.split(":")[0] for line in lines(run)] == [artefacts.LIST]


def test_a_broken_list_gives_way_to_the_one_before(run, caplog):
    artefacts.note(run, run / "retrain.json")
    before = artefacts.listing(run)
    flip(run / artefacts.LIST)
    assert artefacts.listing(run) == before
    (warning,) = [record.message for record in caplog.records]
    assert artefacts.BEFORE in warning
    write_text(run / "report.html", "<html>2</html>")
    artefacts.note(run, run / "report.html")
    assert lines(run) == []


def test_what_a_command_writes_is_on_the_list(run, tmp_path):
    write_report(run, comparison=False)
    write_report(run, tmp_path / "elsewhere.html", comparison=False)
    listed = artefacts.listing(run)
    assert listed["report.html"].size == (run / "report.html").stat().st_size
    assert not any("elsewhere" in name for name in listed)
    assert lines(run) == []


def test_a_kill_between_a_file_and_its_list_is_told_and_repaired(run, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "nas_core.report.page.note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        write_report(run, comparison=False)
    (line,) = lines(run)
    assert line.startswith("report.html")
    assert "repeat nas report" in line
    write_report(run, comparison=False)
    assert lines(run) == []
