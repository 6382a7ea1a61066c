"""Tables of texts become data sets: splits, copies, damage, and one line for every wrong table."""

import gzip
import json

import numpy as np
import pytest
from tiny_texts import tiny_rows, write_table

from nas_core.datasets import (
    Split,
    check_dataset,
    import_dataset,
    load_split,
    open_dataset,
    resolve,
    sample_texts,
    write_dataset,
)
from nas_core.datasets.manifest import FILES, overall_digest
from nas_core.datasets.test_split import open_test
from nas_core.datasets.texts import TextOptions
from nas_core.errors import DataError, UsageError

HEAD = "label,text\n"


@pytest.fixture
def report(tmp_path):
    return import_dataset(write_table(tmp_path / "t.csv"), tmp_path / "set")


def imported(tmp_path, content, name="t.csv", **options):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return import_dataset(path, tmp_path / "set", **options)


def text_of(n):
    """Return a text of four common words; each number below 256 has its own."""
    return " ".join("kmxz"[n // 4**place % 4] for place in range(4))


def unsplit(count, times=1):
    return "".join(f"{'ab'[n % 2]},{text_of(n)}\n" * times for n in range(count))


def test_the_supplied_split_and_what_is_read_back(report, tmp_path):
    info = report.info
    assert (report.found, report.dropped) == (240, {})
    assert info.kind == "text"
    assert info.classes == ("negative", "positive")
    assert info.counts == {"train": 160, "validation": 40, "test": 40}
    assert info.image_shape == (16, 1, 1)  # the longest of 9 words, up to a multiple of 8
    vocabulary = info.vocabulary()
    assert info.words == len(vocabulary) == 2 + 16
    assert open_dataset(info.path) == info
    texts = [text for split, _, text in tiny_rows() if split == "train"]
    train = load_split(info, "train")
    assert train.images.dtype == np.uint16
    assert train.labels.tolist() == [0, 1] * 80
    shown = sample_texts(info, 2)
    assert [row["class"] for row in shown] == ["negative"] * 2 + ["positive"] * 2
    assert [row["text"] for row in shown] == [texts[k] for k in (0, 2, 1, 3)]
    assert "texts of 16 of 18 words" in report.lines()[0]
    assert len(open_test(info, run=tmp_path, reason="a test").labels) == 40


def test_the_vocabulary_knows_training_words_only(tmp_path):
    rows = [*tiny_rows(), ("test", "positive", "zebra zebra zebra"), ("dev", "negative", "yak yak")]
    info = import_dataset(write_table(tmp_path / "t.csv", rows), tmp_path / "set").info
    assert not {"zebra", "yak"} & set(info.vocabulary())


def test_the_vocabulary_is_part_of_the_digest(report):
    manifest = json.loads((report.info.path / "dataset.json").read_text())
    hashes = manifest["files"]
    assert set(hashes) == {*FILES, "vocabulary.json"}
    assert report.info.digest == overall_digest(hashes)
    assert report.info.digest != overall_digest({name: hashes[name] for name in FILES})


def test_image_data_sets_are_written_as_before(tmp_path):
    images = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
    split = Split(images, np.arange(6) % 2)
    info = write_dataset(
        tmp_path / "set", dict.fromkeys(("train", "validation", "test"), split), ("a", "b"), "x"
    )
    manifest = json.loads((info.path / "dataset.json").read_text())
    assert "words" not in manifest
    assert (info.kind, info.words, info.vocabulary()) == ("image", None, ())
    assert set(manifest["files"]) == set(FILES)


def test_copies_leave_the_earlier_split(tmp_path):
    rows = [
        *tiny_rows(),
        ("train", "negative", "Zoo  keeper"),
        ("dev", "negative", "zoo keeper"),
        ("train", "positive", "yak herd"),
        ("dev", "positive", "yak herd"),
        ("test", "positive", "yak herd!"),
        ("test", "positive", "yak herd"),
    ]
    report = import_dataset(write_table(tmp_path / "t.csv", rows), tmp_path / "set")
    # unknown words are alike: "zoo keeper" and "yak herd" are the same two tokens
    assert report.dropped == {
        "a copy is in the test split": {
            "count": 4, "examples": ["line 242", "line 243", "line 244", "line 245"],
        }
    }  # fmt: skip
    assert report.info.counts == {"train": 160, "validation": 40, "test": 42}
    assert check_dataset(report.info)["ok"] is True


def test_without_a_split_copies_stay_together(tmp_path):
    report = imported(tmp_path, HEAD + unsplit(60, times=2))
    assert report.info.counts == {"train": 88, "validation": 16, "test": 16}
    assert report.dropped == {}
    assert check_dataset(report.info)["duplicates"]["train"] == 44


def test_a_text_with_two_labels_and_an_empty_one_are_dropped(tmp_path):
    content = HEAD + "a,x y\nb,X y\na,\nb,   \n" + unsplit(40)
    report = imported(tmp_path, content)
    assert {reason: entry["count"] for reason, entry in report.dropped.items()} == {
        "empty text": 2, "the same text carries two labels": 2,
    }  # fmt: skip
    assert report.dropped["empty text"]["examples"] == ["line 4", "line 5"]


def test_the_same_seed_divides_alike(tmp_path):
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{number}.csv"
        path.write_text(HEAD + unsplit(60))
        digests.append(import_dataset(path, tmp_path / str(number), seed=seed).info.digest)
    assert digests[0] == digests[1] != digests[2]


def test_other_columns_quotes_names_of_splits_and_numbers_as_classes(tmp_path):
    rows = "".join(
        f'{n},"{n % 11}","a, ""quoted""\n{text_of(n)}",{split}\n'
        for n, split in enumerate(["training"] * 40 + ["VALID"] * 11 + ["Test"] * 11)
    )
    info = imported(tmp_path, "id,LABEL,Text,split\n" + rows).info
    assert info.classes == tuple(str(n) for n in range(11))
    assert info.counts == {"train": 40, "validation": 11, "test": 11}
    assert sample_texts(info, 1)[0]["text"] == 'a , " quoted " k k k k'


def test_tabs_and_gzip(tmp_path):
    table = "text\tlabel\n" + "".join(f'5" {text_of(n)}\t{"ab"[n % 2]}\n' for n in range(40))
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(table.encode()))
    info = import_dataset(path, tmp_path / "set", text=TextOptions(length=5)).info
    assert info.image_shape == (5, 1, 1)
    assert sample_texts(info, 1)[0]["text"] == '5 " k k k'


def test_resolve_imports_a_table_once(tmp_path, capsys):
    path = tmp_path / "my texts.csv.gz"
    path.write_bytes(gzip.compress(write_table(tmp_path / "t.csv").read_bytes()))
    info = resolve(str(path), tmp_path / "data")
    assert info.path.name.startswith("my_texts-")
    assert "importing" in capsys.readouterr().err
    assert resolve(str(path), tmp_path / "data") == info
    assert capsys.readouterr().err == ""


def test_the_check_of_texts(report):
    found = check_dataset(report.info)
    assert found["ok"] is True
    assert (found["words"], found["unknown"]) == (18, 0.0)
    lengths = [len(text.split()) for split, _, text in tiny_rows() if split == "train"]
    assert found["mean_length"] == pytest.approx(np.mean(lengths))
    path = report.info.path / "vocabulary.json"
    path.write_text(path.read_text().replace("film", "firm"))
    assert check_dataset(report.info)["damaged"] == ["vocabulary.json"]


def test_tokens_beyond_the_vocabulary_are_refused(report):
    train = load_split(report.info, "train")
    tokens = np.array(train.images)
    tokens[0, 0] = 18
    np.save(report.info.path / "train_images.npy", tokens)
    with pytest.raises(DataError, match="tokens below 18"):
        load_split(report.info, "train")
    words = report.info.vocabulary()
    splits = dict.fromkeys(("train", "validation", "test"), Split(tokens, train.labels))
    with pytest.raises(DataError, match="tokens below 18"):
        write_dataset(report.info.path.parent / "new", splits, ("a", "b"), "x", vocabulary=words)
    with pytest.raises(DataError, match="after <padding>"):
        write_dataset(report.info.path.parent / "new", splits, ("a", "b"), "x", vocabulary="abc")


@pytest.mark.parametrize("change", [{"words": 3.5}, {"words": 2}, {"words": 70_000}])
def test_a_damaged_number_of_words_is_refused(report, change):
    path = report.info.path / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="import the data set again"):
        open_dataset(report.info.path)


