"""Layers for texts: notation, JSON, the rules of order, names."""

import json

import pytest

from nas_core.errors import SpecError
from nas_core.spec import ChainSpec, Embedding, Recurrent, spec_from_json

TEXTS = [
    "[E(8000,32), C(64,3x1,1), P(2x1,2x1), GRU(32), SM(2)]",
    "[E(2,1), BGRU(8), D(0.5), SM(2)]",
    "[E(100,16), LSTM(8), FC(4), SM(3)]",
    "[E(100,16), C(8,5x1,1), C(8,1,1)@0@1, BLSTM(8), SM(3)]",
    "[C(8,3,1), GRU(8), SM(3)]",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_json_round_trip(text):
    spec = ChainSpec.from_text(text)
    assert spec.to_text() == text
    again = spec_from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.digest == spec.digest
    assert spec.reads_text is text.startswith("[E")


def test_layers_by_hand():
    embedding, recurrent, _ = ChainSpec.from_text("[E(100,16), BLSTM(8), SM(3)]").layers
    assert embedding == Embedding(words=100, units=16)
    assert recurrent == Recurrent(units=8, cell="lstm", both=True)


def test_digest_is_pinned():
    # A changed digest would orphan every stored result: raise DIGEST_VERSION instead.
    assert ChainSpec.from_text(TEXTS[0]).digest == "v1:72279b1f2202c2a1eaad8ee315f26b14"


def test_different_networks_differ():
    texts = ["[E(9,4), GRU(8), SM(2)]", "[E(8,4), GRU(8), SM(2)]", "[E(9,5), GRU(8), SM(2)]",
             "[E(9,4), LSTM(8), SM(2)]", "[E(9,4), BGRU(8), SM(2)]", "[E(9,4), GRU(7), SM(2)]"]  # fmt: skip
    assert len({ChainSpec.from_text(text).digest for text in texts}) == len(texts)
    with_it = ChainSpec.from_text("[E(9,4), GRU(8), GAP, SM(2)]")  # GAP of a vector is nothing
    assert with_it.digest == ChainSpec.from_text(texts[0]).digest


@pytest.mark.parametrize(
    "text",
    [
        "[C(8,3,1), E(9,4), SM(2)]", "[E(9,4), E(9,4), SM(2)]", "[E(9,4), C(8,3x1,1)@-1@0, SM(2)]",
        "[E(9,4), GRU(8), GRU(8), SM(2)]", "[E(9,4), GRU(8), C(8,3x1,1), SM(2)]",
        "[E(9), GRU(8), SM(2)]", "[E(1,4), SM(2)]", "[E(70000,4), SM(2)]", "[E(9,0), SM(2)]",
        "[E(9,4), GRU, SM(2)]", "[E(9,4), GRU(8,8), SM(2)]", "[E(9,4), GRU(0), SM(2)]",
        "[E(9,4), RNN(8), SM(2)]", "[GAP, GRU(8), SM(2)]", "[E(9,4)@0, SM(2)]",
    ],
)  # fmt: skip
def test_bad_texts_get_one_line(text):
    with pytest.raises(SpecError) as caught:
        ChainSpec.from_text(text)
    assert "\n" not in str(caught.value)


def test_layers_check_themselves():
    for make in (
        lambda: Embedding(True, 4),
        lambda: Embedding(9, 4.0),
        lambda: Recurrent(8, "rnn"),
        lambda: Recurrent(8, "gru", 1),
    ):
        with pytest.raises(SpecError):
            make()
