"""One training under a brain, by hand: rollbacks, and when it begins again."""

import json
import math

import pytest
from steady_brain import always

from training_control.controls import Hyperparameters
from training_control.steering import Seen, Steering

RATE = ("learning_rate",)


def steering(move: str = "x0.5", rate: float = 0.08) -> Steering:
    return Steering(always(move), Hyperparameters(learning_rate=rate), RATE, RATE)


def test_an_early_cut_without_success_begins_again() -> None:
    one = steering()
    one.begin(1.0)
    verdict = one.decide(Seen(0.95, progress=0.1))
    assert (verdict.begin_again, verdict.roll_back, verdict.reason) == (True, False, "begun again")
    assert verdict.changed == {"learning_rate": 0.04}
    assert verdict.values.learning_rate == 0.04
    assert one.loss == 1.0
    verdict = one.decide(Seen(1.45, progress=0.2))  # below 1.5 * 1.0, above 1.5 * 0.95
    assert (verdict.reason, verdict.values.learning_rate) == ("begun again", 0.02)
    assert one.decide(Seen(1.51, progress=0.22)).reason == "rolled back"


def test_a_rate_that_is_clipped_is_cut() -> None:
    one = steering("x2", rate=1.0)
    one.begin(1.0)
    verdict = one.decide(Seen(0.9, progress=0.0))
    assert (verdict.reason, verdict.values.learning_rate) == ("begun again", 0.1)


@pytest.mark.parametrize(
    ("seen", "move", "untrained"),
    [
        (Seen(0.95, progress=0.25), "x0.5", 1.0),  # too late
        (Seen(0.89, progress=0.1), "x0.5", 1.0),  # something is learned
        (Seen(0.95, progress=0.1), "keep", 1.0),
        (Seen(0.95, progress=0.1), "x1.1", 1.0),
        (Seen(0.95, progress=0.1, validated=False), "x0.5", 1.0),
        (Seen(0.95), "x0.5", 1.0),  # how early is not known
        (Seen(0.95, progress=0.1), "x0.5", None),
        (Seen(0.95, progress=0.1), "x0.5", math.nan),
        (Seen(0.95, progress=0.1), "x0.5", math.inf),
    ],
)
def test_everything_else_goes_on(seen: Seen, move: str, untrained: float | None) -> None:
    one = steering(move)
    one.begin(untrained)
    verdict = one.decide(seen)
    assert not verdict.begin_again
    assert verdict.reason == ("kept" if move == "keep" else "changed")
    assert one.loss == seen.validation_loss


def test_a_rollback_halves_the_rate_and_the_agent_goes_on_at_once() -> None:
    one = steering()
    rates = [(v.reason, v.values.learning_rate) for v in map(one.decide, map(Seen, (1.0, 2.0)))]
    assert rates == [("changed", 0.04), ("rolled back", 0.02)]
    assert one.loss == 1.0
    assert one.decide(Seen(1.0)).values.learning_rate == 0.01


def test_a_rate_of_another_hand_is_where_it_goes_on() -> None:
    one = steering()
    one.adopt(0.04)
    assert one.decide(Seen(1.0)).values.learning_rate == 0.02
    one.adopt(0.08)
    verdict = one.decide(Seen(2.0))  # half of the lower one, which was before
    assert (verdict.reason, verdict.values.learning_rate) == ("rolled back", 0.02)
    other = steering()
    other.adopt(0.01)
    assert other.decide(Seen(math.nan)).values.learning_rate == 0.005


def test_nothing_is_known_after_a_first_loss_that_is_not_finite() -> None:
    one = steering()
    one.begin(1.0)
    verdict = one.decide(Seen(math.nan, progress=0.1))
    assert verdict.reason == "rolled back"
    assert math.isnan(one.loss)
    assert one.decide(Seen(3.0, progress=0.2)).reason == "begun again"
    assert one.loss == 1.0


def test_its_state_is_json_and_knows_the_loss_before_training() -> None:
    one, other = steering(), steering()
    one.begin(1.0)
    one.decide(Seen(0.95, progress=0.1))
    other.load_state(json.loads(json.dumps(one.state(), allow_nan=False)))
    assert other.state() == one.state()
    seen = Seen(0.95, progress=0.2)
    assert one.decide(seen) == other.decide(seen)
    assert other.loss == 1.0
