"""Signals to a searching driver whose children have children; clocks that jump; disks that fill."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from executor_contract import living_name, wait_for

import nas_core
from nas_core.executors import tree
from nas_core.store import RunStore
from nas_core.trainer.checkpoint import Checkpoints, Snapshot

ROOT = Path(__file__).resolve().parents[2]
GONE_WITHIN = 5.0
DRIVER = """
import sys
from pathlib import Path
import nas_core
from fault_trainers import Lingerer
from nas_core.interrupts import Terminated
if __name__ == "__main__":
    trainer = Lingerer(Path(sys.argv[1]), ("sleep_forever", "block_in_c"))
    try:
        nas_core.search("metaqnn", None, trainer=trainer, trials=4, workers=2, control=None,
                        agent="random", run=Path(sys.argv[1]) / "run")
    except (KeyboardInterrupt, Terminated) as end:
        sys.exit(7)
"""


@pytest.fixture
def driver(tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "driver.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield process
    below = tree.descendants(process.pid)
    tree.kill_tree(process.pid)
    process.wait()
    tree.kill(*below)


@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGINT, signal.SIGINT],
        [signal.SIGTERM],
        [signal.SIGTERM, signal.SIGTERM],
        pytest.param([signal.SIGHUP], marks=pytest.mark.slow),
    ],
    ids=lambda signals: "+".join(number.name for number in signals),
)
def test_a_signalled_driver_ends_at_once_with_every_grandchild(tmp_path, driver, signals):
    wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 4)  # two children, each with its own
    pids = {int(path.read_text()) for path in tmp_path.glob("*.pid")}
    assert pids < set(tree.descendants(driver.pid))
    for number in signals:
        driver.send_signal(number)
        time.sleep(0.05)
    assert driver.wait(GONE_WITHIN + 5.0) in (7, -signal.SIGTERM)
    wait_for(lambda: not any(living_name(pid) for pid in pids), GONE_WITHIN)
    with RunStore.open(tmp_path / "run") as store:  # nobody's lock, nothing half done
        assert [row.status for row in store.trials() if row.status is not None] == []


def rows(run):
    with RunStore.open(run) as store:
        return [(r.actions, r.score, r.reward, r.place, r.credited_from) for r in store.trials()]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_clock_that_jumps_by_an_hour_changes_nothing(tmp_path, monkeypatch, workers):
    """No child counts as late, no trial as stale, and no limit of time as reached."""
    options = {"trainer": "mock", "control": None, "workers": workers, "max_hours": 0.5}

    def searched(name):
        nas_core.search("metaqnn", None, trials=20, run=tmp_path / name, **options)
        stopped = nas_core.resume(tmp_path / name, more_trials=20).stopped
        return stopped, rows(tmp_path / name)

    quiet = searched("quiet")
    rng, real = random.Random(0), time.time
    monkeypatch.setattr(time, "time", lambda: real() + rng.choice([-3600.0, 0.0, 3600.0]))
    assert searched("jumps") == quiet
    assert quiet[0].value == "finished"


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from nas_core.trainer.checkpoint import Checkpoints, Snapshot
folder = Path(sys.argv[1])
kept = Checkpoints(folder, {})
kept.save(lambda: Snapshot({"model": [np.zeros(10)]}, {"epoch": 1}))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
kept.save(lambda: Snapshot({"model": [np.ones(100_000)]}, {"epoch": 2}))
print(len(kept.warnings), len(list(folder.iterdir())), kept.load().state["epoch"])
"""


def test_a_checkpoint_larger_than_the_disk_allows_is_not_saved(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "checkpoints" / "trial-0")],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "2", "1"], done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "the training goes on" in done.stderr


def test_a_full_disk_leaves_the_generation_before(tmp_path):
    """A real file system without space."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here: run as root")
    try:
        kept = Checkpoints(small / "checkpoints" / "trial-0", {})
        kept.save(lambda: Snapshot({"model": [np.zeros(10_000)]}, {"epoch": 1}))
        kept.save(lambda: Snapshot({"model": [np.zeros(100_000)]}, {"epoch": 2}))
        assert len(kept.warnings) == 1
        assert "No space left" in kept.warnings[0]
        again = Checkpoints(small / "checkpoints" / "trial-0", {})
        assert again.load().state["epoch"] == 1
        assert again.warnings == []
        kept.save(lambda: Snapshot({"model": [np.zeros(10_000)]}, {"epoch": 3}))
        assert again.load().state["epoch"] == 3
    finally:
        subprocess.run(["umount", str(small)], check=True)
