"""The data set format: round trip, damage, fractions, and the closed test split."""

import json
import os
import re

import numpy as np
import pytest

from nas_core.datasets import Split, load_split, open_dataset, write_dataset
from nas_core.datasets.manifest import FILES, overall_digest
from nas_core.errors import DataError, UsageError
from nas_core.files import sha256_file

CLASSES = ("apple", "pear", "plum")


def make_split(count, seed, channels=3):
    draws = np.random.default_rng(seed)
    images = draws.integers(0, 256, (count, 8, 8, channels), dtype=np.uint8)
    return Split(images, np.arange(count) % 3)


@pytest.fixture
def info(tmp_path):
    splits = {
        "train": make_split(60, 0), "validation": make_split(12, 1), "test": make_split(15, 2),
    }  # fmt: skip
    return write_dataset(tmp_path / "fruit", splits, CLASSES, "drawn at random")


def test_round_trip_keeps_everything(info):
    again = open_dataset(info.path)
    assert again == info
    assert again.classes == CLASSES
    assert again.image_shape == (8, 8, 3)
    assert again.counts == {"train": 60, "validation": 12, "test": 15}
    assert again.name == "fruit"
    train = load_split(info, "train")
    np.testing.assert_array_equal(train.images, make_split(60, 0).images)
    np.testing.assert_array_equal(train.labels, np.arange(60) % 3)
    assert isinstance(train.images, np.memmap)
    assert train.labels.dtype == np.int32


def test_digest_is_over_all_six_files(info):
    hashes = {name: sha256_file(info.path / name) for name in FILES}
    assert len(hashes) == 6
    assert info.digest == overall_digest(hashes)
    assert info.digest != overall_digest({**hashes, "test_labels.npy": "0" * 64})


def test_same_content_has_the_same_digest_elsewhere(info, tmp_path):
    splits = {
        "train": make_split(60, 0), "validation": make_split(12, 1), "test": make_split(15, 2),
    }  # fmt: skip
    other = write_dataset(tmp_path / "elsewhere", splits, CLASSES, "another source", name="x")
    assert other.digest == info.digest


def test_search_cannot_open_the_test_split(info):
    with pytest.raises(UsageError, match="opened once, after a search"):
        load_split(info, "test")


def test_search_works_when_the_test_files_cannot_be_read(info):
    (info.path / "test_images.npy").write_bytes(b"")
    assert len(load_split(open_dataset(info.path), "train").labels) == 60


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5, float("nan")])
def test_fraction_out_of_range_is_refused(info, fraction):
    with pytest.raises(UsageError, match="data fraction"):
        load_split(info, "train", fraction)


def test_fraction_is_stratified_and_reproducible(info):
    part = load_split(info, "train", 0.5, seed=3)
    assert np.bincount(part.labels).tolist() == [10, 10, 10]
    np.testing.assert_array_equal(part.images, load_split(info, "train", 0.5, seed=3).images)
    other = load_split(info, "train", 0.5, seed=4)
    assert not np.array_equal(part.images, other.images)


def test_smallest_fraction_keeps_one_of_each_class(info):
    part = load_split(info, "validation", 0.001)
    assert sorted(part.labels.tolist()) == [0, 1, 2]


def test_existing_folder_is_never_overwritten(info):
    with pytest.raises(DataError, match="exists"):
        write_dataset(info.path, {}, CLASSES, "again")


def test_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    splits = {name: make_split(6, 0) for name in ("train", "validation", "test")}
    with pytest.raises(OSError, match="No space left"):
        write_dataset(tmp_path / "full", splits, CLASSES, "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {**s, "extra": s["train"]}, "expected the splits"),
        (lambda s: {**s, "test": make_split(6, 0, 1)}, "of shape"),
        (lambda s: {**s, "train": Split(s["train"].images / 255, s["train"].labels)}, "uint8"),
        (
            lambda s: {**s, "train": Split(s["train"].images, s["train"].labels[1:])},
            "integer train",
        ),
        (lambda s: {**s, "train": Split(s["train"].images, s["train"].labels + 1)}, "from 0 to 2"),
        (lambda s: {**s, "train": Split(s["train"].images, s["train"].labels * 1.0)}, "integer"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, change, message):
    splits = {name: make_split(6, 0) for name in ("train", "validation", "test")}
    with pytest.raises(DataError, match=message):
        write_dataset(tmp_path / "bad", change(splits), CLASSES, "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dataset.json", "train_images.npy", "test_labels.npy"])
def test_missing_file_is_named(info, name):
    (info.path / name).unlink()
    with pytest.raises(DataError, match=re.escape(name)):
        open_dataset(info.path)


def test_damaged_array_is_one_clear_error(info):
    path = info.path / "train_images.npy"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"train_images\.npy"):
        load_split(info, "train")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"classes": ["one"]},
        {"classes": "ab"},
        {"image_shape": [8, 8, 2]},
        {"counts": {"train": 60, "validation": 12}},
        {"counts": {"train": 61, "validation": 12, "test": 15}},
        {"digest": "0" * 64},
        {"files": {}},
        {"name": 3},
    ],
)
def test_damaged_manifest_is_refused(info, change):
    path = info.path / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="import the data set again"):
        open_dataset(info.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_unreadable_manifest_is_refused(info, text):
    (info.path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json"):
        open_dataset(info.path)


def test_labels_out_of_range_in_a_file_are_refused(info):
    np.save(info.path / "train_labels.npy", np.full(60, 7, np.int32))
    with pytest.raises(DataError, match="labels from 0 to 2"):
        load_split(info, "train")
