"""The rows of the outcome: two starts side by side, chosen on validation."""

from pathlib import Path

from nas_core.cli.retrain import _figures, _inherited
from nas_core.retraining.candidates import Candidate, Inheritance
from nas_core.retraining.outcome import _rank_correlation, in_order, row
from nas_core.spec import ChainSpec

INHERITED = Inheritance(Path("m/a.keras"), "11" * 32, ("conv_0",), tuple("abcdef"))
WIDE, NARROW, PLAIN = (
    ChainSpec.from_text(f"[C({filters},3,1), SM(3)]") for filters in (64, 32, 16)
)


def rows():
    path = Path("R/models/x.keras")
    return [
        row(Candidate(WIDE, 0.7), [(path, 0.8, 0.5)]),
        row(Candidate(NARROW, 0.6), [(path, 0.7, 0.9), (path, 0.72, 0.9)]),
        row(Candidate(PLAIN, 0.5), [(path, 0.85, 0.6)]),
        row(Candidate(WIDE, 0.7, INHERITED), [(path, 0.82, 0.7)]),
        row(Candidate(NARROW, 0.6, INHERITED), [(path, 0.9, 0.4)]),
        row(Candidate(PLAIN, 0.5, INHERITED), []),
    ]


def test_the_two_starts_of_an_architecture_stand_side_by_side():
    found = [(each["text"], each["start"]) for each in in_order(rows())]
    assert found == [
        (NARROW.to_text(), "fine-tuned"), (NARROW.to_text(), "scratch"),
        (PLAIN.to_text(), "scratch"), (PLAIN.to_text(), "fine-tuned"),
        (WIDE.to_text(), "fine-tuned"), (WIDE.to_text(), "scratch"),
    ]  # fmt: skip


def test_a_row_lists_what_was_inherited():
    scratch, tuned = rows()[0], rows()[3]
    assert set(tuned) - set(scratch) == {"init_from", "copied", "fresh"}
    assert (tuned["init_from"], tuned["copied"]) == ("m/a.keras", ["conv_0"])
    assert tuned["fresh"] == list("abcdef")


def test_the_searchs_ranking_is_compared_from_scratch():
    # search 0.7 > 0.6 > 0.5; test from scratch 0.5, 0.9, 0.6: ranks 3 2 1 and 1 3 2
    assert _rank_correlation([each for each in rows() if each["test_accuracy"]]) == -0.5


def test_the_table_tells_starts_where_there_are_two_kinds():
    baseline = row(Candidate(PLAIN, None), [(Path("b"), 0.1, 0.2)])
    lines = _figures({"architectures": in_order(rows()), "baseline": baseline}).splitlines()
    assert lines[0].split()[:5] == ["search", "validation", "test", "start", "architecture"]
    assert lines[1].split()[:4] == ["0.6000", "0.9000", "0.4000", "fine-tuned"]
    assert lines[4].split()[:4] == ["0.5000", "failed", "failed", "fine-tuned"]
    assert lines[-1].split()[:4] == ["-", "0.1000", "0.2000", "scratch"]
    alone = _figures({"architectures": rows()[:3], "baseline": baseline}).splitlines()
    assert "start" not in alone[0]
    told = _inherited({"architectures": rows()})
    assert len(told) == 3
    assert told[0].startswith("1 layers copied from m/a.keras, 6 fresh (a, b, c, d, ...: --json")
