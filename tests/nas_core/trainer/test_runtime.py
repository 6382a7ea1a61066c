"""What the machine offers, and the precision that follows from it."""

import os

import pytest

from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer import child, runtime
from nas_core.trainer.recipe import Recipe

PLAIN = ChainSpec.from_text("[C(4,3,1), GAP, SM(3)]")
SEPARABLE = ChainSpec.from_text("[C(4,3,1), S(4,3,1), GAP, SM(3)]")
CELLS = CellSpec(Cell((Block(0, 1, "conv3", "conv3"),)), Cell((Block(0, 1, "max3", "conv1"),)))


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Return a function that pretends to be a processor with these flags and no GPU."""

    def pretend(flags):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor : 0\nflags\t\t: fpu avx2 {flags} fma\n")
        monkeypatch.setattr(runtime, "CPU_INFO", file)
        monkeypatch.setattr(runtime, "has_gpu", lambda: False)
        runtime.computes_in_bfloat16.cache_clear()

    yield pretend
    runtime.computes_in_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [("avx512_bf16", True), ("amx_bf16", True), ("avx512f avx512_vnni", False), ("", False)],
)
def test_bfloat16_by_the_processors_flags(processor, flags, wanted):
    processor(flags)
    assert runtime.computes_in_bfloat16() is wanted


def test_a_system_without_cpuinfo(processor, monkeypatch, tmp_path):
    processor("amx_bf16")
    monkeypatch.setattr(runtime, "CPU_INFO", tmp_path / "none")
    assert runtime.computes_in_bfloat16() is False


@pytest.mark.parametrize(
    ("spec", "ours", "wanted"),
    [
        (PLAIN, True, "mixed_bfloat16"),
        (SEPARABLE, True, "float32"),  # 1.5 times slower in bfloat16
        (CELLS, True, "float32"),
        (PLAIN, False, "float32"),  # a user's function decides for itself
    ],
)
def test_automatic_precision(processor, spec, ours, wanted):
    processor("amx_bf16")
    assert child._precision(spec, Recipe(), ours) == wanted
    assert child._precision(spec, Recipe(precision="mixed_bfloat16"), ours) == "mixed_bfloat16"
    processor("")
    assert child._precision(spec, Recipe(), ours) == "float32"


def test_onednn_is_on_unless_the_user_says_otherwise():
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] in ("0", "1")
