"""Disks that are full, slow, locked or far away: what was committed stays, and a line says why."""

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from frozen_scores import FrozenScores

import nas_core
from nas_core import database
from nas_core.database import DATABASE, filesystem, shares_memory
from nas_core.errors import LockedError, RunError
from nas_core.files import atomic_open, sweep, write_text, write_with
from nas_core.store import RunStore

ROOT = Path(__file__).resolve().parents[2]


def search(folder, trials=24, **options):
    nas_core.search(
        "metaqnn", None, agent="evolution", trainer=FrozenScores(), trials=trials, seed=3,
        run=folder, executor="inline", workers=1, **options,
    )  # fmt: skip


def facts(folder):
    with RunStore.open(folder) as store:
        return [(r.digest, r.score, r.reward, r.place) for r in store.trials()], store.agent_state()


def hold(folder, seconds):
    """Hold the database's lock from another thread, as a backup program may."""
    other = sqlite3.connect(folder / DATABASE, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(seconds, other.close)
    timer.start()
    return other, timer


def test_a_commit_waits_for_a_lock_and_is_not_lost(tmp_path):
    with RunStore.create(tmp_path / "r", {}) as store:
        _, timer = hold(tmp_path / "r", 1.0)
        began = time.monotonic()
        with store.transaction():
            store.add_event("waited")
        assert time.monotonic() - began > 0.5
        timer.join()
        assert [kind for _, kind, _ in store.events()] == ["waited"]


def test_a_lock_that_is_never_released_is_one_typed_line(tmp_path, monkeypatch):
    assert database.LONGEST_WAIT == 60.0
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.5)
    with RunStore.create(tmp_path / "r", {}) as store:
        other, timer = hold(tmp_path / "r", 60.0)
        with pytest.raises(LockedError, match="holds the database") as caught, store.transaction():
            store.add_event("lost")
        assert "\n" not in str(caught.value)
        timer.cancel()
        other.close()
        with store.transaction():
            store.add_event("kept")
        assert [kind for _, kind, _ in store.events()] == ["kept"]


def test_a_second_driver_is_refused_at_once_with_pid_and_host(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from nas_core.store import RunStore
        store = RunStore.create(Path(sys.argv[1]), {})
        print("ready", flush=True)
        sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "r")]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1) as first:
        assert first.stdout.readline() == b"ready\n"
        began = time.monotonic()
        with pytest.raises(LockedError) as caught:
            nas_core.resume(tmp_path / "r")
        assert time.monotonic() - began < 5.0
        assert f"process {first.pid} on {os.uname().nodename}" in str(caught.value)
        first.stdin.close()
        first.wait()
    RunStore.open(tmp_path / "r", write=True).close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, "tests/support")
from frozen_scores import FrozenScores
import nas_core
from nas_core.errors import RunError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    nas_core.search("metaqnn", None, agent="evolution", trainer=FrozenScores(), trials=24, seed=3,
                    run=Path(sys.argv[1]), executor="inline", workers=1)
except RunError as error:
    print(error)
"""


def test_a_full_disk_loses_nothing_and_the_run_goes_on_afterwards(tmp_path):
    search(tmp_path / "whole")
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "r")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "free some disk space, then nas resume" in line
    with RunStore.open(tmp_path / "r") as store:
        committed = [row.number for row in store.trials() if row.observed]
    assert 0 < len(committed) < 24
    nas_core.resume(tmp_path / "r", trainer=FrozenScores())
    assert facts(tmp_path / "r") == facts(tmp_path / "whole")


def test_a_full_disk_leaves_a_file_as_it_was(tmp_path):
    write_text(tmp_path / "f", "before")

    def full(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_with(tmp_path / "f", full)
    with pytest.raises(OSError, match="No space"), atomic_open(tmp_path / "f") as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "before"


def test_a_failing_fsync_means_that_nothing_was_saved(tmp_path, monkeypatch):
    write_text(tmp_path / "f", "before")

    def failing(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("nas_core.files.os.fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        write_text(tmp_path / "f", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "before"


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path, monkeypatch):
    search(tmp_path / "r", trials=4)
    before = facts(tmp_path / "r")

    def refused(*_):  # root, who runs the tests in a container, may write anywhere
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("nas_core.database.Path.open", refused)
        with pytest.raises(RunError, match=r"Permission denied.*check the folder's permissions"):
            nas_core.resume(tmp_path / "r", trainer=FrozenScores(), more_trials=2)
    assert facts(tmp_path / "r") == before
    nas_core.resume(tmp_path / "r", trainer=FrozenScores(), more_trials=2)


MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
//nas/runs /home/me/my\\040runs cifs rw 0 0
tmpfs /home/me/fast tmpfs rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "safe"),
    [
        ("/data/runs", "ext4", True),
        ("/home/me", "nfs4", False),
        ("/home/me/my runs/r", "cifs", False),
        ("/home/me/fast/r", "tmpfs", True),
        ("/homes/me", "ext4", True),
        ("/mnt/ssh/r", "fuse.sshfs", False),
    ],
)
def test_network_file_systems_are_told_apart(tmp_path, monkeypatch, path, kind, safe):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert filesystem(Path(path), mounts) == kind
    monkeypatch.setattr(database, "filesystem", lambda folder: kind)
    assert shares_memory(Path(path)) is safe


def test_an_unknown_file_system_is_taken_for_a_local_one(tmp_path):
    assert filesystem(tmp_path, tmp_path / "nothing") == ""
    assert filesystem(tmp_path) != ""


def test_on_a_network_file_system_a_run_needs_no_shared_memory(tmp_path, monkeypatch):
    search(tmp_path / "whole")
    monkeypatch.setattr(database, "filesystem", lambda folder: "nfs4")
    search(tmp_path / "r")
    assert facts(tmp_path / "r") == facts(tmp_path / "whole")
    with RunStore.open(tmp_path / "r", write=True):
        assert not (tmp_path / "r" / f"{DATABASE}-shm").exists()
    mode = sqlite3.connect(tmp_path / "r" / DATABASE).execute("PRAGMA journal_mode").fetchone()
    assert mode == ("delete",)
    search_on = nas_core.resume(tmp_path / "whole", trainer=FrozenScores(), more_trials=2)
    assert search_on.summary["trials"] == 26


def test_what_dead_writers_left_is_swept_and_what_living_ones_write_is_not(tmp_path):
    search(tmp_path / "r", trials=4)
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    host = nas_core.files._host()
    dead = tmp_path / "r" / f".{host}-{child.stdout.strip()}-0123abcd.tmp.report.html"
    (tmp_path / "r" / "models").mkdir()
    model = tmp_path / "r" / "models" / dead.name.replace("report.html", "m.keras")
    alive = dead.with_name(f".{host}-{os.getpid()}-0123abcd.tmp.report.html")
    elsewhere = dead.with_name(dead.name.replace(host, "elsewhere"))
    mine = dead.with_name(".notes.tmp.txt")
    for path in (dead, model, alive, elsewhere, mine):
        path.write_text("half")
    RunStore.open(tmp_path / "r", write=True).close()
    assert not dead.exists()
    assert not model.exists()
    assert all(path.exists() for path in (alive, elsewhere, mine))
    assert sweep(tmp_path / "r") == []
