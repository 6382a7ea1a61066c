"""Hopeless children end early: by a rule worked by hand, the same one whatever the order."""

import math

import numpy as np
import pytest

import nas_core.api
from nas_core.early_stopping import LEAST, is_hopeless, least_accuracies
from nas_core.store import RunStore

LINE = [n / 20 for n in range(LEAST + 1)]  # accuracies 0, 0.05, ... 0.6


def test_an_exact_prediction_stops_all_below_the_target():
    # score = 0.1 + accuracy, without error: the upper quarter begins at 0.1 + 0.45.
    scores = [0.1 + accuracy for accuracy in LINE]
    stops = least_accuracies([[a, s] for a, s in zip(LINE, scores, strict=True)], scores)
    assert stops == pytest.approx((0.45,))
    assert is_hopeless(1, 0.44, stops)
    assert not is_hopeless(1, 0.46, stops)
    assert not is_hopeless(2, 0.0, stops)  # the last epoch is never cut


def test_what_chance_may_add_is_allowed_for():
    # Errors of +-0.1 in turn, 13 of them around a line of slope 1 that they leave as it is.
    errors = [0.1, -0.2, 0.1] + [0.0] * (LEAST - 5) + [0.1, -0.2, 0.1]
    scores = [a + e for a, e in zip(LINE, errors, strict=True)]
    deviation = math.sqrt(sum(e * e for e in errors) / (len(LINE) - 2))
    (least,) = least_accuracies([[a, s] for a, s in zip(LINE, scores, strict=True)], scores)
    assert least == pytest.approx(float(np.quantile(scores, 0.75)) - 2 * deviation)


def test_accuracies_that_tell_nothing_stop_nobody():
    falling = [[1.0 - a, a] for a in LINE]
    flat = [[0.5, a] for a in LINE]
    for curves in (falling, flat):
        assert least_accuracies(curves, LINE) == (-math.inf,)


def test_few_or_cut_trainings_say_nothing():
    whole = [[a, a] for a in LINE]
    assert least_accuracies(whole[: LEAST - 1], LINE[: LEAST - 1]) == ()
    cut = [[a] for a in LINE]
    assert least_accuracies(whole + cut, LINE + LINE) == least_accuracies(whole, LINE)
    assert least_accuracies([], []) == ()
    assert not is_hopeless(1, 0.0, ())


def searched(folder, **options):
    found = nas_core.api.search(
        "metaqnn", None, trainer="mock", agent="random", trials=60, control=None, run=folder,
        **options,
    )  # fmt: skip
    with RunStore.open(folder) as store:
        return found.summary, store.trials()


def test_a_search_saves_epochs_and_keeps_its_best(tmp_path):
    plain, rows = searched(tmp_path / "plain")
    summary, stopped = searched(tmp_path / "stopped", stop_early=True)
    assert "stopped_early" not in plain
    assert summary["best"] == plain["best"]
    assert summary["stopped_early"]["children"] > 5
    assert 0.1 < summary["stopped_early"]["saved"] < 0.75
    assert [row.digest for row in stopped] == [row.digest for row in rows]
    for row, whole in zip(stopped, rows, strict=True):
        if row.credited_from is None:
            assert row.result.curve == whole.result.curve[: len(row.result.curve)]
            assert row.score <= whole.score


def test_who_is_stopped_does_not_depend_on_an_interruption(tmp_path):
    _, whole = searched(tmp_path / "whole", stop_early=True)
    seen = []

    def interrupt(plan, row):
        seen.append(row)
        if len(seen) == 31:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut", stop_early=True, on_trial=interrupt)
    nas_core.api.resume(tmp_path / "cut")
    with RunStore.open(tmp_path / "cut") as store:
        again = store.trials()
    assert [row.result.curve for row in again] == [row.result.curve for row in whole]
