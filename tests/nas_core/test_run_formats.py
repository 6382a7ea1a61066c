"""Runs of every format that was ever written stay readable, and go on as if nothing had happened.

The folders under tests/fixtures/runs are frozen: `format1-*` were made by the code as it was
before format 2. Beside each is what the uninterrupted run holds at its end.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from frozen_scores import FrozenScores

import nas_core
from nas_core.database import DATABASE
from nas_core.rows import FORMAT, SCHEMA, broken
from nas_core.store import RunStore

RUNS = Path(__file__).parents[1] / "fixtures" / "runs"
FOLDERS = sorted(path.name for path in RUNS.iterdir() if path.is_dir())


def facts(folder):
    with RunStore.open(folder) as store:
        trials = [
            [r.number, r.digest, list(r.actions), r.epsilon, r.status and r.status.value, r.score,
             r.reward, r.credited_from, r.place]
            for r in store.trials()
        ]  # fmt: skip
        return {"trials": trials, "agent": store.agent_state()}


@pytest.fixture
def copied(tmp_path):
    def copy(name):
        return Path(shutil.copytree(RUNS / name, tmp_path / name))

    return copy


def test_there_are_runs_of_every_format():
    assert {name.split("-")[0] for name in FOLDERS} == {f"format{n}" for n in range(1, FORMAT + 1)}


@pytest.mark.parametrize("name", FOLDERS)
def test_an_old_run_is_read_and_not_changed(copied, name):
    folder = copied(name)
    before = (folder / DATABASE).read_bytes()
    found, expected = facts(folder), json.loads((RUNS / f"{name}.json").read_text())
    told = [trial for trial in found["trials"] if trial[4] is not None]
    assert len(told) >= 9
    by_number = [expected["trials"][trial[0]] for trial in told]
    assert [trial[:6] for trial in told] == [trial[:6] for trial in by_number]
    assert found["agent"] is not None
    assert (folder / DATABASE).read_bytes() == before


@pytest.mark.parametrize("name", FOLDERS)
def test_an_old_run_goes_on_as_the_uninterrupted_one_did(copied, name):
    folder = copied(name)
    # By force: the fixtures name the versions that they were made with.
    more = 8 if name.endswith("finished") else 0
    nas_core.resume(folder, more_trials=more, trainer=FrozenScores(), force=True)
    assert facts(folder) == json.loads((RUNS / f"{name}.json").read_text())
    database = sqlite3.connect(folder / DATABASE)
    found = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema") if sql}
    assert found == set(SCHEMA)
    for table in ("meta", "trials", "agent", "events"):
        assert list(broken(database, table)) == []
    database.close()


def test_a_migration_that_is_interrupted_leaves_the_old_format(copied, monkeypatch):
    folder = copied("format1-finished")
    before = facts(folder)
    monkeypatch.setattr("nas_core.rows._COPY", ("INSERT INTO nowhere VALUES (1)",))
    with pytest.raises(nas_core.errors.RunError):
        RunStore.open(folder, write=True)
    assert facts(folder) == before
