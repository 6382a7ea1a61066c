"""A damaged run is noticed, and goes on from what is intact."""

import contextlib
import json
import random
import shutil
import sqlite3

import pytest
from command_line import nas_here
from frozen_scores import FrozenScores
from hypothesis import given
from hypothesis import strategies as st
from scripted import SPACE

import nas_core
from nas_core.agent import Proposal
from nas_core.database import DATABASE
from nas_core.errors import DamageError, RunError
from nas_core.generations import COPY, SET_ASIDE
from nas_core.rows import COLUMNS, broken, checksum, create
from nas_core.space import spec_of
from nas_core.store import RunStore
from nas_core.trainer.base import Result, Status

AGENTS = ("metaqnn", "evolution", "random", "local-search", "reinforce")


def facts(folder):
    with RunStore.open(folder) as store:
        rows = [(r.number, r.digest, r.status, r.score, r.reward, r.place) for r in store.trials()]
        return rows, store.agent_state()


class Enough(BaseException):
    """What no `except Exception` catches."""


def search(folder, agent="metaqnn", trials=24, stop=None, **options):
    """Search; with `stop`, break off after so many results."""
    seen = []

    def on_trial(plan, row):
        seen.append(row)
        if len(seen) == stop:
            raise Enough

    options = {"trainer": FrozenScores(), "executor": "inline", "workers": 1, "seed": 3} | options
    options |= {"agent": agent, "trials": trials, "run": folder, "on_trial": on_trial}
    with contextlib.suppress(Enough):
        nas_core.search("metaqnn", None, **options)


def edit(folder, *statements, name=DATABASE):
    database = sqlite3.connect(folder / name)
    with database:
        for statement in statements:
            database.execute(statement)
    database.close()


FLOATS = st.floats(allow_nan=False).map(lambda value: value + 0.0)  # as SQLite returns them
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | FLOATS | st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",))
) | st.binary()  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_checksum_tells_any_two_rows_apart(values, data):
    place = data.draw(st.integers(0, len(values) - 1))
    other = list(values)
    other[place] = data.draw(VALUES)
    same = all(type(a) is type(b) and a == b for a, b in zip(values, other, strict=True))
    assert (checksum("trials", tuple(values)) == checksum("trials", tuple(other))) == same
    assert checksum("trials", tuple(values)) != checksum("events", tuple(values))


@given(st.floats(allow_nan=False) | st.integers(-(2**40), 2**40), st.text(max_size=5))
def test_what_sqlite_gives_back_has_the_checksum_that_was_stored(number, text):
    database = sqlite3.connect(":memory:")
    create(database)
    text = text.encode(errors="replace").decode().replace("\0", "")
    database.execute(
        "INSERT INTO events (time, kind, detail) VALUES (?, ?, ?)", (number, text, text)
    )
    assert list(broken(database, "events")) == []
    database.execute("UPDATE events SET time = ?", (-number,))
    assert list(broken(database, "events")) == []
    database.close()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("trials", "UPDATE trials SET score = score + 1e-9 WHERE number = 3"),
        ("trials", "UPDATE trials SET result = replace(result, '1', '2') WHERE number = 2"),
        ("trials", "UPDATE trials SET sum = '0' WHERE number = 2"),
        ("meta", "UPDATE meta SET value = replace(value, 'inline', 'simulated')"),
        ("events", "UPDATE events SET detail = 'null' WHERE number = 1"),
    ],
)
def test_a_changed_value_is_noticed_and_the_run_goes_on(tmp_path, caplog, table, change):
    search(tmp_path / "whole")
    search(tmp_path / "r", stop=12)
    edit(tmp_path / "r", change)
    with RunStore.open(tmp_path / "r") as store, pytest.raises(DamageError, match="changed"):
        store.trials(), store.config, store.events()
    nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert facts(tmp_path / "r") == facts(tmp_path / "whole")
    (warning,) = [record.message for record in caplog.records]
    assert f"table {table}" in warning
    assert "with 15 trials" in warning
    assert (tmp_path / "r" / SET_ASIDE).is_file()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("gone", ["newest", "both"])
def test_a_damaged_agent_is_rebuilt_exactly(tmp_path, caplog, agent, gone):
    search(tmp_path / "whole", agent)
    search(tmp_path / "r", agent, stop=14)
    newest = "WHERE generation = (SELECT MAX(generation) FROM agent)" if gone == "newest" else ""
    edit(tmp_path / "r", f"UPDATE agent SET state = x'00ff' {newest}")
    nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert facts(tmp_path / "r") == facts(tmp_path / "whole")
    assert sum("rebuilt" in record.message for record in caplog.records) == 1


def test_an_asynchronous_run_is_rebuilt_too(tmp_path):
    options = {"executor": "simulated", "workers": 3, "asynchronous": True, "trials": 14}
    search(tmp_path / "r", "evolution", **options)
    nas_core.resume(tmp_path / "r", more_trials=6, trainer=FrozenScores())
    before = facts(tmp_path / "r")
    edit(tmp_path / "r", "UPDATE agent SET state = x'00'")
    nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert facts(tmp_path / "r") == before


