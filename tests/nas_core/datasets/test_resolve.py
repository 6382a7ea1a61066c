"""From a name or path to a data set: made, fetched or imported once, and reused."""

import sys
import types

import numpy as np
import pytest
from picture_files import make_folder

from nas_core.datasets import import_dataset, names, open_dataset, resolve
from nas_core.datasets.leaves import write_leaves
from nas_core.errors import DataError, UsageError


def npz(path, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(20) % 2)
    return path


def test_npz_is_imported_once_under_a_name_with_its_hash(tmp_path, monkeypatch, capsys):
    root = tmp_path / "data"
    path = npz(tmp_path / "my pictures.npz")
    info = resolve(str(path), root)
    assert info.path.parent == root
    assert info.path.name.startswith("my_pictures-")
    assert len(info.path.name.split("-")[1]) == 12
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "importing" in printed.err
    monkeypatch.setattr(names, "import_dataset", lambda *_: pytest.fail("imported twice"))
    assert resolve(str(path), root) == info
    assert capsys.readouterr().err == ""


def test_changed_source_is_imported_anew(tmp_path):
    root = tmp_path / "data"
    first = resolve(str(npz(tmp_path / "a.npz")), root)
    second = resolve(str(npz(tmp_path / "a.npz", seed=1)), root)
    assert first.path != second.path
    assert first.digest != second.digest


def test_image_folder_is_imported_and_a_change_is_seen(tmp_path):
    root, folder = tmp_path / "data", make_folder(tmp_path / "in", count=4)
    first = resolve(str(folder), root)
    assert resolve(str(folder), root) == first
    (folder / "cat" / "000.png").rename(folder / "cat" / "900.png")
    assert resolve(str(folder), root).path != first.path


def test_data_set_folder_and_name_under_the_root(tmp_path):
    root = tmp_path / "data"
    info = import_dataset(npz(tmp_path / "a.npz"), root / "corn").info
    assert resolve(str(root / "corn"), root) == info
    assert resolve("corn", root) == info


def test_leaves_are_generated_once(tmp_path, monkeypatch, capsys):
    calls = []

    def small(folder):
        calls.append(folder)
        return write_leaves(folder, per_class=7)

    monkeypatch.setattr(names, "write_leaves", small)
    info = resolve("leaves", tmp_path)
    assert info.path == tmp_path / "leaves"
    assert resolve("leaves", tmp_path) == info
    assert len(calls) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "generating 4,000 images" in lines[0]


def test_another_process_may_write_first(tmp_path, monkeypatch):
    def beaten(folder):
        write_leaves(folder, per_class=7)
        raise DataError("expected a new folder")

    monkeypatch.setattr(names, "write_leaves", beaten)
    assert resolve("leaves", tmp_path).counts == {"train": 40, "validation": 10, "test": 20}


def test_unknown_name_lists_what_is_known(tmp_path):
    import_dataset(npz(tmp_path / "a.npz"), tmp_path / "data" / "corn")
    with pytest.raises(UsageError, match="leaves, cifar10, mnist, fashion_mnist, corn") as caught:
        resolve("cron", tmp_path / "data")
    assert "'cron'" in str(caught.value)
    for name in ("", "../x", "a\0b", "s3://No_Bucket/x"):
        with pytest.raises(UsageError):
            resolve(name, tmp_path / "data")


def test_damaged_data_set_is_an_error_and_not_replaced(tmp_path):
    (tmp_path / "leaves").mkdir()
    with pytest.raises(DataError, match=r"dataset\.json"):
        resolve("leaves", tmp_path)


def fake_keras(monkeypatch, load_data):
    module = types.SimpleNamespace(load_data=load_data)
    datasets = types.SimpleNamespace(mnist=module, cifar10=module)
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(datasets=datasets))


def test_builtin_is_fetched_converted_and_reused(tmp_path, monkeypatch, capsys):
    draws = np.random.default_rng(0)
    train = draws.integers(0, 256, (100, 8, 8), dtype=np.uint8), np.arange(100) % 10
    test = draws.integers(0, 256, (20, 8, 8), dtype=np.uint8), np.arange(20) % 10

    def load_data():
        print("Downloading data ...")
        return train, test

    fake_keras(monkeypatch, load_data)
    info = resolve("mnist", tmp_path)
    assert info.counts == {"train": 80, "validation": 20, "test": 20}
    assert info.image_shape == (8, 8, 1)
    assert info.classes == tuple("0123456789")
    assert info.source == "keras.datasets.mnist"
    assert capsys.readouterr().out == ""
    assert open_dataset(tmp_path / "mnist") == resolve("mnist", tmp_path)


def test_offline_says_to_import_a_local_file(tmp_path, monkeypatch):
    def load_data():
        raise Exception("URL fetch failure on https://...: None -- no network\nmore")

    fake_keras(monkeypatch, load_data)
    with pytest.raises(DataError, match=r"nas data import FILE\.npz --out") as caught:
        resolve("cifar10", tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cifar10").exists()


def test_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="received no image"):
        resolve(str(tmp_path / "in"), tmp_path / "data")
    assert not (tmp_path / "data").exists()
