"""Shared fixtures: the place of the optional real data sets, and a quiet TensorFlow."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Return a function from a relative path to the real data file, or skip and name it."""
    base = Path(os.environ.get("NAS_SHARED_DATA", ROOT.parent / "shared" / "data"))

    def find(relative: str) -> Path:
        path = base / relative
        if not path.exists():
            pytest.skip(f"missing {path}: set NAS_SHARED_DATA to a folder that holds {relative}")
        return path

    return find
