"""Every method is tuned with the same number of trainings."""

from dataclasses import replace

import pytest

from nas_core.errors import UsageError
from training_control.comparison.methods import SCHEDULE, baselines
from training_control.comparison.records import Record
from training_control.comparison.tuning import (
    best_of,
    check_tuning,
    first_candidates,
    next_candidates,
    others,
    rates,
)
from training_control.controls import ControlSet
from training_control.schedules import SCHEDULES

METHODS = baselines(ControlSet())


@pytest.mark.parametrize("trainings", [3, 4, 6, 9, 20])
@pytest.mark.parametrize("name", METHODS)
def test_the_budget_is_the_same_and_no_candidate_stands_twice(name, trainings):
    method = METHODS[name]
    first = first_candidates(method, trainings)
    both = first + next_candidates(method, trainings, first[1])
    assert len(both) == trainings
    seen = {(c.initial_lr, tuple(sorted(c.parameters.items()))) for c in both}
    assert len(seen) == trainings
    assert all(0 < c.initial_lr <= 1 for c in both)


def test_rates_are_even_in_their_logarithm():
    assert rates(4) == [1e-4, 1e-3, 1e-2, 1e-1]


def test_parameters_are_varied_at_the_best_rate():
    first = first_candidates(METHODS["step"], 6)
    assert [c.initial_lr for c in first] == rates(4)
    assert first[0].parameters == {"gamma": 0.1, "every": 1 / 3}
    then = next_candidates(METHODS["step"], 6, first[2])
    assert [c.initial_lr for c in then] == [1e-2, 1e-2]
    assert [c.parameters for c in then] == [
        {"gamma": 0.3, "every": 1 / 3},
        {"gamma": 0.1, "every": 0.5},
    ]


def test_rates_between_are_tried_where_there_is_nothing_else():
    first = first_candidates(METHODS["constant"], 6)
    then = next_candidates(METHODS["constant"], 6, first[1])
    assert [c.initial_lr for c in then] == [3.2e-3, 3.2e-4]


def test_searches_try_schedules():
    grid = first_candidates(METHODS["grid-search"], 6)
    assert {c.parameters[SCHEDULE] for c in grid} == {"constant", "cosine", "step"}
    drawn = first_candidates(METHODS["random-search"], 40)
    assert {c.parameters[SCHEDULE] for c in drawn} == set(SCHEDULES)
    assert drawn == first_candidates(METHODS["random-search"], 40)


def test_other_values_take_turns():
    assert others({"a": (1, 2, 3), "b": (4, 5)}) == [("a", 2), ("b", 5), ("a", 3)]
    assert others({}) == []


def record(score: float, loss: float | None, crashed: bool = False) -> Record:
    empty = Record(
        "", "", "", 0.1, 0, {}, "accuracy", score, score, {}, loss, [], [], {}, 1.0, 1, 0, 0.0,
        0.0, 0, 0, crashed,
    )  # fmt: skip
    return replace(empty, score=score)


def test_the_best_has_the_highest_score_then_the_lowest_loss():
    assert best_of([record(0.5, 1.0), record(0.7, 2.0), record(0.7, 1.5)]) == 2
    assert best_of([record(0.0, None, True), record(0.0, 3.0)]) == 1
    assert best_of([record(0.5, 1.0), record(0.5, 1.0)]) == 0


def test_too_small_a_budget_is_refused():
    with pytest.raises(UsageError, match="expected 3 tuning trainings or more"):
        check_tuning(2)
