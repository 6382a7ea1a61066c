"""The report as a whole: every state of a run gives an honest, closed, well-formed page."""

import json
import sqlite3
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nas_core.errors import RunError
from nas_core.report import write_report
from nas_core.report.data import load
from nas_core.report.overview import reproduce
from nas_core.report.page import render
from nas_core.report.pictures import picture
from nas_core.report.progress import best_so_far, comparison, phases
from nas_core.store import RunStore
from nas_core.trainer.base import Status, failed

VOID = {"meta", "br"}
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Reads a page, checks that tags are balanced, and keeps what a test may ask for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += " " + " ".join(data.split())


def page_of(run: Path) -> Page:
    text = write_report(run).read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "img"} & set(page.tags)
    assert not FETCHING & set(page.attributes)
    assert not [name for name in page.attributes if name.startswith("on")]
    return page


def retraining(**more: Any) -> dict[str, Any]:
    row = {"text": "[C(1,1,1), SM(2)]", "model": ["m.keras"]}
    return {
        "architectures": [
            {**row, "digest": "a", "search_score": 0.8, "validation_accuracy": [0.85],
             "test_accuracy": [0.99]},
            {**row, "digest": "b", "search_score": 0.7, "validation_accuracy": [0.9, 0.92],
             "test_accuracy": [0.88, 0.9]},
        ],
        "rank_correlation": None,
        **more,
    }  # fmt: skip


def load_trials(write_run):
    rows = load(write_run(name="source")).rows
    return [(r.text, r.epsilon, r.result if r.result_json else None, r.credited_from) for r in rows]


def test_the_figures_are_the_stores(write_run):
    run = write_run(
        events=[("started", {}), ("metrics", {"loss": 1}), ("ended", {"reason": "interrupted"})]
    )
    page = page_of(run)
    assert (run / "report.html").is_file()
    assert "7 proposals tried 5 different networks (2 failed)" in page.text
    assert "reached 0.8125 on the validation split" in page.text
    for figure in (
        "trials 7 of 8", "different networks 5", "trained children 5", "failed children 2",
        "waiting or running 1", "wall-clock time 21.5 s", "state interrupted",
        "parameters 640,000", "MACs 20 M", "all children together 27.0 s", "a child, mean 5.4 s",
        "the longest child 12.0 s", "ε 0.1 n=2", "ε 1.0 n=2", "keras 3.15.1", "seed 7",
        "diverged trial 3 loss is NaN 1", "out_of_memory trial 2 asked for 9 GiB 1",
    ):  # fmt: skip
        assert figure in page.text
    assert "metrics" not in page.text


def test_the_command_repeats_the_search(write_run):
    text = page_of(write_run()).text
    assert (
        "nas search metaqnn --agent metaqnn --data leaves --trials 8 --workers 2 --seed 7 "
        "--control random --run RUN"
    ) in text


def test_the_command_of_an_extended_run_extends_it_too(write_run):
    data = load(write_run())
    data.config["plan"]["trials"] += 50
    data.config["plan"]["data"] = "my leaves"
    assert "--data 'my leaves' --trials 8 " in reproduce(data)
    assert reproduce(data).endswith("nas resume RUN --trials +50")


def test_every_trial_is_drawn_once(write_run):
    text = write_report(write_run()).read_text(encoding="utf-8")
    chart = text.split("Every trial</h3>")[1].split("</svg>")[0]
    assert chart.count("<circle") == 4
    assert chart.count("hollow") == 1  # one group: the repeat
    assert chart.count("l7 7m0-7l-7 7") == 3
    assert "repeats trial 1" in chart
    assert ">memory<" in chart
    assert ">diverged<" in chart


def test_a_curve_with_nan_is_drawn_in_parts(write_run):
    text = write_report(write_run()).read_text(encoding="utf-8")
    chart = text.split("Learning curves of the best</h3>")[1].split("</svg>")[0]
    assert "2. trial 4, 0.7500" in chart
    assert chart.count("<circle") == 3 + 2 + 2
    assert "nan" not in chart.lower()


def test_no_trials_yet(write_run):
    page = page_of(write_run([], events=[], seconds=None))
    assert "No trial has ended yet" in page.text
    assert "state not started" in page.text


def test_all_trials_still_running(write_run):
    page = page_of(write_run([("[SM(2)]", 1.0, None, None)], seconds=None))
    assert "No trial has ended yet" in page.text
    assert "state running, or killed" in page.text


def test_only_failures(write_run):
    trials = [
        (f"[C({n},1,1), SM(2)]", None, failed(Status.KILLED, "signal 9"), None) for n in (1, 2)
    ]
    page = page_of(write_run(trials))
    assert "2 failed and no network has a score" in page.text
    assert "killed trial 1 signal 9 2" in page.text
    assert "Best architectures" not in page.text
    assert "Best so far" not in page.text


