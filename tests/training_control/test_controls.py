"""Controls: ranges, moves, clipping, and actions that must be ignored."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_core.errors import UsageError
from training_control.controls import (
    CONTROLS,
    OPTIMIZERS,
    ControlSet,
    Hyperparameters,
    changes,
    moved,
    scaled,
)

ALL = ControlSet(tuple(CONTROLS))
FLAT = ControlSet(tuple(CONTROLS), flat=True)
BOX = ControlSet(tuple(CONTROLS), continuous=True)
START = Hyperparameters()


def test_the_seven_controls_have_the_published_ranges_and_starts():
    ranges = {name: (control.low, control.high) for name, control in CONTROLS.items()}
    assert ranges == {
        "learning_rate": (1e-5, 1e-1),
        "dropout": (0.1, 0.7),
        "weight_decay": (1e-6, 1e-1),
        "optimizer": (0, 3),
        "batch_size": (16, 128),
        "layers": (1, 4),
        "units": (32, 256),
    }
    assert OPTIMIZERS == ("sgd", "adam", "adamw", "rmsprop")
    assert START.values() == {
        "learning_rate": 0.001, "dropout": 0.5, "weight_decay": 1e-4, "optimizer": "adam",
        "batch_size": 32, "layers": 2, "units": 64,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "move", "expected"),
    [
        ("learning_rate", 0.01, 0, 0.005),
        ("learning_rate", 0.01, 1, 0.009),
        ("learning_rate", 0.01, 2, 0.01),
        ("learning_rate", 0.01, 3, 0.011),
        ("learning_rate", 0.01, 4, 0.02),
        ("learning_rate", 0.08, 4, 0.1),
        ("learning_rate", 1.0, 2, 0.1),  # a start outside the range: the first decision clips
        ("learning_rate", 1e-7, 0, 1e-5),
        ("dropout", 0.5, 4, 0.7),
        ("weight_decay", 0.0, 4, 1e-6),
        ("optimizer", "adam", 0, "adam"),
        ("optimizer", "adam", 4, "rmsprop"),
        ("batch_size", 32, 2, 64),
        ("batch_size", 16, 0, 16),
        ("layers", 2, 2, 3),
        ("layers", 1, 0, 1),
        ("units", 64, 0, 32),
        ("units", 256, 2, 256),
    ],
)
def test_moves(name, value, move, expected):
    found = moved(name, value, move)
    assert found == expected if isinstance(expected, str) else found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "value", "exponent", "expected"),
    [
        ("learning_rate", 0.01, 1.0, 0.02),
        ("learning_rate", 0.01, -1.0, 0.005),
        ("dropout", 0.2, 0.0, 0.2),
        ("batch_size", 32, 0.5, 45),
        ("layers", 2, 0.4, 2),
        ("layers", 2, -0.6, 1),
        ("optimizer", "adamw", -1.0, "sgd"),
        ("optimizer", "adamw", -0.5, "adam"),
        ("optimizer", "sgd", 0.0, "sgd"),
        ("optimizer", "sgd", 0.3, "adamw"),
        ("optimizer", "sgd", 1.0, "rmsprop"),
    ],
)
def test_continuous_actions(name, value, exponent, expected):
    found = scaled(name, value, exponent)
    assert found == expected if isinstance(expected, str) else found == pytest.approx(expected)


def test_action_spaces():
    assert ControlSet().space() == gym.spaces.Discrete(5)
    assert ALL.space() == gym.spaces.MultiDiscrete([5, 5, 5, 5, 3, 3, 3])
    assert FLAT.space() == gym.spaces.Discrete(1 + 4 * 4 + 3 * 2)
    assert ControlSet(("units",), flat=True).space() == gym.spaces.Discrete(3)
    assert BOX.space() == gym.spaces.Box(-1, 1, (7,), np.float32)
    assert len(FLAT.labels()) == 23
    assert FLAT.labels()[4] == "learning_rate x2"


def test_a_flat_action_is_one_move_of_one_control():
    for number, label in enumerate(FLAT.labels()):
        after = FLAT.apply(START, FLAT.decode(number))
        name, _, move = label.partition(" ")
        found = changes(START, after)
        assert list(found) == ([] if label in ("keep", "optimizer adam") else [name])
        if name == "optimizer" and found:
            assert found == {"optimizer": move}


@pytest.mark.parametrize(
    ("controls", "action"),
    [
        (ControlSet(), 5), (ControlSet(), -1), (ControlSet(), 1.5), (ControlSet(), float("nan")),
        (ControlSet(), "up"), (ControlSet(), None), (ControlSet(), [1, 2]),
        (ALL, [0, 0, 0, 0, 0, 0]), (ALL, [0, 0, 0, 0, 3, 0, 0]), (FLAT, 23), (FLAT, -1),
        (BOX, [0, 0, 0, 0, 0, 0, 1.01]), (BOX, [0, 0, 0, 0, 0, 0, np.inf]), (BOX, [0.0]),
    ],
)  # fmt: skip
def test_actions_outside_the_space_are_not_decoded(controls, action):
    assert controls.decode(action) is None


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1e-9, 10.0), st.floats(0, 0.99), st.floats(0, 1), st.sampled_from(OPTIMIZERS),
    st.integers(1, 999), st.integers(1, 9), st.integers(1, 999), st.integers(0, 2**31),
)  # fmt: skip
def test_whatever_the_start_every_action_ends_inside_the_ranges(
    rate, dropout, decay, optimizer, batch, layers, units, seed
):
    start = Hyperparameters(rate, dropout, decay, optimizer, batch, layers, units)
    for controls in (ALL, FLAT, BOX):
        space = controls.space()
        space.seed(seed)
        after = controls.apply(start, controls.decode(space.sample()))
        for name, value in after.values().items():
            if name == "optimizer":
                assert value in OPTIMIZERS
            else:
                assert CONTROLS[name].low <= value <= CONTROLS[name].high
                assert isinstance(value, int) == CONTROLS[name].whole


def test_keeping_keeps_and_withheld_controls_stay():
    for controls in (ALL, BOX):
        assert controls.apply(START, controls.keep()) == START
    doubled = ALL.apply(START, ALL.decode([4, 4, 4, 4, 2, 2, 2]), available=("units",))
    assert doubled == replace(START, units=128)


@pytest.mark.parametrize("names", [(), ("momentum",), ("units", "units")])
def test_wrong_sets_are_refused(names):
    with pytest.raises(UsageError, match="expected different controls among learning_rate"):
        ControlSet(names)


def test_a_box_is_not_flattened():
    with pytest.raises(UsageError, match="choose one form"):
        ControlSet(continuous=True, flat=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"dropout": 1.0},
        {"weight_decay": -1e-9}, {"optimizer": "lion"}, {"batch_size": 0}, {"layers": 1.0},
        {"units": True},
    ],
)  # fmt: skip
def test_hyperparameters_that_cannot_be_trained_with_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(UsageError, match=f"expected {name} "):
        Hyperparameters(**wrong)
