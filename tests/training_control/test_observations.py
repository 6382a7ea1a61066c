"""Observations: fixed order, scaling worked by hand, masks, and never NaN."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_core.errors import UsageError
from training_control.controls import CONTROLS, Hyperparameters
from training_control.observations import (
    FEATURES,
    SOURCES,
    VALUES,
    Measurement,
    Observer,
    Observers,
    observation_space,
)


def seen(observer, **given_values):
    return dict(zip(FEATURES, observer.observe(Measurement(**given_values)).tolist(), strict=True))


def test_every_source_and_control_has_a_flag():
    assert len(set(FEATURES)) == len(FEATURES) == len(VALUES) + len(SOURCES) + len(CONTROLS)
    assert observation_space().shape == (len(FEATURES),)


def test_hyperparameters_are_scaled_to_their_ranges():
    low = {name: CONTROLS[name].low for name in CONTROLS if name != "optimizer"}
    high = {name: CONTROLS[name].high for name in CONTROLS if name != "optimizer"}
    for values, expected in ((low, -1.0), (high, 1.0)):
        found = seen(Observer(), hyperparameters=values)
        assert [found[name] for name in values] == pytest.approx([expected] * 6)
    found = seen(Observer(), hyperparameters=Hyperparameters(optimizer="adamw").values())
    assert [found[f"optimizer_{n}"] for n in ("sgd", "adam", "adamw", "rmsprop")] == [0, 0, 1, 0]
    assert found["learning_rate"] == pytest.approx(0.0)  # 0.001 is the middle of 1e-5 and 1e-1


def test_losses_are_smoothed_logarithms_with_slopes():
    observer = Observer()
    e = math.e
    for loss in (e**2, e, 1.0):  # logs 2, 1, 0; smoothed 2, 1.5, 0.75
        found = seen(observer, validation_loss=loss, train_loss=loss / e, progress=0.5)
    assert found["validation_loss"] == pytest.approx(0.75)
    assert found["validation_gain"] == pytest.approx(1.25)
    assert found["validation_slope_short"] == pytest.approx(5 * (0.75 - 2.0) / 2)
    assert found["validation_slope_long"] == pytest.approx(5 * (0.75 - 2.0) / 2)
    assert found["validation_above_best"] == 0.0
    assert found["validation_noise"] == pytest.approx(0.0)  # the raw logs fall evenly
    assert found["gap"] == pytest.approx(1.0)
    assert found["progress"] == 0.0
    found = seen(observer, validation_loss=e**2, train_loss=1 / e)
    assert found["validation_above_best"] == pytest.approx(5 * (1.375 - 0.75))
    assert found["validation_noise"] == pytest.approx(5 * np.std([-1, -1, 2]))
    assert found["has_progress"] == 0.0


def test_gradients_updates_and_the_rate_since_the_start():
    observer = Observer()
    seen(observer, hyperparameters={"learning_rate": 0.1}, gradient_norm=100.0, update_ratio=0.001)
    found = seen(
        observer, hyperparameters={"learning_rate": 0.01}, gradient_norm=1.0, update_ratio=0.1
    )
    assert found["learning_rate_change"] == pytest.approx(-1.0)
    assert found["gradient_norm"] == pytest.approx(1.0)  # log10 of 100 and 1, smoothed
    assert found["gradient_norm_change"] == pytest.approx(-math.log(10.0))
    assert found["update_ratio"] == pytest.approx(2.0)


def test_interventions_are_counted():
    observer = Observer()
    found = [seen(observer, intervened=k == 1, trouble=k == 2) for k in range(4)]
    assert [f["since_intervention"] for f in found] == pytest.approx([0.1, 0.0, 0.1, 0.2])
    assert [f["intervention_share"] for f in found] == pytest.approx([0.0, 0.5, 1 / 3, 0.25])
    assert [f["trouble"] for f in found] == [0.0, 0.0, 1.0, 0.0]


def test_what_is_not_known_or_hidden_is_zero_and_flagged():
    everything = {
        "hyperparameters": Hyperparameters(learning_rate=0.1).values(),
        "train_loss": 5.0, "validation_loss": 6.0, "metric": 0.9, "gradient_norm": 7.0,
        "update_ratio": 0.1, "progress": 0.3,
    }  # fmt: skip
    nothing = seen(Observer(available=("learning_rate",)))
    assert nothing["can_learning_rate"] == 1.0
    assert nothing["can_units"] == nothing["has_train_loss"] == nothing["train_loss"] == 0.0
    hidden = seen(Observer(hidden=("train_loss", "dropout")), **everything)
    assert hidden["has_train_loss"] == hidden["train_loss"] == hidden["has_dropout"] == 0.0
    assert hidden["has_validation_loss"] == 1.0
    whole = seen(Observer(), **everything)
    assert all(whole[f"has_{source}"] == 1.0 for source in SOURCES)


ANY = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ANY, ANY, ANY, ANY, ANY, ANY, ANY), min_size=1, max_size=6))
def test_no_measurement_makes_an_observation_outside_the_box(rows):
    observer, space = Observer(), observation_space()
    for rate, train, held, metric, norm, ratio, progress in rows:
        values = {} if rate is None else {"learning_rate": rate, "units": rate}
        measured = Measurement(values, train, held, metric, norm, ratio, progress)
        assert space.contains(observer.observe(measured))


def test_state_goes_on_exactly_after_json():
    rng = np.random.default_rng(0)
    measured = [
        Measurement(
            {"learning_rate": 10 ** rng.uniform(-4, 0)}, rng.uniform(0.1, 3), rng.uniform(0.1, 3),
            rng.random(), rng.random(), rng.random(), k / 12, bool(k % 3 == 0), False,
        )
        for k in range(12)
    ]  # fmt: skip
    first = Observer(hidden=("metric",))
    for measurement in measured[:7]:
        first.observe(measurement)
    second = Observer()
    second.load_state(json.loads(json.dumps(first.state())))
    for measurement in measured[7:]:
        np.testing.assert_array_equal(first.observe(measurement), second.observe(measurement))


@pytest.mark.parametrize("options", [{"available": ("momentum",)}, {"hidden": ("loss",)}])
def test_unknown_names_are_refused(options):
    with pytest.raises(UsageError, match="expected one of"):
        Observer(**options)
    with pytest.raises(UsageError, match="received 'momentum'"):
        Observer().observe(Measurement({"momentum": 0.9}))


def test_several_side_by_side_see_what_each_alone_would() -> None:
    rng = np.random.default_rng(1)
    together, alone = Observers(3), [Observer() for _ in range(3)]
    settings_of = [((), ()), (("dropout",), ("metric",)), (("units",), ("gap", "train_loss"))]
    for k in range(20):
        if k % 7 == 0:  # new trainings, one place after the other
            row = k // 7
            available, hidden = settings_of[row]
            together.restart(row, available, hidden)
            alone[row] = Observer(available, hidden)
        names = ("train_loss", "validation_loss", "metric", "gradient_norm", "update_ratio")
        seen = {name: np.where(rng.random(3) < 0.1, np.nan, rng.random(3)) for name in names}
        seen |= {
            "progress": rng.random(3),
            "learning_rate": rng.random(3),
            "dropout": rng.random(3),
        }
        seen |= {"intervened": rng.random(3) < 0.5, "trouble": rng.random(3) < 0.5}
        found = together.observe(seen)
        for row in range(3):
            one = {name: values[row].item() for name, values in seen.items()}
            values = {name: one.pop(name) for name in ("learning_rate", "dropout")}
            np.testing.assert_array_equal(
                found[row], alone[row].observe(Measurement(values, **one))
            )