def test_an_agent_without_epsilon_has_no_phases(write_run):
    trials = [(text, None, result, source) for text, _, result, source in load_trials(write_run)]
    page = page_of(write_run(trials, name="plain"))
    assert "Mean accuracy per epsilon" not in page.text
    assert "ε" not in page.text
    assert "Every trial" in page.text


def test_a_run_without_a_plan_is_still_reported(write_run):
    page = page_of(write_run(config={}, events=[]))
    assert "0.8125" in page.text
    assert "nas search" not in page.text


def test_the_control_is_compared_over_as_many_trials_as_both_have(write_run):
    run = write_run()
    assert "The control, with the same seed and budget, runs when" in page_of(run).text
    shorter = load_trials(write_run)[:1]
    plan = {"plan": {"agent": "random"}}
    write_run(shorter, name="run/control", config=plan)
    # One trial each: 0.4 against 0.4. A tie is no victory.
    text = page_of(run).text
    assert "After 1 trial each, metaqnn does not beat random: best 0.4000 against 0.4000" in text
    assert "random (control)" in text


def test_a_comparison_says_who_is_ahead(write_run):
    rows = [row for row in load(write_run()).rows if row.status is not None]
    weaker = [replace(row, score=None if row.score is None else row.score - 0.1) for row in rows]
    # Means of 0.4, 0.8125, 0.75 and the repeat's 0.8125, and of the same less 0.1.
    assert comparison(rows, weaker, "a", "b").startswith(
        "After 7 trials each, a beats b: best 0.8125 against 0.7125, mean of all proposals 0.69"
    )
    assert "b does not beat a" in comparison(weaker, rows, "b", "a")
    assert comparison(rows, [], "a", "b") == "The control has no score to compare with yet."


def test_best_so_far_begins_with_the_first_score_and_never_falls(write_run):
    rows = [row for row in load(write_run()).rows if row.status is not None]
    assert best_so_far(rows[2:5]) == [(4, 0.75)]
    assert [value for _, value in best_so_far(rows)] == [0.4] + [0.8125] * 6


def test_phases_run_through_all_colours(write_run):
    rows = load(write_run()).rows
    assert phases(rows) == {1.0: "p0", 0.1: "p9"}


def test_no_retraining_no_section(write_run):
    text = page_of(write_run()).text
    assert "Retrained and tested" not in text
    assert "The test split was never opened" in text


def test_the_winner_is_chosen_on_validation_not_on_test(write_run):
    run = write_run()
    (run / "retrain.json").write_text(json.dumps(retraining()))
    text = page_of(run).text
    assert "the one chosen after retraining 0.8900 ± 0.0141 on the test split" in text
    assert "chosen [C(1,1,1), SM(2)] 0.7000 0.9100 ± 0.0141 0.8900 ± 0.0141 2" in text
    assert "Rank correlation" not in text


def test_all_that_retraining_found_is_shown(write_run):
    run = write_run()
    best = next(row for row in load(run).rows if row.number == 1)
    value = retraining(
        rank_correlation=-0.5,
        confusion={"classes": ["oak", "elm"], "matrix": [[8, 2], [1, 9]]},
        per_class_accuracy={"oak": 0.8, "elm": 0.9},
        baseline={"text": "by-hand-net", "test_accuracy": [0.7]},
    )
    value["architectures"][0]["digest"] = best.digest
    (run / "retrain.json").write_text(json.dumps(value))
    opening = {"time": "2030-01-02T03:04:05+00:00", "reason": "final", "dataset": "leaves"}
    (run / "test_openings.jsonl").write_text(json.dumps(opening) + "\n[1]\n{torn")
    text = page_of(run).text
    for words in (
        "retrained scores: -0.50", "17 of 20 examples right",
        "oak 8 2", "elm 1 9", "oak 0.800", "by hand by-hand-net – 0.7000 1",
        "retrained, test 0.9900", "2030-01-02T03:04:05+00:00 final leaves",
    ):  # fmt: skip
        assert words in text
    assert "never opened" not in text


