"""The report's section on whether the agent helps."""

from dataclasses import replace

from nas_core.report.charts import Frame, band
from nas_core.report.comparison import comparison_section
from nas_core.report.data import load
from nas_core.report.page import render, write_report
from nas_core.report.scales import Axis

LINE = {"mean": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]}
FOUND = {
    "space": "metaqnn", "trainer": "mock", "metric": "expected_accuracy", "evaluations": 2,
    "seeds": 20, "trust": "the mock is fitted to 79 trainings",
    "verdicts": ["metaqnn does not beat random search (P = 0.55) after 2 evaluations"],
    "curves": {"metaqnn": LINE, "random": LINE, "evolution": LINE},
}  # fmt: skip


def section_of(run, found):
    return comparison_section(replace(load(run), comparison=found))


def test_curves_bands_verdicts_and_trust(write_run):
    text = section_of(write_run(), FOUND)
    assert "metaqnn does not beat random search (P = 0.55)" in text
    assert "the mock is fitted to 79 trainings" in text
    assert "mean of 20 searches" in text
    for css in ("agent", "c2", "control"):
        assert text.count(f'class="band {css}"') == text.count(f'class="line {css}"') == 1
    assert text.index('class="line c2"') < text.index('class="line control"')


def test_a_reason_stands_in_the_comparisons_place(write_run):
    text = section_of(write_run(), {"note": "Not compared: <b>"})
    assert "Not compared: &lt;b&gt;" in text
    assert "<svg" not in text


def test_no_comparison_no_section(write_run):
    assert section_of(write_run(), {}) == ""
    assert "Does the agent help" not in render(load(write_run(name="other")))


def test_a_band_by_hand():
    frame = Frame("", Axis("", 0.0, 1.0, ()), Axis("", 0.0, 1.0, ()))
    # Across from 62 to 542, up from 272 (0) to 36 (1).
    assert band(frame, [(0.0, 0.0, 0.5), (1.0, 0.5, 1.0)], "agent") == (
        '<path class="band agent" d="M62 272L542 154L542 36L62 154Z"/>'
    )


def test_the_report_asks_for_it_unless_told_not_to(write_run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "nas_core.report.page.comparison_of", lambda run, config: asked.append(run) or FOUND
    )
    run = write_run()
    assert "Does the agent help?" in write_report(run).read_text(encoding="utf-8")
    without = write_report(run, comparison=False).read_text(encoding="utf-8")
    assert "Does the agent help?" not in without
    assert asked == [run]
