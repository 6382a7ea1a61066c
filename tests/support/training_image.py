"""TEST EQUIPMENT: stands in for a training container's image: Python and TensorFlow, not us.

A folder with ``bin/python3`` and ``bin/pip3`` whose site-packages are links to the test
environment's, without this project and without what no TensorFlow image has. So a job that
imports `nas_core` can only have it from its own bundle.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

ABSENT = (
    "rl_nas", "__editable__", "_rl_nas", "sagemaker", "ray", "torch", "stable_baselines3", "moto",
    "distutils-precedence", "pytest", "hypothesis", "mlflow",
)  # fmt: skip


def make_image(folder: Path, *modules: Path) -> Path:
    """Make an image and return its ``bin`` folder.

    Args:
        folder: New folder for it.
        modules: Files that the image holds besides, importable by name: trainers of a user.
    """
    subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--without-pip", folder],
        check=True,
    )
    inside = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    packages = folder / inside
    for item in [*Path(sysconfig.get_path("purelib")).iterdir(), *modules]:
        if not item.name.startswith(ABSENT) and item.name != "__pycache__":
            link = packages / item.name
            if not link.exists():
                link.symlink_to(item.resolve())
    pip = folder / "bin/pip3"
    pip.write_text(f'#!/bin/sh\nexec {folder}/bin/python3 -m pip "$@"\n')
    pip.chmod(0o755)
    return folder / "bin"
