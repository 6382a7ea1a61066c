"""Importing .npz files: every accepted form, every wrong array, and the real data sets."""

import zipfile

import numpy as np
import pytest

from nas_core.datasets import import_dataset, load_split
from nas_core.datasets.test_split import open_test
from nas_core.errors import DataError


def noise(count, side=12, channels=(3,), seed=0):
    shape = (count, side, side, *channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def labels_of(count, classes=2):
    return np.arange(count) % classes


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def importing(tmp_path, image_size=None, **arrays):
    path = saved(tmp_path / "in.npz", **arrays)
    return import_dataset(path, tmp_path / "out", image_size=image_size)


def test_images_and_labels_are_divided(tmp_path):
    report = importing(tmp_path, images=noise(40), labels=labels_of(40))
    assert report.info.counts == {"train": 28, "validation": 6, "test": 6}
    assert report.info.classes == ("0", "1")
    assert report.info.image_shape == (12, 12, 3)


def test_supplied_split_and_names_are_kept(tmp_path):
    images, codes = noise(10), np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
    report = importing(
        tmp_path, images=images, labels=labels_of(10).astype(np.uint8), split=codes,
        class_names=np.array(["up", "down"]),
    )  # fmt: skip
    assert report.info.classes == ("up", "down")
    np.testing.assert_array_equal(load_split(report.info, "train").images, images[:6])
    np.testing.assert_array_equal(load_split(report.info, "validation").images, images[6:8])
    test = open_test(report.info, run=tmp_path, reason="test of the import")
    np.testing.assert_array_equal(test.images, images[8:])


@pytest.mark.parametrize(
    ("x", "y", "x_test", "y_test"),
    [
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
    ],
)
def test_train_and_test_arrays_keep_their_sides(tmp_path, x, y, x_test, y_test):
    arrays = {
        x: noise(40),
        y: labels_of(40)[:, None],
        x_test: noise(6, seed=1),
        y_test: labels_of(6),
    }
    report = importing(tmp_path, **arrays)
    assert report.info.counts == {"train": 34, "validation": 6, "test": 6}
    test = open_test(report.info, run=tmp_path, reason="test of the import")
    np.testing.assert_array_equal(test.images, arrays[x_test])
    validation = load_split(report.info, "validation")
    assert np.bincount(validation.labels).tolist() == [3, 3]


@pytest.mark.parametrize("channels", [(), (1,)])
def test_grayscale_keeps_one_channel(tmp_path, channels):
    report = importing(tmp_path, images=noise(20, channels=channels), labels=labels_of(20))
    assert report.info.image_shape == (12, 12, 1)


@pytest.mark.parametrize("scale", [1, 255])
def test_floats_of_either_range_become_levels(tmp_path, scale):
    images = noise(20)
    report = importing(
        tmp_path, images=(images / 255 * scale).astype(np.float32), labels=labels_of(20),
        split=np.repeat([0, 1, 2], [16, 2, 2]),
    )  # fmt: skip
    np.testing.assert_array_equal(load_split(report.info, "train").images, images[:16])


@pytest.mark.parametrize("channels", [(1,), (3,)])
def test_size_can_be_changed(tmp_path, channels):
    images = np.broadcast_to(
        np.arange(0, 240, 12, dtype=np.uint8)[:, None, None, None], (20, 12, 12, 1)
    )
    images = images * np.ones(channels, np.uint8)
    report = importing(
        tmp_path, image_size=8, images=images, labels=labels_of(20),
        split=np.repeat([0, 1, 2], [16, 2, 2]),
    )  # fmt: skip
    assert report.info.image_shape == (8, 8, *channels)
    np.testing.assert_array_equal(load_split(report.info, "train").images, images[:16, :8, :8])


def test_copies_across_a_supplied_split_are_kept_and_told(tmp_path):
    images = noise(10)
    images[9] = images[0]
    report = importing(
        tmp_path, images=images, labels=labels_of(10), split=np.repeat([0, 1, 2], [6, 2, 2])
    )
    assert report.info.counts == {"train": 6, "validation": 2, "test": 2}
    assert any("1 exact copies cross it and 1 carry two labels" in note for note in report.notes)


def nan_at(number):
    images = noise(20) / np.float32(255)
    images[number, 0, 0, 0] = np.nan
    return images


BAD = {
    "no labels": ({"images": noise(20)}, "'images' and 'labels'"),
    "other names": ({"a": noise(20), "b": labels_of(20)}, "none of them"),
    "one class": ({"images": noise(20), "labels": np.zeros(20, int)}, "only the class '0'"),
    "length": ({"images": noise(20), "labels": labels_of(19)}, "expected 20 labels"),
    "float labels": ({"images": noise(20), "labels": labels_of(20) * 1.0}, "integer labels"),
    "text labels": ({"images": noise(20), "labels": labels_of(20).astype(str)}, "integer labels"),
    "one-hot labels": ({"images": noise(20), "labels": np.eye(2, dtype=int)[labels_of(20)]},
                       "one for each"),
    "negative labels": ({"images": noise(20), "labels": labels_of(20) - 1}, "received -1"),
    "labels beyond the names": (
        {"images": noise(20), "labels": labels_of(20) + 1, "class_names": np.array(["a", "b"])},
        "labels from 0 to 1",
    ),
    "labels with a gap": ({"images": noise(20), "labels": labels_of(20) * 2}, "none of class 1"),
    "labels from 1": ({"images": noise(20), "labels": labels_of(20) + 1}, "none of class 0"),
    "enormous label": ({"images": noise(20), "labels": labels_of(20) * 2**40}, "none of class 1"),
    "NaN": ({"images": nan_at(7), "labels": labels_of(20)}, r"NaN or infinity in images\[7\]"),
    "infinity": ({"images": np.full((20, 8, 8, 3), np.inf), "labels": labels_of(20)}, "infinity"),
    "range": ({"images": noise(20).astype(int) * 2, "labels": labels_of(20)}, "0 to 255"),
    "negative pixels": ({"images": noise(20) / 127.5 - 1, "labels": labels_of(20)}, "0 to 255"),
    "complex": ({"images": noise(20) * 1j, "labels": labels_of(20)}, "complex128"),
    "two channels": ({"images": noise(20, channels=(2,)), "labels": labels_of(20)}, "reshape"),
    "flat": ({"images": noise(20).reshape(20, -1), "labels": labels_of(20)}, "reshape"),
    "no image": ({"images": noise(0), "labels": labels_of(0)}, "reshape"),
    "split code": (
        {"images": noise(20), "labels": labels_of(20), "split": np.full(20, 3)}, "split codes 0",
    ),
    "split length": (
        {"images": noise(20), "labels": labels_of(20), "split": np.zeros(3, int)},
        "20 integer split",
    ),
    "no training image": (
        {"images": noise(20), "labels": labels_of(20), "split": np.repeat([1, 2], 10)},
        "training examples of every class",
    ),
    "names twice": (
        {"images": noise(20), "labels": labels_of(20), "class_names": np.array(["a", "a"])},
        "different strings",
    ),
    "two sizes": (
        {"x_train": noise(20), "y_train": labels_of(20), "x_test": noise(6, 10),
         "y_test": labels_of(6)},
        "one image size",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_wrong_arrays_are_refused_in_one_line(tmp_path, name):
    arrays, message = BAD[name]
    with pytest.raises(DataError, match=message) as caught:
        importing(tmp_path, **arrays)
    text = str(caught.value)
    assert "\n" not in text and "expected" in text and "received" in text
    assert not (tmp_path / "out").exists()


def test_python_objects_are_refused_unread(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the object was unpickled",))

    path = tmp_path / "in.npz"
    np.savez(path, images=noise(4), labels=np.array([Trap()] * 4, dtype=object))
    with pytest.raises(DataError, match="plain arrays"):
        import_dataset(path, tmp_path / "out")


def test_archive_that_inflates_beyond_measure_is_refused(tmp_path):
    path = tmp_path / "in.npz"
    np.savez_compressed(path, images=np.zeros((3000, 64, 64, 3), np.uint8), labels=labels_of(3000))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="inflates more than 200 times"):
        import_dataset(path, tmp_path / "out")


def test_header_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 64, 64, 3), }"
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as file:
        file.writestr("images.npy", content)
        file.writestr("labels.npy", content)
    with pytest.raises(DataError, match="claims 110592000000 bytes"):
        import_dataset(tmp_path / "in.npz", tmp_path / "out")


def test_damaged_and_false_files_are_refused(tmp_path):
    path = saved(tmp_path / "in.npz", images=noise(20), labels=labels_of(20))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError):
        import_dataset(path, tmp_path / "out")
    path.write_bytes(b"")
    with pytest.raises(DataError):
        import_dataset(path, tmp_path / "out")


def test_leaf_corn_keeps_its_split(tmp_path, shared_data):
    source = shared_data("leaf_corn/leaf_corn_64.npz")
    info = import_dataset(source, tmp_path / "corn").info
    assert info.counts == {"train": 2925, "validation": 626, "test": 626}
    assert info.classes == ("Blight", "Common_Rust", "Gray_Leaf_Spot", "Healthy")
    with np.load(source) as file:
        train = file["split"] == 0
        np.testing.assert_array_equal(load_split(info, "train").labels, file["labels"][train])


def test_local_cifar10_imports(tmp_path, shared_data):
    info = import_dataset(shared_data("cifar10/cifar10_small.npz"), tmp_path / "cifar10").info
    assert info.counts["test"] == 500
    assert info.counts["train"] + info.counts["validation"] == 2000
    assert info.classes[0] == "airplane"


def test_local_mnist_imports_as_grayscale(tmp_path, shared_data):
    info = import_dataset(shared_data("mnist/mnist.npz"), tmp_path / "mnist").info
    assert info.image_shape == (28, 28, 1)
    assert info.counts["test"] == 10_000
    assert info.counts["train"] + info.counts["validation"] == 60_000