def test_both_starts_of_a_network_stand_in_the_table(write_run):
    run = write_run()
    value = retraining(baseline={"text": "by-hand-net", "test_accuracy": [0.7]})
    assert " start " not in table_of(run, value)
    best = next(row for row in load(run).rows if row.number == 1)
    scratch, tuned = ({**value["architectures"][0], "digest": best.digest} for _ in range(2))
    tuned |= {"start": "fine-tuned", "test_accuracy": [0.5], "validation_accuracy": [0.95],
              "init_from": "m.keras", "copied": ["a", "b"], "fresh": ["c"]}  # fmt: skip
    value["architectures"] = [tuned, {**scratch, "start": "scratch"}]
    text = table_of(run, value)
    assert "network start search score" in text
    assert "fine-tuned 2 layers from m.keras; anew: c 0.8000 0.9500 0.5000 1" in text
    assert "scratch 0.8000 0.8500 0.9900 1" in text
    assert "by hand by-hand-net scratch – 0.7000 1" in text
    assert "retrained, test 0.5000" in text  # the card has the better start on validation


def table_of(run: Path, value: dict[str, Any]) -> str:
    (run / "retrain.json").write_text(json.dumps(value))
    return page_of(run).text


def test_a_damaged_retraining_record_is_named_and_the_rest_is_shown(write_run):
    run = write_run()
    (run / "retrain.json").write_text('{"architectures": [')
    text = page_of(run).text
    assert "retrain.json could not be read" in text
    assert "0.8125" in text


@pytest.mark.parametrize("value", [[], {"architectures": 3}, {"architectures": [1, {}]},
                                   retraining(confusion={"matrix": "x"}, baseline=3)])  # fmt: skip
def test_odd_retraining_records_do_no_harm(write_run, value):
    run = write_run()
    (run / "retrain.json").write_text(json.dumps(value))
    page_of(run)


def test_words_from_outside_stay_words(write_run):
    config = {
        "plan": {"space": EVIL, "agent": EVIL, "data": EVIL, "trials": 3, "seed": 1},
        "versions": {EVIL: EVIL},
    }
    trials = [
        ("[SM(2)]", 1.0, failed(Status.ERROR, EVIL), None),
        *load_trials(write_run)[:1],
    ]
    run = write_run(trials, name="a<b>&'run", config=config, events=[(EVIL, {"why": EVIL})])
    write_run(trials[1:], name="a<b>&'run/control", config=config)
    value = retraining(
        confusion={"classes": [EVIL, "\ud800"], "matrix": [[1, 0], [0, 1]]},
        per_class_accuracy={EVIL: 0.5},
        baseline={"text": EVIL, "test_accuracy": [0.5]},
    )
    value["architectures"][0]["text"] = EVIL
    (run / "retrain.json").write_text(json.dumps(value))
    (run / "test_openings.jsonl").write_text(json.dumps({"time": EVIL, "reason": EVIL}) + "\n")
    assert page_of(run).text.count("<script>alert(1)</script>") > 10


def test_another_type_of_architecture_is_shown_as_text(write_run):
    data = load(write_run())
    rows = [replace(row, spec_json='{"type": "other"}', text="other-notation") for row in data.rows]
    assert picture(rows[1], data.image) == ""
    page = Page(render(replace(data, rows=rows)))
    assert "other-notation" in page.text
    assert "Bows are skip inputs" not in page.text


def test_an_image_too_small_for_the_network_is_no_failure(write_run):
    row = load(write_run([("[P(5,3), P(5,3), P(5,3), SM(2)]", None, None, None)])).rows[0]
    assert picture(row, (64, 64, 3)) != ""
    assert picture(row, (16, 16, 3)) == ""


def test_a_report_can_be_written_while_the_search_writes(write_run, tmp_path):
    run = write_run()
    with RunStore.open(run, write=True) as store, store.transaction():
        store.add_event("ended", {"reason": "not committed yet"})
        out = write_report(run, tmp_path / "elsewhere" / "r.html")
    assert "0.8125" in out.read_text(encoding="utf-8")
    assert "not committed" not in out.read_text(encoding="utf-8")


def test_the_run_is_not_changed(write_run, tmp_path):
    run = write_run()
    before = (run / "run.sqlite").read_bytes()
    write_report(run, tmp_path / "r.html")
    assert (run / "run.sqlite").read_bytes() == before
    assert not (run / "report.html").exists()


def test_no_run_and_no_place_get_one_line(write_run, tmp_path):
    with pytest.raises(RunError, match=r"found no run\.sqlite"):
        write_report(tmp_path)
    run = write_run()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="choose another place with --out"):
        write_report(run, tmp_path / "file" / "r.html")


def test_a_damaged_database_gets_one_line(write_run):
    run = write_run()
    with sqlite3.connect(run / "run.sqlite") as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("DROP TABLE trials")
    database.close()
    with pytest.raises(RunError, match="the file is damaged"):
        write_report(run)


def test_a_thousand_trials_fit_in_half_a_megabyte(write_run):
    source = [trial for trial in load_trials(write_run) if trial[2] is not None]
    trials = [source[n % len(source)] for n in range(1000)]
    assert write_report(write_run(trials, name="long")).stat().st_size < 500_000
