"""Charts and pictures: well-formed SVG that shows the numbers it was given."""

import math
from xml.etree import ElementTree

import pytest

from nas_core.errors import SpecError
from nas_core.report.chain_picture import chain_picture
from nas_core.report.charts import Bar, Dot, Frame, bars, chart, crosses, curve, dots
from nas_core.report.markup import duration, mean_and_spread, short, table
from nas_core.report.scales import counted, fitted
from nas_core.spec import ChainSpec

FRAME = Frame("a chart", counted("trial", 10), fitted("score", [0.0, 1.0]), ("killed",))


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_a_point_stands_where_its_values_say():
    # Plot from x = 92 to 542 and, with y upwards, from 272 (0) to 36 (1).
    circle = parse(dots(FRAME, [Dot(5, 0.5, "here")], "agent")).find("circle")
    assert circle is not None
    assert (circle.get("cx"), circle.get("cy")) == ("317", "154")
    assert circle.findtext("title") == "here"


def test_points_that_are_not_finite_are_left_out():
    group = parse(dots(FRAME, [Dot(1, math.nan, "a"), Dot(math.inf, 1, "b"), Dot(2, 1, "c")], "x"))
    assert len(group.findall("circle")) == 1
    assert dots(FRAME, [Dot(1, math.nan, "a")], "x") == ""


def test_a_curve_is_broken_at_a_value_that_is_not_finite():
    path = curve(FRAME, [(0, 0.1), (1, 0.2), (2, math.nan), (3, 0.4), (4, 0.5)], "agent", "curve")
    assert path.count("M") == 2
    assert path.count("L") == 2
    assert "nan" not in path


def test_a_best_so_far_goes_in_steps():
    d = parse(curve(FRAME, [(0, 0.0), (5, 0.5), (10, 0.5)], "agent", "c", steps=True)).get("d")
    assert d == "M92 272H317V154H542"


def test_a_chart_is_well_formed_and_escapes_what_it_is_told():
    evil = "</svg><script>\"'&"
    marks = [dots(FRAME, [Dot(1, 1, evil)], "x"), crosses(FRAME, "killed", [(2, evil)], "bad")]
    root = parse(chart(Frame(evil, FRAME.x, FRAME.y, ("killed",)), marks))
    assert root.get("aria-label") == evil
    assert [title.text for title in root.iter("title")] == [evil, evil]
    assert not list(root.iter("script"))


def test_bars_are_as_high_as_their_values():
    columns = [Bar("1.0", "n=3", 0.25, "p0"), Bar("0.1", "n=4", 0.75, "p9")]
    root = parse(bars("bars", fitted("mean", [0.25, 0.75], zero=True), columns))
    heights = [float(rect.get("height", "")) for rect in root.iter("rect")]
    assert heights[1] == pytest.approx(3 * heights[0], abs=0.3)  # rounded to 0.1
    words = [text.text for text in root.iter("text")]
    assert {"1.0", "n=3", ".25", "0.1", "n=4", ".75"} <= set(words)


def test_a_chain_is_drawn_with_its_shapes_and_skips():
    spec = ChainSpec.from_text(
        "[C(16,3,1), S(32,3,2)@-1@0, AP(2,2), BN, D(0.5), GAP, FC(8), SM(3)]"
    )
    svg = chain_picture(spec, (32, 32, 3))
    root = parse(svg).find("svg")
    assert root is not None
    words = [text.text for text in root.iter("text")]
    assert len(list(root.iter("g"))) == 9  # the image and eight layers
    for word in ("32×32×3", "conv 16", "32×32×16", "sep 32", "3×3 /2", "16×16×32", "avg pool",
                 "8×8×32", "dropout", "0.5", "average", "dense 8", "softmax"):  # fmt: skip
        assert word in words
    assert svg.count('class="skip"') == 1
    assert svg.count('class="link"') == 8


def test_boxes_shrink_with_the_map():
    svg = chain_picture(ChainSpec.from_text("[C(16,3,2), C(16,3,2), SM(3)]"), (32, 32, 3))
    fronts = [path.get("d", "") for path in parse(svg).iter("path") if path.get("class") == "front"]
    heights = [float(d.split("v")[1].split("h")[0]) for d in fronts]
    assert heights[:3] == [64.0, 32.0, 16.0]


def test_an_image_too_small_for_the_chain_is_refused():
    with pytest.raises(SpecError, match="larger images"):
        chain_picture(ChainSpec.from_text("[P(5,3), P(5,3), P(5,3), SM(3)]"), (16, 16, 3))


def test_numbers_for_people():
    assert [short(n) for n in (7, 950, 999_950, 12_345_678, 2.5e9)] == [
        "7", "950", "1 M", "12.3 M", "2.5 G",
    ]  # fmt: skip
    assert [duration(s) for s in (0.04, 59.96, 3599.6, 7500, math.nan)] == [
        "0.0 s", "1 min 00 s", "1 h 00 min", "2 h 05 min", "–",
    ]  # fmt: skip
    # Sample standard deviation of 0.9, 0.92, 0.94 is 0.02.
    assert mean_and_spread([0.9, 0.92, 0.94]) == "0.9200 ± 0.0200"
    assert mean_and_spread([0.9]) == "0.9000"
    assert mean_and_spread([]) == "–"


def test_cells_of_a_table_are_escaped():
    assert "<td>&lt;b&gt;</td>" in table(("<a>",), [("<b>",)])
