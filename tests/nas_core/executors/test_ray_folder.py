import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nas_core.executors.ray import folder
from nas_core.executors.ray.folder import Folder

KILLED = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from nas_core.executors.ray.folder import Folder
made = Folder()
print(made.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(folder, "LONGEST", 1000)
    return tmp_path


def test_only_what_killed_processes_left_is_swept(parent: Path) -> None:
    alive = Folder()
    (alive.path / "token").write_text("secret")
    (parent / "nas-ray-of-nobody").mkdir()  # without a lock: not ours to judge
    script = KILLED.replace(
        "sys.argv[1]\n",
        "sys.argv[1]\nimport nas_core.executors.ray.folder as f\nf.LONGEST = 1000\n",
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(parent)], capture_output=True, text=True
    )
    left = Path(done.stdout.strip())
    assert left.parent == parent
    assert left.is_dir()
    another = Folder()
    assert not left.exists()
    assert (alive.path / "token").exists()
    assert (parent / "nas-ray-of-nobody").exists()
    another.remove()
    alive.remove()
    assert [path.name for path in parent.iterdir()] == ["nas-ray-of-nobody"]


def test_a_deep_temporary_folder_is_too_long_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(folder, "LONGEST", 3)
    monkeypatch.setattr(folder, "SHORT", str(tmp_path / "s"))
    (tmp_path / "s").mkdir()
    made = Folder()
    assert made.path.parent == tmp_path / "s"
    assert made.path.stat().st_mode & 0o077 == 0
    made.remove()
