"""The contact sheet and the check: train only is looked at, damage and copies are found."""

import numpy as np
import pytest
from PIL import Image

from nas_core.datasets import Split, check_dataset, contact_sheet, open_dataset, write_dataset
from nas_core.errors import UsageError


def splits(channels=3):
    def split(count, seed):
        shape = (count, 16, 16, channels)
        images = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        return Split(images, np.arange(count) % 2)

    return {"train": split(10, 0), "validation": split(4, 1), "test": split(4, 2)}


@pytest.fixture
def info(tmp_path):
    return write_dataset(tmp_path / "set", splits(), ("long name", "b"), "noise")


def test_contact_sheet_shows_training_images_in_rows(info, tmp_path):
    (info.path / "test_images.npy").write_bytes(b"closed")
    path = contact_sheet(info, tmp_path / "new" / "sheet.png", per_class=3)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (4 + 2 * 86, 4 + 3 * 68, 3)
    second = splits()["train"].images[3]  # the second image of class 1, four times enlarged
    np.testing.assert_array_equal(pixels[108:172:4, 72:136:4], second)
    assert (pixels[4:20] < 128).any()  # the class's name


@pytest.mark.parametrize("channels", [1, 3])
def test_contact_sheet_of_few_images(tmp_path, channels):
    info = write_dataset(tmp_path / "set", splits(channels), ("a\n\u202e", "b"), "noise")
    assert contact_sheet(info, tmp_path / "sheet.png", per_class=50).is_file()


@pytest.mark.parametrize(("name", "per_class"), [("sheet.jpg", 3), ("sheet.png", 0)])
def test_contact_sheet_refuses_nonsense(info, tmp_path, name, per_class):
    with pytest.raises(UsageError, match="png"):
        contact_sheet(info, tmp_path / name, per_class)


def test_check_describes_the_data_set(info):
    found = check_dataset(info)
    assert found["ok"] is True
    assert found["damaged"] == []
    assert found["counts"]["train"] == {"long name": 5, "b": 5}
    images = splits()["train"].images / 255
    np.testing.assert_allclose(found["mean"], images.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(found["std"], images.std(axis=(0, 1, 2)), rtol=1e-9)
    assert set(found["duplicates"].values()) == {0}


def test_check_finds_damage(info):
    path = info.path / "validation_labels.npy"
    path.write_bytes(path.read_bytes()[:-4] + b"\1\0\0\0")
    np.save(info.path / "test_labels.npy", np.zeros(4, np.int32))
    found = check_dataset(open_dataset(info.path))
    assert "test_labels.npy" in found["damaged"]
    assert found["ok"] is False


def test_check_finds_copies_across_splits(tmp_path):
    parts = splits()
    parts["test"].images[1] = parts["train"].images[0]
    parts["train"].images[5] = parts["train"].images[4]
    found = check_dataset(write_dataset(tmp_path / "set", parts, ("a", "b"), "noise"))
    assert found["duplicates"]["train+test"] == 1
    assert found["duplicates"]["train"] == 1
    assert found["ok"] is False