@pytest.mark.parametrize("damage", ["half", "empty", "missing", "text"])
def test_a_broken_file_gives_way_to_its_copy(tmp_path, damage):
    search(tmp_path / "r")
    expected = facts(tmp_path / "r")
    file = tmp_path / "r" / DATABASE
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        broken_to = {"half": data[: len(data) // 2], "empty": b"", "text": b"text " * 5000}
        file.write_bytes(broken_to[damage])
    with pytest.raises(RunError, match="nas r"):
        RunStore.open(tmp_path / "r")
    RunStore.open(tmp_path / "r", write=True).close()
    assert facts(tmp_path / "r") == expected


def test_without_an_intact_generation_it_is_refused_in_one_line(tmp_path):
    search(tmp_path / "r")
    for name in (DATABASE, COPY):
        edit(tmp_path / "r", "UPDATE trials SET score = 0.9 WHERE number = 0", name=name)
    with pytest.raises(DamageError, match="no intact generation") as caught:
        nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert "\n" not in str(caught.value)
    RunStore.open(tmp_path / "r").close()  # the lock is free again


def test_any_flipped_bit_is_harmless_or_noticed(tmp_path):
    """A bit in free space or in the header's counters changes nothing; every other is noticed."""
    search(tmp_path / "r", trials=8)
    with RunStore.open(tmp_path / "r") as store:
        expected = store.trials(), store.agent_state(), store.config, store.events()
    data = (tmp_path / "r" / DATABASE).read_bytes()
    (tmp_path / "r" / COPY).unlink()
    rng, noticed = random.Random(1), 0
    for case in range(40):
        folder = tmp_path / f"c{case}"
        shutil.copytree(tmp_path / "r", folder)
        place = rng.randrange(len(data))
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(8)
        (folder / DATABASE).write_bytes(changed)
        try:
            with RunStore.open(folder, write=True) as store:
                found = store.trials(), store.agent_state(), store.config, store.events()
            assert found[0] == expected[0]
            assert found[2:] == expected[2:]
        except DamageError:
            noticed += 1
    assert noticed > 5


def test_a_foreign_file_with_a_trigger_is_not_read(tmp_path):
    search(tmp_path / "r", trials=4)
    edit(tmp_path / "r", "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN DELETE FROM trials; END")
    with pytest.raises(DamageError, match="others"):
        RunStore.open(tmp_path / "r")


def test_a_right_checksum_over_wrong_values_is_one_line(tmp_path):
    search(tmp_path / "r", trials=4)
    bad = {"spec": "[" * 100_000, "result": "{}", "status": "splendid", "actions": "9" * 5000}
    for column, value in bad.items():
        folder = tmp_path / column
        shutil.copytree(tmp_path / "r", folder)
        database = sqlite3.connect(folder / DATABASE)
        with database:
            database.execute(f"UPDATE trials SET {column} = ? WHERE number = 1", (value,))
            columns = ", ".join(COLUMNS["trials"])
            row = database.execute(f"SELECT {columns} FROM trials WHERE number = 1").fetchone()
            database.execute(
                "UPDATE trials SET sum = ? WHERE number = 1", (checksum("trials", row),)
            )
        database.close()
        with RunStore.open(folder) as store, pytest.raises(DamageError) as caught:
            row = store.trial(1)
            row.spec, row.result
        assert "\n" not in str(caught.value)
        RunStore.open(folder, write=True).close()  # goes back to the copy
        assert facts(folder) == facts(tmp_path / "r")


def test_the_copy_is_made_in_between_too(tmp_path, monkeypatch):
    monkeypatch.setattr("nas_core.store.COPY_SECONDS", 0.0)
    store = RunStore.create(tmp_path / "r", {})
    with store.transaction():
        store.propose([Proposal(0, spec_of(SPACE, (1, 2, 3)), (1, 2, 3))])
        store.record(0, Result(Status.OK, 0.5))
    with sqlite3.connect(tmp_path / "r" / COPY) as copy:
        assert copy.execute("SELECT score FROM trials").fetchall() == [(0.5,)]
    copy.close()
    store.close()


def test_no_room_for_a_copy_is_a_warning(tmp_path, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nas_core.generations.write_with", full)
    with RunStore.create(tmp_path / "r", {}) as store, store.transaction():
        store.add_event("started")
    assert [record.message.count("No space left") for record in caplog.records] == [1]


def test_a_damaged_run_does_not_hide_the_others(tmp_path):
    for name in ("a", "b"):
        search(tmp_path / "runs" / name, trials=4)
    edit(tmp_path / "runs" / "a", "UPDATE trials SET score = 0.9 WHERE number = 0")
    done = nas_here("runs", "--json", cwd=tmp_path)
    assert [row["run"] for row in json.loads(done.stdout)["runs"]] == ["runs/b"]
    assert "runs/a/run.sqlite" in done.stderr


def test_the_control_goes_back_to_its_copy_too(tmp_path):
    search(tmp_path / "r", control="random")
    expected = facts(tmp_path / "r" / "control")
    (tmp_path / "r" / "control" / DATABASE).unlink()
    nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert facts(tmp_path / "r" / "control") == expected


def test_a_snapshot_does_not_change_while_a_search_goes_on(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        store.add_event("first")
        with RunStore.open(tmp_path / "r") as reader:
            with reader.snapshot():
                assert len(reader.events()) == 1
                store.add_event("second")
                assert len(reader.events()) == 1
            assert len(reader.events()) == 2


def test_a_later_format_is_told_from_damage_and_left_alone(tmp_path):
    search(tmp_path / "r", trials=4)
    edit(tmp_path / "r", "ALTER TABLE trials ADD COLUMN more TEXT", "PRAGMA user_version = 3")
    before = (tmp_path / "r" / DATABASE).read_bytes()
    for write in (False, True):
        with pytest.raises(RunError, match=r"expected run format 2, .* has 3: update nas"):
            RunStore.open(tmp_path / "r", write=write)
    assert (tmp_path / "r" / DATABASE).read_bytes() == before


def test_statistics_of_sqlite_itself_are_no_foreign_table(tmp_path):
    search(tmp_path / "r", trials=4)
    edit(tmp_path / "r", "ANALYZE")
    with RunStore.open(tmp_path / "r", write=True) as store:
        assert len(store.trials()) == 4
    assert nas_core.verify(tmp_path / "r") == []
