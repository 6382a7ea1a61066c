"""Loaders: real files in place, small files with faults, libraries that are not there."""

import csv
import io
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_data import write_tiny
from tiny_texts import BAD, GOOD, OTHER, write_table

from nas_core.errors import DataError, UsageError
from training_control.tasks import remote
from training_control.tasks.images import load_images
from training_control.tasks.regression import load_numbers
from training_control.tasks.sizes import Sizes, choose
from training_control.tasks.texts import load_texts
from training_control.tasks.titanic import FARE, SURVIVED, PassengerEncoder, load_titanic

FEW = Sizes(60, 20, 20)


def sizes_of(data):
    return [len(split) for split in (data.train, data.validation, data.test)]


def test_what_a_source_does_not_split_is_carved_out_of_training():
    codes = np.repeat([0, 2], [100, 30])
    train, held, test = choose(codes, Sizes(), 0)
    assert [len(train), len(held), len(test)] == [85, 15, 30]
    assert set(test) == set(range(100, 130))
    assert len({*train, *held, *test}) == 130
    first, second = (choose(codes, FEW, seed) for seed in (0, 1))
    assert [len(part) for part in first] == [60, 15, 20]
    assert not np.array_equal(first[0], second[0])
    with pytest.raises(DataError, match="give 10 or more"):
        choose(np.full(2, -1), Sizes(), 0)


@pytest.mark.parametrize(
    ("file", "classes", "shape"),
    [
        ("mnist/mnist.npz", 10, (28, 28, 1)),
        ("cifar10/cifar10_small.npz", 10, (16, 16, 3)),
        ("cifar10/cifar10_jpeg.npz", 10, (16, 16, 3)),
        ("leaf_corn/leaf_corn_64.npz", 4, (16, 16, 3)),
    ],
)
@pytest.mark.slow
def test_real_images(shared_data, file, classes, shape):
    side = None if shape[0] == 28 else 16
    data = load_images(str(shared_data(file)), FEW, 0, side)
    assert data.classes == classes
    assert sizes_of(data) == [60, 20, 20]
    assert data.train.inputs.shape[1:] == shape
    assert data.train.inputs.dtype == np.uint8
    assert len(np.unique(data.train.targets)) > classes // 2
    assert data.train.inputs.std() > 10


@pytest.mark.parametrize("file", ["sst2/sst2.csv.gz", "imdb/imdb_reviews.csv.gz"])
@pytest.mark.slow
def test_real_texts(shared_data, file):
    data = load_texts(str(shared_data(file)), FEW, 0, 24, 500)
    assert (data.classes, sizes_of(data)) == (2, [60, 20, 20])
    assert data.train.inputs.shape == (60, 24)
    assert 300 < data.vocabulary <= 500
    assert 0.2 < data.train.targets.mean() < 0.8


def test_real_passengers(shared_data):
    data = load_titanic(str(shared_data("titanic/titanic.csv")), Sizes(), 0)
    assert sizes_of(data) == [623, 134, 134]
    assert data.classes == 2
    assert abs(data.train.targets.mean() - 342 / 891) < 0.05
    every = np.concatenate([data.train.inputs, data.validation.inputs, data.test.inputs])
    assert np.isfinite(every).all()
    assert every[:, 1].sum() == 177  # ages that are missing
    fares = load_titanic(str(shared_data("titanic/titanic.csv")), Sizes(), 0, FARE)
    assert fares.classes is None
    assert fares.train.targets.mean() == pytest.approx(0.0, abs=1e-5)
    assert fares.train.targets.std() == pytest.approx(1.0, abs=1e-5)
    assert fares.train.inputs.shape[1] == data.train.inputs.shape[1] - 2


HEADER = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
ROWS = [
    "1,0,3,A,male,20,0,0,t,0,,S",
    "2,1,1,B,female,30,1,0,t,6.389056098930650,C85,C",
    "3,1,3,C,female,,0,0,t,0,,",
]


def passengers(path, rows=ROWS, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_missing_values_are_filled_with_the_training_medians_and_flagged(tmp_path):
    lines = Path(passengers(tmp_path / "t.csv")).read_text().splitlines()
    rows = list(csv.DictReader(lines))
    encoder = PassengerEncoder(rows[:2])
    found = [dict(zip(encoder.columns, row, strict=True)) for row in encoder.encode(rows).tolist()]
    assert [row["Age"] for row in found] == [-1.0, 1.0, 0.0]  # median 25, mean 25, deviation 5
    assert [row["Age missing"] for row in found] == [0.0, 0.0, 1.0]
    assert [row["Fare"] for row in found] == pytest.approx([-1.0, 1.0, -1.0])  # log1p: 0, 2, 0
    assert [row["Embarked=C"] for row in found] == [0.0, 1.0, 0.0]
    assert [row["Deck=C"] for row in found] == [0.0, 1.0, 0.0]
    assert [row["Deck="] for row in found] == [1.0, 0.0, 1.0]
    assert sum(found[2][f"Embarked={port}"] for port in "CS") == 0.0  # never seen in training


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (HEADER.replace("Age", "Years"), ROWS, "received none named Age"),
        (HEADER, [], "expected the columns"),
        (HEADER, [*ROWS, "4,1"], "received row 4"),
        (HEADER, [row.replace(",0,3,", ",x,3,") for row in ROWS * 5], "number for Survived"),
    ],
)
def test_tables_that_are_no_passengers_are_refused(tmp_path, header, rows, message):
    with pytest.raises(DataError, match=message):
        load_titanic(passengers(tmp_path / "t.csv", rows, header), Sizes(), 0, SURVIVED)


