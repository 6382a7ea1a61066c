"""Checkpoints on disk: two generations, damage, full disks, and when they are due."""

import json

import numpy as np
import pytest

from nas_core import failpoints
from nas_core.errors import UsageError
from nas_core.trainer import checkpoint
from nas_core.trainer.checkpoint import Checkpoints, Snapshot, remove


def snapshot(number):
    arrays = {"model": [np.full((3, 2), number, np.float32), np.uint32([number, 1])], "best": []}
    return Snapshot(arrays, {"curve": [[0.1 + 0.2, number]], "rng": {"big": 2**127 + number}})


def saved(folder, count, identity=None):
    kept = Checkpoints(folder, {"seed": 1} if identity is None else identity)
    kept.load()
    for number in range(count):
        kept.save(lambda n=number: snapshot(n))
    return kept


def loaded(folder, identity=None):
    again = Checkpoints(folder, {"seed": 1} if identity is None else identity)
    return again.load(), again


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints" / "trial-0"


def test_what_is_saved_is_loaded_exactly(folder):
    saved(folder, 1)
    found, again = loaded(folder)
    wanted = snapshot(0)
    assert {k: v for k, v in found.state.items() if k != "seconds"} == wanted.state
    assert found.arrays["best"] == []
    for left, right in zip(found.arrays["model"], wanted.arrays["model"], strict=True):
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)
    assert again.warnings == []


def test_two_generations_are_kept_and_nothing_else(folder):
    saved(folder, 5)
    numbers = sorted(path.stem.rpartition("-")[2] for path in folder.iterdir())
    assert numbers == ["000004", "000004", "000005", "000005"]
    saved(folder, 1)  # another process counts on
    assert max(path.stem.rpartition("-")[2] for path in folder.iterdir()) == "000006"


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", ["half", "empty", "bit", "gone"])
def test_a_broken_generation_falls_back_with_one_line(folder, suffix, damage, capsys):
    saved(folder, 3)
    newest = max(folder.glob(f"*{suffix}"))
    data = bytearray(newest.read_bytes())
    if damage == "gone":
        newest.unlink()
    else:
        data[len(data) // 2] ^= 1
        newest.write_bytes({"half": data[: len(data) // 2], "empty": b"", "bit": data}[damage])
    found, again = loaded(folder)
    assert found.arrays["model"][0][0, 0] == 1
    silent = (suffix, damage) == (".json", "gone")  # a kill before the manifest is no damage
    assert len(again.warnings) == len(capsys.readouterr().err.splitlines()) == (not silent)


def test_no_intact_generation_means_from_the_start(folder):
    saved(folder, 2)
    for path in folder.glob("*.npz"):
        path.write_bytes(b"")
    found, again = loaded(folder)
    assert found is None
    assert len(again.warnings) == 2


def test_another_identity_is_another_training(folder):
    saved(folder, 1)
    assert loaded(folder, {"seed": 2})[0] is None
    saved(folder, 1, {"seed": 2})
    assert loaded(folder)[0] is not None
    path = max(folder.glob("*.json"))
    manifest = json.loads(path.read_text())
    manifest["identity"] = "{}"
    path.write_text(json.dumps(manifest))
    assert sum(loaded(folder, {"seed": n})[0] is None for n in (1, 2)) == 1


def test_what_the_disk_refuses_is_not_saved_and_stops_nothing(folder, capsys):
    kept = saved(folder, 1)
    failpoints.arm("file.written:raise")
    try:
        kept.save(lambda: snapshot(9))
    finally:
        failpoints.arm(None)
    assert len(kept.warnings) == len(capsys.readouterr().err.splitlines()) == 1
    assert loaded(folder)[0].arrays["model"][0][0, 0] == 0
    assert len(list(folder.iterdir())) == 2
    kept.save(lambda: snapshot(10))
    assert loaded(folder)[0].arrays["model"][0][0, 0] == 10


def test_the_run_on_another_machine_gets_no_folders_here(tmp_path):
    kept = Checkpoints(tmp_path / "elsewhere" / "checkpoints" / "trial-0", {})
    kept.save(lambda: snapshot(0))
    assert list(tmp_path.iterdir()) == []
    assert len(kept.warnings) == 1


def test_when_one_is_due(folder, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept = Checkpoints(folder, {})
    now[0] += 4.9
    assert not kept.due()
    now[0] += 0.1
    assert kept.due()

    def slow():
        now[0] += 0.3
        return snapshot(0)

    kept.save(slow)  # 0.3 s of work: at most 2 % of the time from now on
    now[0] += 14.9
    assert not kept.due()
    now[0] += 0.2
    assert kept.due()
    again = Checkpoints(folder, {})
    again.load()
    assert again.seconds_before == pytest.approx(5.3)
    assert again.due()  # a training that has been killed once keeps its next epoch at once


def test_the_environment_decides_how_often(folder, monkeypatch):
    monkeypatch.setenv(checkpoint.VARIABLE, "0")
    assert Checkpoints(folder, {}).due()
    monkeypatch.setenv(checkpoint.VARIABLE, "often")
    with pytest.raises(UsageError, match="often"):
        Checkpoints(folder, {})


def test_removal_takes_the_last_folder_with_it(folder):
    saved(folder, 1)
    other = folder.with_name("trial-1")
    saved(other, 1)
    remove(folder)
    assert list(folder.parent.iterdir()) == [other]
    remove(other)
    assert not folder.parent.exists()
    remove(other)
    remove(None)
