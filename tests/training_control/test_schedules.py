"""Schedules against numbers worked by hand, and against Keras where it has the same."""

import math

import pytest

from nas_core.errors import UsageError
from training_control.schedules import SCHEDULES, get_schedule

TENTHS = [k / 10 for k in range(10)]


def factors(name: str, losses: tuple[float, ...] = (), **parameters: float) -> list[float]:
    return [get_schedule(name).factor(p, losses, **parameters) for p in TENTHS]


def test_constant():
    assert factors("constant") == [1.0] * 10


def test_step_falls_at_its_own_places():
    assert factors("step", gamma=0.1, every=0.5) == pytest.approx([1.0] * 5 + [0.1] * 5)
    third = get_schedule("step").factor
    assert third(2 / 3, (), gamma=0.5) == pytest.approx(0.25)  # not one interval too late
    assert third(0.66, (), gamma=0.5) == pytest.approx(0.5)


def test_exponential_ends_where_it_says():
    assert factors("exponential", end=0.01)[5] == pytest.approx(0.1)
    assert get_schedule("exponential").factor(1.0, (), end=0.01) == pytest.approx(0.01)


def test_cosine_with_and_without_warm_up():
    cosine = get_schedule("cosine").factor
    assert cosine(0.0, ()) == 1.0
    assert cosine(0.5, ()) == pytest.approx(0.5)
    assert cosine(0.75, ()) == pytest.approx((1 - math.sqrt(0.5)) / 2)
    assert cosine(1.0, (), end=0.05) == pytest.approx(0.05)
    assert cosine(0.0, (), warm_up=0.2) == pytest.approx(0.1)
    assert cosine(0.1, (), warm_up=0.2) == pytest.approx(0.55)
    assert cosine(0.2, (), warm_up=0.2) == pytest.approx(1.0)
    assert cosine(0.6, (), warm_up=0.2) == pytest.approx(0.5)


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing():
    cycle = get_schedule("one-cycle").factor
    assert cycle(0.0, ()) == pytest.approx(0.04)
    assert cycle(0.125, ()) == pytest.approx(0.52)
    assert cycle(0.25, ()) == pytest.approx(1.0)
    assert cycle(0.625, ()) == pytest.approx(0.5, abs=1e-5)
    assert cycle(1.0, ()) == pytest.approx(4e-6)


def test_plateau_counts_waits_and_cools_down():
    plateau = get_schedule("plateau").factor
    assert plateau(0.0, ()) == 1.0
    assert plateau(0.0, (1.0, 0.9, 0.9, 0.9), patience=3) == 1.0
    assert plateau(0.0, (1.0, 0.9, 0.9, 0.9, 0.9), patience=3) == 0.5
    stuck = (1.0,) * 7  # best at once, then six waits
    assert plateau(0.0, stuck, patience=2) == 0.125
    assert plateau(0.0, stuck, patience=2, cooldown=1) == 0.125  # as in Keras, 1 costs nothing
    assert plateau(0.0, stuck, patience=2, cooldown=2) == 0.25  # one wait lost after each
    assert plateau(0.0, (1.0, math.nan, math.nan), patience=2) == 0.5


@pytest.mark.slow
def test_plateau_is_that_of_keras():
    import keras
    import numpy as np

    rng = np.random.default_rng(3)
    for patience, cooldown in ((1, 0), (2, 0), (3, 2), (2, 1)):
        losses = list(np.round(np.exp(-0.1 * np.arange(40)) + 0.2 * rng.random(40), 3))
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1.0), "mse")
        reduce = keras.callbacks.ReduceLROnPlateau(
            factor=0.5, patience=patience, cooldown=cooldown, min_delta=1e-4, min_lr=0
        )
        reduce.set_model(model)
        reduce.on_train_begin()
        for epoch, loss in enumerate(losses):
            reduce.on_epoch_end(epoch, {"val_loss": loss})
            ours = get_schedule("plateau").factor(
                0.0, losses[: epoch + 1], patience=patience, cooldown=cooldown
            )
            assert float(model.optimizer.learning_rate) == pytest.approx(ours)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_option_gives_a_rate_that_can_be_trained_with(name):
    schedule = SCHEDULES[name]
    for parameter, values in schedule.options.items():
        for value in values:
            for share in (k / 40 for k in range(40)):
                factor = schedule.factor(share, (1.0,) * 9, **{parameter: value})
                assert 0.0 < factor <= 1.0 + 1e-12


def test_an_unknown_schedule_is_one_clear_line():
    with pytest.raises(UsageError, match=r"expected a schedule among constant, .*received 'cosin'"):
        get_schedule("cosin")