def tfds_row(number):
    """Return a passenger as TFDS has it: lower-case names, bytes, classes, -1 for missing."""
    return {
        "survived": np.int64(number % 2), "pclass": np.int64(number % 3), "sex": np.int64(0),
        "age": np.float32(-1.0 if number == 0 else 20 + number), "sibsp": np.int32(0),
        "parch": np.int32(0), "fare": np.float32(7.0), "cabin": b"C85" if number else b"Unknown",
        "embarked": np.int64(2), "name": b"A", "home.dest": b"-", "boat": b"", "body": np.int32(-1),
    }  # fmt: skip


def test_passengers_of_libraries(monkeypatch):
    rows = [tfds_row(number) for number in range(20)]
    asked = []
    fake = types.SimpleNamespace(
        load=lambda name: asked.append(name) or {"train": rows},
        as_numpy=lambda found: found,
        load_dataset=lambda *names: asked.append(names) or {"train": rows[:10], "test": rows[10:]},
    )
    monkeypatch.setattr(remote.importlib, "import_module", lambda name: fake)
    found = [load_titanic(data, Sizes(), 0) for data in ("tfds:titanic", "hf:a/titanic#b")]
    assert asked == ["titanic", ("a/titanic", "b")]
    for data in found:
        every = np.concatenate([data.train.inputs, data.validation.inputs, data.test.inputs])
        assert every[:, 1].sum() == 1.0  # one age is missing
        assert sum(sizes_of(data)) == 20
    np.testing.assert_array_equal(found[0].train.inputs, found[1].train.inputs)
    del rows[0]["age"]
    with pytest.raises(DataError, match="received none named Age"):
        load_titanic("tfds:titanic", Sizes(), 0)


def test_libraries_that_a_table_cannot_come_from_are_told():
    with pytest.raises(UsageError, match="expected tfds:NAME or hf:NAME, received 'keras:titanic'"):
        load_titanic("keras:titanic", Sizes(), 0)
    for data in ("tfds:wine_quality", "hf:a/california"):
        with pytest.raises(UsageError, match=f"or keras:california_housing, received {data}"):
            load_numbers(data, Sizes(), 0)


def test_a_missing_file_is_one_line():
    with pytest.raises(DataError, match="expected a table of passengers, received"):
        load_titanic("nowhere.csv", Sizes(), 0)
    with pytest.raises(DataError, match="which is no file"):
        load_texts("nowhere.csv", Sizes(), 0, 8, 50)
    with pytest.raises(UsageError, match="nowhere"):
        load_images("nowhere.npz", Sizes(), 0, None)
    with pytest.raises(DataError, match="numbers x and y"):
        load_numbers("nowhere.npz", Sizes(), 0)


def test_a_data_set_of_nas_keeps_its_own_test_split_closed(tmp_path):
    info = write_tiny(tmp_path / "tiny")
    for part in ("images", "labels"):
        (info.path / f"test_{part}.npy").write_bytes(b"closed")
    data = load_images(str(info.path), Sizes(), 0, None)
    assert sizes_of(data) == [102, 18, 36]  # 15 % of training; the search's validation is the test
    assert data.classes == 3


def test_images_are_made_smaller_but_never_larger(tmp_path):
    info = write_tiny(tmp_path / "tiny")
    for side, expected in ((4, 4), (8, 8), (32, 8)):
        assert load_images(str(info.path), FEW, 0, side).train.inputs.shape[1] == expected


def test_jpeg_bytes(tmp_path):
    def jpeg(level):
        out = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(out, "JPEG")
        return out.getvalue()

    arrays = {}
    for split, count in (("train", 30), ("test", 10)):
        blobs = [jpeg(40 + 170 * (k % 2)) for k in range(count)]
        arrays[f"{split}_jpeg"] = np.frombuffer(b"".join(blobs), np.uint8)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, blobs)])
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8) % 2
    np.savez(tmp_path / "j.npz", **arrays)
    data = load_images(str(tmp_path / "j.npz"), Sizes(), 0, None)
    levels = data.train.inputs.mean((1, 2, 3))
    np.testing.assert_allclose(levels, 40 + 170 * data.train.targets, atol=4)
    np.savez(tmp_path / "short.npz", **{**arrays, "test_labels": arrays["test_labels"][1:]})
    with pytest.raises(DataError, match="expected a label for each image"):
        load_images(str(tmp_path / "short.npz"), Sizes(), 0, None)


