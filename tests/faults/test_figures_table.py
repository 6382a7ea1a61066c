"""The table of figures: what is missed is seen, and the document keeps the rest of its text."""

import pytest
from figures import Figure
from figures_table import END, START, insert, text

MET = Figure("kills | of all kinds", "39/40", "0", "0", ok=True)
MISSED = Figure("commits", "", ">= 100", "99", ok=False)


def test_a_missed_figure_is_seen_at_the_end_of_its_line():
    lines = text([MET, MISSED]).splitlines()
    assert [line.split()[-1] for line in lines] == ["ok", "yes", "NO"]
    column = lines[0].index("asked for")
    assert (lines[1][column:].split()[0], lines[2][column : column + 6]) == ("0", ">= 100")


def test_a_document_has_one_table(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    insert(path, [MISSED])
    insert(path, [MET])
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[4] == "| kills / of all kinds | 39/40 | 0 | 0 | yes |"
    assert len(lines) == 7
    path.write_text("no marks")
    with pytest.raises(ValueError, match="expected"):
        insert(path, [MET])
