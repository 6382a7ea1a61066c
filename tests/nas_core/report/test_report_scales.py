"""Axes: round ticks around the data, whatever the data."""

import math

from nas_core.report.scales import counted, fitted, logarithmic


def test_ticks_are_round_and_enclose_the_data():
    axis = fitted("score", [0.42, 0.87])
    assert axis.ticks == (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert (axis.low, axis.high) == (0.4, 0.9)
    assert [axis.label(tick) for tick in axis.ticks][:2] == ["0.4", "0.5"]


def test_narrow_data_get_as_many_decimals_as_they_need():
    axis = fitted("score", [0.811, 0.829])
    assert [axis.label(tick) for tick in axis.ticks] == [
        "0.810",
        "0.815",
        "0.820",
        "0.825",
        "0.830",
    ]


def test_values_that_are_not_finite_do_not_stretch_the_axis():
    assert fitted("score", [math.nan, 0.2, math.inf, 0.4]) == fitted("score", [0.2, 0.4])


def test_no_data_and_equal_data_still_give_an_axis():
    assert fitted("score", []).low == 0.0
    equal = fitted("score", [0.5, 0.5])
    assert equal.low < 0.5 < equal.high


def test_bars_start_at_zero():
    assert fitted("score", [0.6, 0.7], zero=True).low == 0.0


def test_trials_are_counted_in_whole_numbers():
    assert counted("trial", 3).ticks == (0.0, 1.0, 2.0, 3.0)
    assert counted("trial", 119).ticks == (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
    assert counted("trial", 0).high == 1.0


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis():
    axis = logarithmic("MACs", [1_000, 100_000, 0, math.nan])
    assert math.isclose(axis.fraction(10_000), 0.5)
    assert [axis.label(tick) for tick in axis.ticks] == ["1 k", "10 k", "100 k"]


def test_one_value_on_a_logarithmic_axis_is_in_its_middle():
    assert math.isclose(logarithmic("MACs", [500]).fraction(500), 0.5)
