"""Real children end to end on a tiny data set: search, retrain, predict, kill and resume."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import NAS, nas
from PIL import Image
from tiny_data import CLASSES, write_tiny

from nas_core.database import DATABASE
from nas_core.store import RunStore

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
TINY = ["--data", "tiny", "--config", "tiny.toml", "--workers", "2", "--seed", "4"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return a folder with a data set and a finished run R of six real children."""
    folder = tmp_path_factory.mktemp("real")
    write_tiny(folder / "tiny")
    (folder / "tiny.toml").write_text("[recipe]\nepochs = 2\nimage_size = 8\nrestarts = 0\n")
    found = nas("search", "metaqnn", *TINY, "--trials", 6, "--run", "R", "--json", cwd=folder)
    assert json.loads(found.stdout)["trials"] == 6
    return folder


def shown(folder, run):
    return json.loads(nas("show", run, "--json", cwd=folder).stdout)["trials"]


def test_children_learn(searched):
    scores = [row["score"] for row in shown(searched, "R") if row["score"] is not None]
    assert max(scores) > 0.8


def test_retraining_chooses_tests_once_and_saves_plain_keras(searched):
    done = nas("retrain", "R", "--top", 2, "--epochs", 4, "--json", cwd=searched)
    found = json.loads(done.stdout)
    assert len(found["architectures"]) == 2
    first = found["architectures"][0]
    assert {"digest", "text", "search_score", "test_accuracy", "model"} <= set(first)
    assert first["test_accuracy"][0] > 0.8
    assert found["rank_correlation"] is None
    assert sum(map(sum, found["confusion"]["matrix"])) == 36
    assert len((searched / "R" / "test_openings.jsonl").read_text().splitlines()) == 1
    # plain Keras, elsewhere, without this project
    shutil.copy(searched / first["model"][0], searched / "alone.keras")
    script = (
        "import sys; sys.modules['nas_core'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('alone.keras')\n"
        "print(model.predict(np.full((1, 8, 8, 3), 200, np.uint8), verbose=0).argmax())"
    )
    alone = subprocess.run(
        [sys.executable, "-c", script], cwd=searched, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.split()[-1] == "2"
    # a second call repeats no training
    started = (searched / first["model"][0]).stat().st_mtime_ns
    nas("retrain", "R", "--top", 2, "--epochs", 4, cwd=searched)
    assert (searched / first["model"][0]).stat().st_mtime_ns == started


def test_pictures_are_classified(searched):
    nas("retrain", "R", "--top", 1, "--epochs", 4, cwd=searched)
    model = next(iter(json.loads((searched / "R/retrain.json").read_text())["architectures"]))[
        "model"
    ][0]
    for name, level in zip(CLASSES, (40, 120, 200), strict=True):
        Image.fromarray(np.full((30, 20, 3), level, np.uint8)).save(searched / f"{name}.png")
    pictures = [f"{name}.png" for name in CLASSES]
    rows = json.loads(nas("predict", model, *pictures, "--json", cwd=searched).stdout)[
        "predictions"
    ]
    assert [rows[0]["label"], rows[2]["label"]] == ["dark", "light"]
    assert all(abs(sum(row["probabilities"].values()) - 1) < 1e-4 for row in rows)
    (searched / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in nas("predict", model, "broken.png", cwd=searched, check=2).stderr
    (searched / "broken.keras").write_bytes(b"no model")
    assert (
        "broken.keras" in nas("predict", "broken.keras", "dark.png", cwd=searched, check=2).stderr
    )


def test_the_report_of_a_real_run(searched):
    nas("report", "R", cwd=searched)
    assert shown(searched, "R")[0]["text"] in (searched / "R/report.html").read_text()


def children_of_the_group(group: int) -> list[int]:
    """Return processes that belong to sessions started from `group` or descend from it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"NAS_TEST_GROUP={group}".encode() in environment:
                found.append(int(entry.name))
    return found


def test_kill_minus_nine_and_resume(searched):
    mark = os.getpid()
    driver = subprocess.Popen(
        [*NAS, "search", "metaqnn", *TINY, "--trials", "6", "--run", "K"], cwd=searched,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "NAS_TEST_GROUP": str(mark)},
    )  # fmt: skip
    for _ in range(900):
        if (searched / "K" / DATABASE).exists():
            with RunStore.open(searched / "K") as store:
                if sum(row.status is not None for row in store.trials()) >= 2:
                    break
        time.sleep(0.1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    with RunStore.open(searched / "K") as store:
        before = {row.number: row.score for row in store.trials() if row.status is not None}
    deadline = time.monotonic() + 5
    while children_of_the_group(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert children_of_the_group(mark) == []  # no child outlives the driver by five seconds
    nas("resume", "K", cwd=searched)
    after = shown(searched, "K")
    assert len(after) == 6
    assert {number: after[number]["score"] for number in before} == before
    assert after == shown(searched, "R")


def test_resuming_on_other_data_is_refused(searched, tmp_path):
    shutil.copytree(searched / "R", tmp_path / "R")
    info = write_tiny(tmp_path / "tiny")
    assert info.digest
    shutil.copy(searched / "tiny.toml", tmp_path)
    nas("resume", "R", cwd=tmp_path)  # the same data elsewhere is the same data
    shutil.rmtree(tmp_path / "tiny")
    script = (
        "import numpy as np; from pathlib import Path; from nas_core.datasets import Split, write_dataset\n"
        "x = np.arange(24*192, dtype=np.uint32).reshape(24, 8, 8, 3).astype(np.uint8)\n"
        "y = np.arange(24, dtype=np.int32) % 3\n"
        "write_dataset(Path('tiny'), {k: Split(x, y) for k in ('train', 'validation', 'test')}, ('a', 'b', 'c'), source='x')"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    done = nas("resume", "R", "--trials", 2, cwd=tmp_path, check=1)
    assert "data_digest" in done.stderr
