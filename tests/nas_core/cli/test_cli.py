"""The command line as a user types it: outputs, exit codes and one-line errors."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import NAS, nas, nas_here

from nas_core.cli.search import AGENTS, SPACES
from nas_core.registry import OWN_TABLE, names


def mock_search(cwd, run="R1", trials=60, seed=1, nas=nas_here):
    done = nas("search", "metaqnn", "--trainer", "mock", "--trials", trials, "--seed", seed,
               "--run", run, "--json", cwd=cwd)  # fmt: skip
    return json.loads(done.stdout)


def shown(cwd, run="R1"):
    return json.loads(nas_here("show", run, "--json", cwd=cwd).stdout)["trials"]


def test_mock_search_prints_what_it_promises(tmp_path):
    found = mock_search(tmp_path, trials=300, nas=nas)
    assert found["trials"] == 300
    assert 100 < found["unique"] < 300
    assert {"text", "digest", "score"} <= set(found["best"])
    assert set(found["mean_by_epsilon"]) == {"1.0", "0.7", "0.5", "0.3", "0.1"}
    assert found["mean_by_epsilon"]["0.1"] > found["mean_by_epsilon"]["1.0"] + 0.1
    assert found["seconds"] < 60
    assert found["control"]["trials"] == 300
    rows = shown(tmp_path)
    assert len(rows) == 300
    assert set(rows[0]) == {"digest", "text", "score", "status", "epsilon"}
    assert max(row["score"] for row in rows) == found["best"]["score"]
    assert [row["epsilon"] for row in rows] == sorted((r["epsilon"] for r in rows), reverse=True)


def test_the_same_seed_gives_the_same_sequence(tmp_path):
    for run, seed in (("A", 1), ("B", 1), ("C", 2)):
        mock_search(tmp_path, run, seed=seed)
    assert shown(tmp_path, "A") == shown(tmp_path, "B")
    assert shown(tmp_path, "A") != shown(tmp_path, "C")


def test_random_agents_have_no_epsilon(tmp_path):
    found = json.loads(
        nas_here("search", "metaqnn", "--trainer", "mock", "--agent", "random", "--trials", 10,
                 "--run", "R", "--json", cwd=tmp_path).stdout
    )  # fmt: skip
    assert found["mean_by_epsilon"] == {}
    assert {row["epsilon"] for row in shown(tmp_path, "R")} == {None}


def test_looking_at_a_run(tmp_path):
    mock_search(tmp_path)
    assert "architecture" in nas_here("show", "R1", cwd=tmp_path).stdout
    assert "val accuracy" in nas_here("show", "R1", 0, cwd=tmp_path).stdout
    assert (
        json.loads(nas_here("show", "R1", 0, "--json", cwd=tmp_path).stdout)["result"]["status"]
        == "ok"
    )
    assert "C(" in nas_here("show", "R1", "--q", cwd=tmp_path).stdout
    table = json.loads(nas_here("show", "R1", "--q", "--json", cwd=tmp_path).stdout)["q"]
    assert table[0]["state"] == ["start", 0, 0, 0, 8]
    best = json.loads(nas_here("best", "R1", "--top", 3, "--json", cwd=tmp_path).stdout)["best"]
    assert [row["score"] for row in best] == sorted((r["score"] for r in best), reverse=True)
    assert "R1" in nas_here("runs", ".", cwd=tmp_path).stdout
    nas_here("report", "R1", "--out", "page.html", cwd=tmp_path)
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_a_finished_run_can_be_extended(tmp_path):
    mock_search(tmp_path, trials=30)
    before = shown(tmp_path)
    found = json.loads(nas_here("resume", "R1", "--trials", "+20", "--json", cwd=tmp_path).stdout)
    assert found["trials"] == 50
    assert shown(tmp_path)[:30] == before
    assert json.loads(nas_here("resume", "R1", "--json", cwd=tmp_path).stdout)["trials"] == 50


def test_options_from_a_file(tmp_path):
    (tmp_path / "plan.toml").write_text('trainer = "mock"\ntrials = 7\nseed = 3\n')
    done = nas_here(
        "search", "metaqnn", "--config", "plan.toml", "--run", "R", "--json", cwd=tmp_path
    )
    assert json.loads(done.stdout)["trials"] == 7


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["search", "metaqnn", "--data", "nothing-here"], 2, "nothing-here"),
        (["search", "bogus"], 2, "metaqnn"),
        (["search", "metaqnn", "--preset", "huge"], 2, "quick, paper"),
        (["search", "metaqnn", "--agent", "bogus"], 2, "random"),
        (["search", "metaqnn", "--trainer", "bogus"], 2, "real, mock"),
        (["search", "metaqnn", "--trainer", "mock", "--trials", "0"], 2, "1 or more"),
        (["search", "metaqnn", "--trainer", "mock", "--trials", "x"], 2, "integer"),
        (["search", "metaqnn", "--trainer", "mock", "--workers", "0"], 2, "1 or more"),
        (["search", "metaqnn", "--trainer", "mock", "--target", "90"], 2, "0.9 is 90 %"),
        (["search", "metaqnn", "--trainer", "mock", "--data-fraction", "0"], 2, "(0, 1]"),
        (["search", "metaqnn", "--config", "missing.toml"], 2, "missing.toml"),
        (["search", "metaqnn", "--config", "bad.toml"], 2, "bogus"),
        (["search", "--bogus"], 2, "bogus"),
        (["resume", "nothing"], 1, "run.sqlite"),
        (["show", "nothing"], 1, "run.sqlite"),
        (["report", "nothing"], 1, "run.sqlite"),
        (["retrain", "nothing"], 1, "run.sqlite"),
        (["predict", "nothing.keras", "x.png"], 2, ".keras"),
        (["data", "import", "nothing", "--out", "x"], 2, "nothing"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_clear_line(tmp_path, arguments, code, words):
    (tmp_path / "bad.toml").write_text("bogus = 1\n")
    done = nas_here(*arguments, cwd=tmp_path, check=code)
    assert words in done.stderr
    assert done.stdout == ""
    if "Usage:" not in done.stderr:
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_process_says_and_returns_the_same(tmp_path):
    done = nas("search", "bogus", cwd=tmp_path, check=2)
    assert done.stderr.startswith("nas: expected a search space among chain, metaqnn")
    assert len(done.stderr.splitlines()) == 1


def test_help_names_every_space_and_agent(tmp_path):
    words = set(re.findall(r"[\w-]+", f"{SPACES} {AGENTS}"))
    assert {*names("nas.spaces"), *names("nas.agents"), OWN_TABLE} <= words


@pytest.mark.parametrize(
    "verb",
    ["search", "resume", "runs", "show", "best", "report", "retrain", "predict", "compare",
     "doctor", "data leaves", "data import", "data check", "data show", "data table"],
)  # fmt: skip
def test_every_help_has_an_example(tmp_path, verb):
    assert (
        f"nas {verb}"
        in nas_here(*verb.split(), "--help", cwd=tmp_path).stdout.split("Examples:")[1]
    )


def test_a_used_run_folder_is_refused(tmp_path):
    mock_search(tmp_path, trials=5)
    done = nas_here("search", "metaqnn", "--trainer", "mock", "--run", "R1", cwd=tmp_path, check=1)
    assert "nas resume R1" in done.stderr


def test_help_is_quick_and_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; sys.argv = ['nas', '--help']\n"
        "from nas_core.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'boto3', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def slow_search(cwd, run):
    """Start a mock search of which each trial takes a moment."""
    script = (
        "import sys, time\n"
        "import nas_core.trainer.mock as mock\n"
        "score = mock.MockTrainer.score\n"
        "def slowly(self, spec, job):\n"
        "    time.sleep(0.02)\n"
        "    return score(self, spec, job)\n"
        "mock.MockTrainer.score = slowly\n"
        "from nas_core.cli import main\n"
        "main()\n"
    )
    arguments = [
        "search",
        "metaqnn",
        "--trainer",
        "mock",
        "--trials",
        "80",
        "--seed",
        "1",
        "--run",
        run,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=cwd,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_trials(folder: Path, count: int) -> None:
    from nas_core.database import DATABASE
    from nas_core.store import RunStore

    for _ in range(1000):
        if (folder / DATABASE).exists():
            with RunStore.open(folder) as store:
                if sum(row.status is not None for row in store.trials()) >= count:
                    return
        time.sleep(0.01)
    raise AssertionError("the search does not get on")


@pytest.mark.slow
def test_killed_at_ten_moments_a_run_ends_with_the_uninterrupted_sequence(tmp_path):
    mock_search(tmp_path, "whole", trials=80)
    driver = slow_search(tmp_path, "parts")
    for kill in range(10):
        wait_for_trials(tmp_path / "parts", 5 * kill + 3)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        if kill < 9:
            driver = subprocess.Popen(
                [*NAS, "resume", "parts"], cwd=tmp_path,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
    nas_here("resume", "parts", cwd=tmp_path)
    assert shown(tmp_path, "parts") == shown(tmp_path, "whole")


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        pytest.param([signal.SIGHUP], 143, marks=pytest.mark.slow),
    ],
)
def test_interrupted_runs_say_how_to_go_on(tmp_path, signals, code):
    driver = slow_search(tmp_path, "R")
    wait_for_trials(tmp_path / "R", 3)
    for number in signals:
        driver.send_signal(number)
    _, errors = driver.communicate(timeout=30)
    assert driver.returncode == code, errors
    assert "nas resume" in errors
    assert "Traceback" not in errors
    nas_here("resume", "R", cwd=tmp_path)
    assert len(shown(tmp_path, "R")) == 80


def test_python_dash_m_metaqnn(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run(
        [sys.executable, "-m", "metaqnn", "--trainer", "mock", "--trials", "12", "--run", "R", "--json"],
        cwd=tmp_path, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"] == 12
