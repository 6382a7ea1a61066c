import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
IMPORTS = """
from nas_core.executors.process import ProcessExecutor
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Result, Status
"""
OWN = """
class Mine:
    name = "mine"
    def score(self, spec, job):
        return Result(Status.OK, 0.5, details={"main": __name__})
    def config(self):
        return {}
"""
SEARCH = """
def search(trainer):
    executor = ProcessExecutor(trainer, 1, gpu="never")
    executor.submit(ChainSpec.from_text("[GAP, SM(10)]"), Job(0, 0))
    print("ANSWER", executor.poll(60)[0].result.status)
"""
BARE = IMPORTS + SEARCH + "print('START')\nfrom fault_trainers import Echo\nsearch(Echo())\n"
OWN_BARE = IMPORTS + OWN + SEARCH + "print('START')\nsearch(Mine())\n"
OWN_GUARDED = (
    IMPORTS + OWN + SEARCH + "print('START')\nif __name__ == '__main__':\n    search(Mine())\n"
)


def run(arguments: list[str], folder: Path, text: str = "") -> tuple[str, str]:
    """Run Python as a user would, from another folder; return its output and its last error."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, input=text, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, timeout=60, check=False,
    )  # fmt: skip
    errors = done.stderr.strip().splitlines()
    return done.stdout, errors[-1] if errors else ""


def test_a_bare_script_is_not_run_again_for_an_importable_trainer(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(BARE)
    for arguments, text in (
        (["script.py"], ""),
        (["-m", "script"], ""),
        (["-c", BARE], ""),
        (["-"], BARE),
    ):
        assert run(arguments, tmp_path, text) == ("START\nANSWER ok\n", ""), arguments


@pytest.mark.parametrize("arguments", [["script.py"], ["-m", "script"]])
def test_a_guarded_script_may_define_its_trainer(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "script.py").write_text(OWN_GUARDED)
    output, error = run(arguments, tmp_path)
    assert output.startswith("START\n")
    assert output.endswith("ANSWER ok\n")
    assert error == ""


def test_a_bare_script_with_its_own_trainer_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(OWN_BARE)
    output, error = run(["script.py"], tmp_path)
    assert output == "START\n"
    assert "UsageError: expected `if __name__ == '__main__':`" in error
    line = OWN_BARE.splitlines().index("search(Mine())") + 1
    assert f"script.py, line {line}" in error


def test_a_trainer_from_standard_input_is_told_what_to_do(tmp_path: Path) -> None:
    output, error = run(["-"], tmp_path, OWN_GUARDED)
    assert output == "START\n"
    assert "standard input" in error
    assert "importable file" in error
