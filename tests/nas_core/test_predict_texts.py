"""Texts classified by a saved model: the vocabulary beside it, lines, one line for what is wrong."""

import json

import numpy as np
import pytest

from nas_core.errors import DataError, UsageError
from nas_core.predict import predict
from nas_core.spec import ChainSpec
from nas_core.trainer.build import build_model

WORDS = ["<padding>", "<unknown>", "good", "bad"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network by hand: good words count for one class, bad ones for the other."""
    path = tmp_path_factory.mktemp("model") / "m.keras"
    network = build_model(ChainSpec.from_text("[E(4,2), GAP, SM(2)]"), (4, 1, 1))
    network.get_layer("embedding_0").set_weights([np.array([[0, 0], [0, 0], [0, 8], [8, 0]])])
    network.get_layer("softmax_2").set_weights([np.eye(2), np.zeros(2)])
    network.save(path)
    described = {"classes": ["minus", "plus"], "vocabulary": WORDS}
    path.with_suffix(".json").write_text(json.dumps(described))
    return path


def test_each_line_is_a_text(model, tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("Good!\n\n  so BAD \n", encoding="utf-8-sig")
    two.write_text("good good bad bad bad bad bad", encoding="utf-8")  # cut after four words
    rows = predict(model, [one, two])
    assert [row["text"] for row in rows] == ["Good!", "so BAD", "good good bad bad bad bad bad"]
    assert [row["label"] for row in rows[:2]] == ["plus", "minus"]
    # two of four positions: (0, 8) / 4 = (0, 2) against (0, 0)
    assert rows[0]["probabilities"]["plus"] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)
    assert rows[2]["probability"] == pytest.approx(0.5)


def test_files_that_are_no_texts(model, tmp_path):
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\0")
    (tmp_path / "blank.txt").write_text("\n \n")
    for name in ("missing.txt", "binary.txt", "blank.txt"):
        with pytest.raises(DataError, match="a text in each line") as caught:
            predict(model, [tmp_path / name])
        assert "\n" not in str(caught.value)


def test_a_model_without_its_description_is_told(model, tmp_path):
    alone = tmp_path / "alone.keras"
    alone.write_bytes(model.read_bytes())
    (tmp_path / "t.txt").write_text("good")
    with pytest.raises(UsageError, match=r"its \.json beside"):
        predict(alone, [tmp_path / "t.txt"])
    alone.with_suffix(".json").write_text(json.dumps({"vocabulary": ["a"]}))
    with pytest.raises(DataError, match="its vocabulary"):
        predict(alone, [tmp_path / "t.txt"])
