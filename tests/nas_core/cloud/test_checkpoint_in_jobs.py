"""A run inside a job, copied so that a sync that stops anywhere leaves something to go on from."""

import json
import shutil
from pathlib import Path

import pytest

import nas_core
from nas_core.cloud import checkpoint
from nas_core.cloud.checkpoint import Checkpoint
from nas_core.store import RunStore


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched") / "run"
    nas_core.search("metaqnn", trainer="mock", trials=4, seed=1, run=folder)
    return folder


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    shutil.copytree(searched, tmp_path / "run")
    return tmp_path / "run"


def texts(run: Path) -> list[str]:
    with RunStore.open(run) as store:
        return [row.text for row in store.trials()]


def mark(run: Path, text: str) -> None:
    """Make the run differ, so that the next generation does."""
    with RunStore.open(run, write=True) as store, store.transaction():
        store.set_meta("mark", text)


def found_mark(folder: Path, place: Path) -> str | None:
    if not Checkpoint(folder, place).restore():
        return None
    with RunStore.open(place) as store:
        return str(store.meta("mark"))


def test_a_run_comes_back_with_its_control_and_models(run: Path, tmp_path: Path) -> None:
    (run / "models").mkdir()
    (run / "models/a.keras").write_bytes(b"weights")
    (run / "checkpoints/trial-9").mkdir(parents=True)
    (run / "checkpoints/trial-9/1.npz").write_bytes(b"half a training")
    Checkpoint(tmp_path / "synced", run).save()
    assert Checkpoint(tmp_path / "synced", tmp_path / "back").restore()
    assert texts(tmp_path / "back") == texts(run)
    assert texts(tmp_path / "back/control") == texts(run / "control")
    assert (tmp_path / "back/models/a.keras").read_bytes() == b"weights"
    assert (tmp_path / "back/checkpoints/trial-9/1.npz").read_bytes() == b"half a training"


def test_without_a_generation_nothing_is_restored(run: Path, tmp_path: Path) -> None:
    (tmp_path / "synced").mkdir()
    assert not Checkpoint(tmp_path / "synced", tmp_path / "back").restore()
    Checkpoint(tmp_path / "synced", tmp_path / "no-run-yet").save()
    assert list((tmp_path / "synced").iterdir()) == []


@pytest.mark.parametrize("damage", ["no manifest", "half a manifest", "no file", "half a file"])
def test_a_generation_that_was_synced_in_part_is_ignored(
    run: Path, tmp_path: Path, damage: str
) -> None:
    synced = tmp_path / "synced"
    for text in ("first", "second"):
        mark(run, text)
        Checkpoint(synced, run).save(at_once=True)
    newest = synced / "manifest-00000002.json"
    database = synced / json.loads(newest.read_text())["files"]["run.sqlite"]
    if damage == "no manifest":
        newest.unlink()
    elif damage == "half a manifest":
        newest.write_text(newest.read_text()[:40])
    elif damage == "no file":
        database.unlink()
    else:
        database.write_bytes(database.read_bytes()[:1000])
    assert found_mark(synced, tmp_path / "back") == "first"


def test_any_order_of_syncing_leaves_a_whole_generation(run: Path, tmp_path: Path) -> None:
    """S3 gets some files of the newest generation: what it had before is still whole there."""
    synced, there = tmp_path / "synced", tmp_path / "there"
    mark(run, "first")
    Checkpoint(synced, run).save()
    shutil.copytree(synced, there)
    before = {path.name for path in synced.iterdir()}
    mark(run, "second")
    Checkpoint(synced, run).save(at_once=True)
    new = sorted({path.name for path in synced.iterdir()} - before)
    assert len(new) == 2
    for first in new:
        partial = tmp_path / f"partial-{first}"
        shutil.copytree(there, partial)
        shutil.copy(synced / first, partial)
        assert found_mark(partial, tmp_path / f"back-{first}") == "first"


def test_commits_in_a_hurry_make_one_generation(run: Path, tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "synced", run)
    for text in ("first", "second", "third"):
        mark(run, text)
        kept.save()
    assert found_mark(tmp_path / "synced", tmp_path / "one") == "first"
    kept.save(at_once=True)
    assert found_mark(tmp_path / "synced", tmp_path / "two") == "third"


def test_old_generations_go_once_newer_ones_had_time(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = tmp_path / "synced"
    kept = Checkpoint(synced, run)
    for text in ("1", "2", "3", "4"):
        mark(run, text)
        kept.save(at_once=True)
    assert len(list(synced.glob("manifest-*"))) == 4  # nothing is lost in a hurry
    monkeypatch.setattr(checkpoint, "SYNC_SECONDS", -1.0)
    mark(run, "5")
    kept.save(at_once=True)
    assert len(list(synced.glob("manifest-*"))) == 2
    named = {
        digest
        for path in synced.glob("manifest-*")
        for digest in json.loads(path.read_text())["files"].values()
    }
    assert {path.name for path in synced.iterdir() if path.suffix == ""} == named
    assert found_mark(synced, tmp_path / "back") == "5"
