"""What is shipped, what is not, and house rules that a look at the files can check."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("nas_core", "metaqnn", "nas_net_architecture", "training_control")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_sagemaker_folder_never_hides_the_sdk():
    assert not list((ROOT / "sagemaker").rglob("__init__.py"))
    assert all("-" in path.stem for path in (ROOT / "sagemaker").rglob("*.py"))


def test_every_package_is_listed():
    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for path in SOURCES
        if path.name == "__init__.py"
    }
    assert listed == found


# Of what the wheel holds alone. That neither torch nor Stable-Baselines3 is needed is shown in
# training_control/test_callback.py by blocking their imports: a fresh environment would have to
# download TensorFlow.
OPEN_BRAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from training_control import steering
steering.open_brain("default")
print(steering.BRAINS.parent)
"""


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path):
    copy = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w",
         str(tmp_path), str(copy)],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    brain = ROOT / "training_control" / "brains" / "default"
    shipped = {str(path.relative_to(ROOT)) for path in brain.iterdir()}
    assert any(name.endswith("manifest.json") for name in shipped)
    assert shipped <= set(names)
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    opened = subprocess.run(
        [sys.executable, "-c", OPEN_BRAIN, str(tmp_path / "installed")],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.strip() == str(tmp_path / "installed" / "training_control")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_house_rules(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    tree = ast.parse(text)
    assert ast.get_docstring(tree) is not None
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert)
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None)
    forbidden = (
        r"\bimport (?:c?loud)?pickle\b|\bdill\b|joblib|allow_pickle=True|yaml\.load\(|\beval\("
    )
    assert re.search(forbidden + r"|np\.random\.seed|\brandom\.seed\(", text) is None


def test_pinned_requirements_agree_with_the_declared_ranges():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = (ROOT / "requirements.txt").read_text()
    for requirement in declared:
        name = re.match(r"[a-z0-9]+", requirement)[0]
        assert re.search(rf"^{name}==", pinned, re.MULTILINE), name
