"""A data set on a node: read where it lies, else unpacked from what was sent."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_trainers import Echo
from tiny_data import write_tiny

from nas_core.datasets import load_split, open_dataset
from nas_core.datasets.test_split import open_test
from nas_core.errors import DataError
from nas_core.executors.ray import shared_data
from nas_core.executors.ray.shared_data import (
    CACHE,
    DataSet,
    blocks,
    cache_folder,
    data_of,
    names_to_send,
    trainer_here,
    unpack,
)


@dataclass(frozen=True)
class Reads(Echo):
    data: Path | None = None


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """A data set on the driver's machine, and an empty cache."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(shared_data, "BLOCK", 1000)
    info = write_tiny(tmp_path / "tiny")
    return DataSet(info.path, info.digest)


def sent(data: DataSet) -> dict[str, list[bytes]]:
    return {name: list(blocks(data.folder / name)) for name in names_to_send(data)}


def test_a_trainer_without_data_needs_none(data: DataSet) -> None:
    assert data_of(Echo()) is None
    assert data_of(Reads(data=Path("nowhere"))) is None
    assert data_of(Reads(data=data.folder)) == data
    assert trainer_here(Echo(), None) == Echo()


def test_data_at_the_same_path_are_read_there(data: DataSet) -> None:
    trainer = Reads(data=data.folder)
    assert trainer_here(trainer, data) is trainer
    assert trainer_here(trainer, DataSet(data.folder, "another digest")) is None


def test_data_that_were_sent_are_read_in_the_cache(data: DataSet, tmp_path: Path) -> None:
    trainer, files = Reads(data=data.folder), sent(data)
    assert len(files["train_images.npy"]) > 2  # in blocks
    before = load_split(open_dataset(data.folder), "train")
    images, labels = before.images.copy(), before.labels.copy()
    shutil.rmtree(data.folder)
    assert trainer_here(trainer, data) is None
    folder = unpack(files, data.digest, lambda part: part)
    assert folder == cache_folder(data.digest)
    assert folder.is_relative_to(tmp_path / "cache")
    here = trainer_here(trainer, data)
    assert here == Reads(data=folder)
    after = load_split(open_dataset(folder), "train")
    assert (after.images == images).all()
    assert (after.labels == labels).all()
    assert unpack(files, data.digest, lambda part: part) == folder  # another process was quicker
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_test_split_is_not_sent(data: DataSet) -> None:
    assert not any(name.startswith("test_") for name in names_to_send(data))
    folder = unpack(sent(data), data.digest, lambda part: part)
    assert (folder / "test_images.npy").stat().st_size == 0
    with pytest.raises(DataError):
        open_test(open_dataset(folder), run=folder, reason="a node")


@pytest.mark.parametrize("name", ["train_labels.npy", "dataset.json"])
def test_damaged_data_leave_nothing(data: DataSet, name: str) -> None:
    files = sent(data)
    files[name] = [b"x" * len(part) for part in files[name]]
    with pytest.raises(DataError):
        unpack(files, data.digest, lambda part: part)
    assert list(cache_folder(data.digest).parent.iterdir()) == []


def test_a_transfer_that_breaks_off_leaves_nothing(data: DataSet) -> None:
    def fetch(part: bytes) -> bytes:
        raise OSError("the owner died")

    with pytest.raises(OSError, match="owner died"):
        unpack(sent(data), data.digest, fetch)
    assert list(cache_folder(data.digest).parent.iterdir()) == []
