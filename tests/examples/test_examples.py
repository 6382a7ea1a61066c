"""The examples run as they are: tiny, in a process of their own, and go on from what they saved."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def python(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_loop_learns_logs_and_saves_its_brain(tmp_path: Path) -> None:
    script = str(EXAMPLES / "own_loop.py")
    asked = ("--task", "generated-digits", "--epochs", "6", "--folder", "run")
    assert "the agent began anew" in python(script, *asked, cwd=tmp_path)
    assert (tmp_path / "run" / "brain" / "manifest.json").exists()
    assert list((tmp_path / "run" / "fit").rglob("events.*"))


@pytest.mark.slow
def test_the_notebook_runs_and_its_second_run_goes_on_from_the_brain(tmp_path: Path) -> None:
    cells = json.loads((EXAMPLES / "own_loop.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for line in "\n".join(code).splitlines() if not line.startswith("%")]
    small = (
        "\n".join(lines).replace('"leaves"', '"generated-digits"').replace("epochs=20", "epochs=2")
    )
    (tmp_path / "notebook.py").write_text(small)
    python("notebook.py", cwd=tmp_path)
    manifest = json.loads((tmp_path / "runs" / "notebook" / "brain" / "manifest.json").read_text())
    assert manifest["generation"] == 2
    assert manifest["state"]["optimizer"]["counts"][1] == 4  # decisions of both runs


@pytest.mark.slow
def test_the_callback_in_a_fit_of_ones_own(tmp_path: Path) -> None:
    said = python(str(EXAMPLES / "controlled_fit.py"), cwd=tmp_path)
    assert "controls: learning_rate" in said
    assert (tmp_path / "runs" / "controlled_fit.csv").read_text().startswith("epoch,step,event")