def test_a_missing_vocabulary_is_named(report):
    (report.info.path / "vocabulary.json").unlink()
    with pytest.raises(DataError, match=r"vocabulary\.json"):
        open_dataset(report.info.path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "received nothing"),
        ("sentence,label\nx,1\n", "received sentence, label: name the column 'text'"),
        ("text\nx\n", "name the column 'label'"),
        (HEAD, "none below its header"),
        (HEAD + "a,one, two\n", "expected 2 values in line 2"),
        (HEAD + "a\n", "expected 2 values in line 2"),
        (HEAD + ",one\n", "expected a label in line 2"),
        ("label,text,split\na,x,trial\n", "received 'trial'"),
        ("label,text,split\na,x,\n", "expected a split"),
        (HEAD + "a,one\na,two\n", "at least two classes"),
        (HEAD + "a,\nb,\n", "at least two classes"),
        (HEAD + "a,one\nb,two\n", "at least 3 different examples"),
        ("label,text,split\na,x,train\nb,y,dev\n", "of class"),
        (HEAD + f"a,{'x' * 200_000}\n", "in line 2"),
        (HEAD + "".join(f"{'ab'[n % 2]},name{n}\n" for n in range(40)), "known words tell apart"),
    ],
)
def test_wrong_tables_get_one_line(tmp_path, content, words):
    with pytest.raises(DataError, match=words) as caught:
        imported(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", b"\x89PNG\r\n\x1a\n\0\0"),
        ("t.csv", "label,text\na,caf\u00e9\n".encode("latin-1")),
        ("t.csv.gz", b"label,text\n"),
        ("t.csv.gz", gzip.compress(b"label,text\na,one\n", mtime=0)[:-9]),
    ],
)
def test_binary_files_get_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="expected a table of texts in UTF-8") as caught:
        import_dataset(tmp_path / name, tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_options_are_for_one_kind_of_data(tmp_path):
    with pytest.raises(UsageError, match="for texts"):
        imported(tmp_path, HEAD + unsplit(40), image_size=64)
    (tmp_path / "pictures").mkdir()
    with pytest.raises(UsageError, match="for images"):
        import_dataset(tmp_path / "pictures", tmp_path / "set", text=TextOptions())
    for bad in ({"words": 2}, {"words": 70_000}, {"min_count": 0}, {"length": 0}):
        with pytest.raises(UsageError, match="expected"):
            TextOptions(**bad)


def test_the_real_sentences(shared_data, tmp_path):
    report = import_dataset(shared_data("sst2/sst2.csv.gz"), tmp_path / "sst2")
    assert report.info.counts == {"train": 6917, "validation": 872, "test": 1821}
    assert report.dropped["a copy is in the test split"]["count"] == 3
    assert report.info.image_shape == (48, 1, 1)
    assert 7000 < report.info.words < 8000
    assert check_dataset(report.info)["ok"] is True