def test_texts_use_the_words_of_training_texts_only(tmp_path):
    path = write_table(tmp_path / "t.csv")
    data = load_texts(str(path), Sizes(), 0, 12, 500)
    assert sizes_of(data) == [160, 40, 40]
    assert data.vocabulary == 2 + len({*GOOD, *BAD, *OTHER})
    one = tmp_path / "one.csv"
    one.write_text("text,label\n" + "fine,good\n" * 20)
    with pytest.raises(DataError, match="two labels or more"):
        load_texts(str(one), Sizes(), 0, 12, 500)


def test_numbers_are_standardised_by_the_training_examples(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(5.0, 3.0, (100, 4))
    x[:, 3] = 7.0  # a column that says nothing
    np.savez(tmp_path / "n.npz", x=x, y=x[:, 0])
    data = load_numbers(str(tmp_path / "n.npz"), Sizes(), 0)
    np.testing.assert_allclose(data.train.inputs.mean(0), 0.0, atol=1e-6)
    np.testing.assert_allclose(data.train.inputs.std(0), [1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(data.test.inputs[:, 0], data.test.targets, atol=1e-6)
    np.savez(tmp_path / "bad.npz", x=x, y=x)
    with pytest.raises(DataError, match=r"expected x \[N, features\] and y \[N\]"):
        load_numbers(str(tmp_path / "bad.npz"), Sizes(), 0)


@pytest.mark.parametrize(
    ("data", "package"), [("tfds:mnist", "tensorflow-datasets"), ("hf:imdb", "datasets")]
)
def test_a_library_that_is_absent_is_one_line(monkeypatch, data, package):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(remote.importlib, "import_module", absent)
    with pytest.raises(UsageError, match=f"not installed: pip install {package}$"):
        remote.fetch(data, "text")


def test_hugging_face_rows(monkeypatch):
    rows = {
        "train": [{"idx": k, "sentence": f"text {k}", "label": k % 2} for k in range(30)],
        "validation": [{"idx": k, "sentence": f"held {k}", "label": k % 2} for k in range(10)],
        "test": [{"idx": k, "sentence": "secret", "label": -1} for k in range(10)],
        "unsupervised": [{"idx": k, "sentence": "none", "label": -1} for k in range(10)],
    }
    asked = []
    fake = types.SimpleNamespace(load_dataset=lambda *a: asked.append(a) or rows)
    monkeypatch.setattr(remote.importlib, "import_module", lambda name: fake)
    data = load_texts("hf:glue#sst2", Sizes(), 0, 4, 100)
    assert asked == [("glue", "sst2")]
    assert sizes_of(data) == [26, 10, 4]  # labels of the test split are withheld: carved
    with pytest.raises(DataError, match="expected a column among image, img"):
        remote.fetch("hf:glue", "image")


def test_tfds_images(monkeypatch):
    image = np.zeros((5, 5, 3), np.uint8)
    rows = {"train": [{"image": image, "label": k % 3} for k in range(30)]}
    fake = types.SimpleNamespace(load=lambda name: rows, as_numpy=lambda found: found)
    monkeypatch.setattr(remote.importlib, "import_module", lambda name: fake)
    data = load_images("tfds:flowers", Sizes(), 0, None)
    assert (data.classes, data.train.inputs.shape[1:]) == (3, (5, 5, 3))
    rows["train"][3]["image"] = np.zeros((6, 5, 3), np.uint8)
    with pytest.raises(DataError, match="images of one size"):
        load_images("tfds:flowers", Sizes(), 0, None)


def test_a_failed_download_is_one_line(monkeypatch):
    def refuse(*_):
        raise OSError("no route to host\nmore")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", refuse)
    monkeypatch.setattr(
        remote.importlib, "import_module", lambda name: types.SimpleNamespace(load_dataset=refuse)
    )
    for data in ("keras:mnist", "hf:mnist"):
        with pytest.raises(DataError, match=f"fetch {data}, received no route to host: give"):
            remote.fetch(data, "image")
    with pytest.raises(UsageError, match=r"expected a text data set of keras\.datasets"):
        remote.fetch("keras:mnist", "text")
    with pytest.raises(UsageError, match="after hf:"):
        remote.fetch("hf:", "text")


def test_keras_texts_are_read_back_into_words(monkeypatch):
    rows = np.array([[1, 4, 5], [1, 5, 4]] * 20, dtype=object)
    labels = np.array([0, 1] * 20)
    monkeypatch.setattr(keras.datasets.imdb, "load_data", lambda: ((rows, labels), (rows, labels)))
    monkeypatch.setattr(keras.datasets.imdb, "get_word_index", lambda: {"fine": 1, "dull": 2})
    source = remote.fetch("keras:imdb", "text")
    assert [text.split() for text in source.pick(np.array([0, 1]))] == [
        ["fine", "dull"], ["dull", "fine"],
    ]  # fmt: skip
