"""Words, the vocabulary, and tokens, by hand."""

import json

import numpy as np
import pytest

from nas_core.datasets.vocabulary import (
    build_vocabulary,
    decode,
    encode,
    is_vocabulary,
    read_vocabulary,
    words_of,
)
from nas_core.errors import DataError

WORDS = ("<padding>", "<unknown>", "film", "good", "!")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Good film!", ["a", "good", "film", "!"]),
        ("don't, wo n't", ["don't", ",", "wo", "n't"]),
        ("one<br /><br />two </p>3", ["one", "two", "3"]),
        ("a < b > c", ["a", "<", "b", ">", "c"]),
        ("Straße naïve 文学", ["straße", "naïve", "文学"]),
        (" \t\n", []),
        ("x" * 100, ["x" * 40]),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_no_text_can_write_the_special_words():
    assert not set(words_of("<padding> <unknown>")) & set(WORDS[:2])


def test_the_most_frequent_come_first_and_ties_by_alphabet():
    texts = [["b", "a", "c"], ["b", "a"], ["b", "d"]]
    assert build_vocabulary(texts, 100, 1) == (*WORDS[:2], "b", "a", "c", "d")
    assert build_vocabulary(texts, 100, 2) == (*WORDS[:2], "b", "a")
    assert build_vocabulary(texts, 3, 1) == (*WORDS[:2], "b")


def test_padding_stands_in_front_and_the_end_is_cut():
    tokens = encode([["good", "film"], ["good", "good", "old", "film", "!"]], WORDS, 4)
    assert tokens.dtype == np.uint16
    assert tokens.shape == (2, 4, 1, 1)
    assert tokens[..., 0, 0].tolist() == [[0, 0, 3, 2], [3, 3, 1, 2]]
    assert decode(tokens[0], WORDS) == "good film"
    assert decode(tokens[1], WORDS) == "good good <unknown> film"


@pytest.mark.parametrize(
    "value", [None, [], list(WORDS[:2]), ["a", "b", "c"], [*WORDS, "good"], [*WORDS, 3]]
)
def test_what_is_no_vocabulary_is_refused(tmp_path, value):
    assert not is_vocabulary(value)
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match="import the data set again"):
        read_vocabulary(path, 5)


def test_a_vocabulary_is_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps(WORDS))
    assert read_vocabulary(path, 5) == WORDS
    with pytest.raises(DataError, match="4 different words"):
        read_vocabulary(path, 4)
    path.write_text("{")
    with pytest.raises(DataError, match="expected a vocabulary"):
        read_vocabulary(path, 5)
    path.unlink()
    with pytest.raises(DataError, match="expected a vocabulary"):
        read_vocabulary(path, 5)
