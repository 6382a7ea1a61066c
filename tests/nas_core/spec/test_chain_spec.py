"""Chains: validity, round trips, and names that do not depend on how a network is written."""

import json

import pytest

from nas_core.errors import SpecError
from nas_core.spec import ChainSpec, Conv, Dense, Dropout, Pool, Softmax, spec_from_json

TEXTS = [
    "[C(64,3,1), P(2,2), FC(128), GAP, SM(10)]",
    "[SM(2)]",
    "[GAP, SM(10)]",
    "[C(64,3x5,1), AP(3,2), S(32,5,2,elu), BN, A(gelu), D(0.25), FC(64,linear), SM(100)]",
    "[C(8,3,1), C(8,3,1), C(8,1,1)@-1@0@1, GAP, SM(10)]",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_json_round_trip(text):
    spec = ChainSpec.from_text(text)
    assert spec.to_text() == text
    assert spec_from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert ChainSpec.from_text(text.replace(" ", "")) == spec


def test_the_authors_forms_are_read():
    spec = ChainSpec.from_text("[C(64,5,1), D(1,2), GAP(10), SM(10)]")
    assert spec.layers[1] == Dropout(0.25)
    assert spec.to_text() == "[C(64,5,1), D(0.25), GAP, SM(10)]"


def test_digest_is_pinned():
    # A changed digest would orphan every stored result: raise DIGEST_VERSION instead.
    assert (
        ChainSpec.from_text("[C(64,3,1), P(2,2), FC(128), SM(10)]").digest
        == "v1:0ed5ce053d20d6feb155f5a00f59937d"
    )
    assert ChainSpec.from_text(TEXTS[4]).digest == "v1:aae4cc457872042617cce63b6ee79f7e"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[C(8,3,1), D(0.0), SM(10)]", "[C(8,3,1), SM(10)]"),
        ("[C(8,3,1), FC(4), GAP, SM(10)]", "[C(8,3,1), FC(4), SM(10)]"),
        ("[C(8,3,1), P(1,1), SM(10)]", "[C(8,3,1), SM(10)]"),
        (
            "[C(8,3,1), C(4,3,1), C(2,1,1)@0@1, SM(10)]",
            "[C(8,3,1), C(4,3,1), C(2,1,1)@1@0, SM(10)]",
        ),
        ("[C(8,3,1)@-1, SM(10)]", "[C(8,3,1), SM(10)]"),
        ("[C(8,3,1), C(4,3,1), C(2,1,1)@0, SM(10)]", "[C(8,3,1), C(2,1,1), SM(10)]"),
    ],
)
def test_same_network_same_digest(one, other):
    assert ChainSpec.from_text(one).digest == ChainSpec.from_text(other).digest


def test_different_networks_differ():
    texts = ["[C(8,3,1), SM(10)]", "[C(8,3,2), SM(10)]", "[S(8,3,1), SM(10)]", "[C(8,3,1), SM(9)]",
             "[C(8,3,1,elu), SM(10)]", "[C(8,3,1), GAP, SM(10)]", "[C(8,1x3,1), SM(10)]"]  # fmt: skip
    assert len({ChainSpec.from_text(text).digest for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "C(8,3,1)", "[C(8,3,1)]", "[SM(10), SM(10)]", "[SM(10), C(8,3,1)]", "[X(1), SM(10)]",
        "[C(0,3,1), SM(10)]", "[C(8,3), C(8), SM(10)]", "[C(8,-3,1), SM(10)]", "[FC(8), C(8,3,1), SM(10)]",
        "[GAP, P(2,2), SM(10)]", "[C(8,3,1)@0, SM(10)]", "[C(8,3,1)@-2, SM(10)]", "[SM(1)]", "[D(1), SM(10)]",
        "[D(1,0), SM(10)]", "[C(8,3,1,bogus), SM(10)]", "[C(9999999,3,1), SM(10)]", "[" * 30_000,
        "[C(8,3,1), FC(4), C(2,1,1)@0@1, SM(10)]", "[S(4,3,1x2), GAP, SM(10)]",
    ],
)  # fmt: skip
def test_bad_texts_get_one_line(text):
    with pytest.raises(SpecError) as caught:
        ChainSpec.from_text(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"type": "chain"}, {"type": "chain", "layers": [{}]}, {"type": "other"},
        {"type": "chain", "layers": [{"layer": "softmax"}]},
        {"type": "chain", "layers": [{"layer": "softmax", "classes": 10, "extra": 1}]},
        {"type": "chain", "layers": [{"layer": "softmax", "classes": True}]},
        {"type": "chain", "layers": [{"layer": ["softmax"], "classes": 3}]},
    ],
)  # fmt: skip
def test_bad_json_gets_one_line(value):
    with pytest.raises(SpecError):
        spec_from_json(value)


def test_layers_check_themselves():
    for make in (
        lambda: Conv(8, (3, 3, 3)),
        lambda: Conv(True, 3),
        lambda: Pool(2, 0),
        lambda: Pool(2, 2, "mean"),
        lambda: Dense(8, "bogus"),
        lambda: Dropout(float("nan")),
        lambda: ChainSpec(("C(8,3,1)", Softmax(10))),
        lambda: ChainSpec(tuple(Conv(1, 1) for _ in range(600))),
    ):
        with pytest.raises(SpecError):
            make()
