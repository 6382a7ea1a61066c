"""The run's database: one writer, whole transactions, one clear line for what goes wrong."""

import math
import os
import subprocess
import sys
import textwrap

import pytest
from scripted import SPACE

from nas_core.agent import Proposal
from nas_core.database import DATABASE
from nas_core.errors import RunError
from nas_core.space import spec_of
from nas_core.store import RunStore
from nas_core.trainer.base import Epoch, Result, Status


def proposal(trial, actions=(1, 2, 3)):
    return Proposal(trial, spec_of(SPACE, actions), actions, epsilon=0.5)


CURVE = (Epoch(2.0, 0.2, math.nan, 0.3, 1e-3), Epoch(1.0, 0.4, 1.5, 0.5, 1e-3))
RESULT = Result(Status.OK, 0.5, CURVE, 1.5, 10, 20, details={"learning_rate": 0.001})


def test_what_is_stored_comes_back(tmp_path):
    with RunStore.create(tmp_path / "r", {"seed": 3}) as store, store.transaction():
        store.propose([proposal(0), proposal(1)])
        store.record(0, RESULT)
        store.mark_observed({0: 0.5}, 0)
        store.save_agent({"q": [1, 2]}, 1, 2)
        store.add_event("metrics", {"loss": 1.0})
    with RunStore.open(tmp_path / "r") as store:
        assert store.config == {"seed": 3}
        first, second = store.trials()
        assert first.proposal == proposal(0)
        assert (first.status, first.score, first.reward, first.observed) == (
            Status.OK,
            0.5,
            0.5,
            True,
        )
        assert math.isnan(first.result.curve[0].val_loss)
        assert first.result.curve[1] == CURVE[1]
        assert first.result.details == {"learning_rate": 0.001}
        assert (second.status, second.observed) == (None, False)
        with pytest.raises(RunError, match="no result yet"):
            second.result
        assert store.agent_state() == {"q": [1, 2]}
        assert [(kind, detail) for _, kind, detail in store.events()] == [
            ("metrics", {"loss": 1.0})
        ]
        with pytest.raises(RunError, match="received 9"):
            store.trial(9)


def test_a_failed_block_stores_nothing(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.propose([proposal(0)])
            raise ZeroDivisionError
        assert store.trials() == []


def test_a_result_is_recorded_once(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        store.propose([proposal(0)])
        store.record(0, RESULT)
        for trial in (0, 1):
            with pytest.raises(RunError, match="pending"):
                store.record(trial, RESULT)


def test_a_used_folder_is_refused(tmp_path):
    RunStore.create(tmp_path / "r", {}).close()
    with pytest.raises(RunError, match="nas resume"):
        RunStore.create(tmp_path / "r", {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(RunError, match="choose another"):
        RunStore.create(tmp_path / "full", {})
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="choose another"):
        RunStore.create(tmp_path / "file", {})


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=DATABASE):
        RunStore.open(tmp_path)
    (tmp_path / DATABASE).write_bytes(b"not a database at all, just some text" * 100)
    with pytest.raises(RunError, match="damaged"):
        RunStore.open(tmp_path)


def test_a_second_writer_is_refused_with_the_owners_pid(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        with pytest.raises(RunError, match=str(os.getpid())):
            RunStore.open(tmp_path / "r", write=True)
        with RunStore.open(tmp_path / "r") as reader:
            store.propose([proposal(0)])
            assert len(reader.trials()) == 1
    RunStore.open(tmp_path / "r", write=True).close()


def test_kill_minus_nine_keeps_every_commit(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from test_store import RESULT, proposal
        from nas_core.store import RunStore
        store = RunStore.create(Path(sys.argv[1]), {})
        for trial in range(20):
            with store.transaction():
                store.propose([proposal(trial)])
                store.record(trial, RESULT)
        store._db.execute("BEGIN")
        store.propose([proposal(20)])
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
    }
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "r")], env=environment)
    assert done.returncode == -9
    with RunStore.open(tmp_path / "r", write=True) as store:
        assert [row.number for row in store.trials()] == list(range(20))


def test_a_file_size_limit_is_one_clear_line(tmp_path):
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from test_store import RESULT, proposal
        from nas_core.errors import RunError
        from nas_core.store import RunStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = RunStore.create(Path(sys.argv[1]), {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            for trial in range(10_000):
                with store.transaction():
                    store.propose([proposal(trial)])
                    store.record(trial, RESULT)
        except RunError as error:
            print(trial, error)
        """
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "r")],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    committed, line = done.stdout.split(" ", 1)
    assert "free some disk space" in line
    with RunStore.open(tmp_path / "r", write=True) as store:
        assert len(store.trials()) == int(committed) > 10


def test_a_finished_run_is_read_where_nothing_may_be_written(tmp_path, monkeypatch):
    folder = tmp_path / "r"
    with RunStore.create(folder, {"seed": 3}) as store, store.transaction():
        store.propose([proposal(0)])
    (folder / "lock").unlink()
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setattr("nas_core.database.os.access", lambda path, mode: False)
    with RunStore.open(folder) as store:
        assert len(store.trials()) == 1
        assert sorted(path.name for path in folder.iterdir()) == before
        assert before == ["run.sqlite", "run.sqlite.1"]


def test_a_message_that_is_no_utf8_costs_nothing(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        store.propose([proposal(0)])
        store.record(0, Result(Status.ERROR, message="no file 'a\udcff'"))
        assert store.trial(0).message == "no file 'a?'"


def test_the_newest_event_of_a_kind_is_found_alone(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        assert store.last_event("metrics") is None
        with store.transaction():
            store.add_event("metrics", {"loss": 2.0})
            store.add_event("metrics", {"loss": 1.0})
            store.add_event("ended", {})
        assert store.last_event("metrics") == {"loss": 1.0}
