"""Rows of tables: round trips, and a digest that is the row."""

import json

import pytest

from nas_core.errors import SpecError
from nas_core.spec import TableSpec, spec_from_json

ROW = TableSpec("nasbench201", ("none", "skip_connect"), "|none~0|skip_connect~1|")


def test_json_round_trip():
    assert spec_from_json(json.loads(json.dumps(ROW.to_json()))) == ROW
    assert ROW.to_text() == "|none~0|skip_connect~1|"


def test_the_digest_is_the_row():
    assert ROW.digest == TableSpec(ROW.table, ROW.choices, "written otherwise").digest
    others = [TableSpec(ROW.table, ROW.choices[::-1], "x"), TableSpec("mine", ROW.choices, "x")]
    assert len({ROW.digest, *(other.digest for other in others)}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"table": ""},
        {"choices": []},
        {"choices": "none"},
        {"choices": [1]},
        {"text": 3},
        {"more": 1},
    ],
)
def test_bad_values_are_refused_in_one_line(change):
    with pytest.raises(SpecError) as caught:
        spec_from_json({**ROW.to_json(), **change})
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)
