"""The one door to the test split: recorded before it opens, and no other way in."""

import json
from pathlib import Path

import numpy as np
import pytest

import nas_core.datasets.test_split as door
from nas_core.datasets import Split, write_dataset
from nas_core.datasets.test_split import open_test, read_openings, verify_dataset
from nas_core.errors import RunError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def info(tmp_path):
    def split(count, value):
        return Split(np.full((count, 8, 8, 3), value, np.uint8), np.arange(count) % 2)

    splits = {"train": split(6, 1), "validation": split(2, 2), "test": split(4, 3)}
    return write_dataset(tmp_path / "set", splits, ("a", "b"), "flat")


def test_opening_is_recorded_and_the_split_is_the_test_split(info, tmp_path):
    split = open_test(info, run=tmp_path, reason="final evaluation")
    assert split.images.shape == (4, 8, 8, 3)
    assert int(split.images[0, 0, 0, 0]) == 3
    (record,) = read_openings(tmp_path)
    assert record["reason"] == "final evaluation"
    assert record["digest"] == info.digest
    open_test(info, run=tmp_path, reason="again")
    assert [entry["reason"] for entry in read_openings(tmp_path)] == ["final evaluation", "again"]


def test_record_comes_before_the_reading(info, tmp_path, monkeypatch):
    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "_read_arrays", broken)
    with pytest.raises(KeyboardInterrupt):
        open_test(info, run=tmp_path, reason="interrupted")
    assert len(read_openings(tmp_path)) == 1


def test_without_a_record_the_split_stays_closed(info, tmp_path, monkeypatch):
    monkeypatch.setattr(door, "_read_arrays", lambda *_: pytest.fail("the test split was read"))
    with pytest.raises(RunError, match="stays closed"):
        open_test(info, run=tmp_path / "absent", reason="no run")


def test_torn_record_is_left_out_and_the_next_starts_a_line(info, tmp_path):
    (tmp_path / "test_openings.jsonl").write_text('{"time": "2026', encoding="utf-8")
    assert read_openings(tmp_path) == []
    open_test(info, run=tmp_path, reason="after a crash")
    assert [entry["reason"] for entry in read_openings(tmp_path)] == ["after a crash"]


def test_no_other_module_reads_arrays_or_names_the_test_files():
    readers = {
        path.relative_to(ROOT).as_posix()
        for room in ("nas_core", "metaqnn", "nas_net_architecture")
        for path in (ROOT / room).rglob("*.py")
        if "_read_arrays" in (text := path.read_text(encoding="utf-8")) or "test_images.npy" in text
    }
    allowed = {"nas_core/datasets/store.py", "nas_core/datasets/test_split.py"}
    assert readers == allowed


def test_verify_names_the_changed_file(info):
    assert verify_dataset(info) == []
    path = info.path / "test_images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert verify_dataset(info) == ["test_images.npy"]


def test_records_are_single_lines_of_json(info, tmp_path):
    open_test(info, run=tmp_path, reason='line\nbreak \u2028 "quote"')
    lines = (tmp_path / "test_openings.jsonl").read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["reason"].startswith("line\nbreak")
