"""The examples run as they are: tiny, in a process of their own, and go on from what they saved."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def python(*arguments: str, cwd: Path, code: int = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{EXAMPLES}{os.pathsep}{EXAMPLES.parent}"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def scalars(folder: Path) -> dict[str, int]:
    """Return the names of a TensorBoard folder's scalars, each with the number of its values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {name: len(events.Tensors(name)) for name in events.Tags()["tensors"]}


@pytest.mark.slow
def test_the_loop_learns_logs_and_goes_on_from_its_brain(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    script, run = str(EXAMPLES / "own_loop.py"), tmp_path / "run"
    pictures = str(shared_data("cifar10/cifar10_small.npz"))
    asked = ("--task", "cifar10", "--data", pictures, "--epochs", "3", "--folder", "run")
    assert "the agent begins anew" in python(script, *asked, cwd=tmp_path)
    counts = json.loads((run / "brain" / "manifest.json").read_text())["state"]["optimizer"]
    assert counts["counts"][1] == 3
    best = (run / "best.keras").read_bytes()
    (tmp_path / "own.toml").write_text('gamma = 0.99\nbrain_save_dir = "brain"\n')
    again = python(script, *asked[:-4], "--epochs", "1", *asked[-2:], "--config", "own.toml",
                   cwd=tmp_path)  # fmt: skip
    assert "the agent goes on from its brain" in again
    counts = json.loads((run / "brain" / "manifest.json").read_text())["state"]["optimizer"]
    assert counts["counts"][1] == 4
    assert (run / "best.keras").read_bytes() == best  # three epochs are better than one
    assert (run / "last.keras").exists()
    told = scalars(run / "logs" / "run-1" / "agent")
    names = ("intervened", "learning_rate", "dropout", "weight_decay", "reward", "threshold")
    assert {f"controller/{name}": 3 for name in names}.items() <= told.items()
    assert scalars(run / "logs" / "run-2" / "validation")["epoch_loss"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("config", ["gama = 0.9", "gamma = 'a'", "gamma ="])
def test_a_bad_configuration_is_one_line(tmp_path: Path, config: str) -> None:
    (tmp_path / "own.toml").write_text(config)
    asked = ("--task", "generated-digits", "--config", "own.toml")
    said = python(str(EXAMPLES / "own_loop.py"), *asked, cwd=tmp_path, code=1)
    assert "Traceback" not in said and said.splitlines()[-1].startswith("own_loop: ")


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
