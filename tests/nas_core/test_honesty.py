"""Validation is not test: nothing opens the test split before a search has ended."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tiny_data import write_tiny

ROOT = Path(__file__).resolve().parents[2]


def opened_test_files(folder: Path, script: str) -> tuple[list[str], str]:
    """Run a script whose process and children report every test file that they open."""
    log = folder / "opened.txt"
    hook = textwrap.dedent(
        f"""
        import os, sys
        def watch(event, arguments):
            if event == "open" and "test_" in os.path.basename(str(arguments[0])):
                if str(arguments[0]).endswith(".npy"):
                    handle = os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                    os.write(handle, (str(arguments[0]) + "\\n").encode())
                    os.close(handle)
        sys.addaudithook(watch)
        """
    )
    # sitecustomize is imported by the driver, the fork server and so by every child
    (folder / "sitecustomize.py").write_text(hook)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return (log.read_text().split() if log.exists() else []), done.stdout


@pytest.mark.slow
def test_a_search_with_real_children_never_opens_the_test_split(tmp_path):
    write_tiny(tmp_path / "tiny")
    search = (
        "from nas_core.api import search\n"
        "result = search('metaqnn', 'tiny', trials=4, workers=2, run='R',\n"
        "                recipe={'epochs': 1, 'image_size': 8, 'restarts': 0})\n"
        "print(result.summary['trials'], result.summary['best']['score'])\n"
    )
    opened, printed = opened_test_files(tmp_path, search)
    assert printed.startswith("4 ")
    assert opened == []
    # the same watch does see retraining, which opens the split once and says so
    retrain = "from pathlib import Path\nfrom nas_core.retrain import retrain\n" \
        "retrain(Path('R'), top=1, epochs=1)\n"  # fmt: skip
    opened, _ = opened_test_files(tmp_path, retrain)
    assert {Path(name).name for name in opened} == {"test_images.npy", "test_labels.npy"}
    records = (tmp_path / "R" / "test_openings.jsonl").read_text().splitlines()
    assert len(records) == 1
    assert json.loads(records[0])["reason"].startswith("retrained")
