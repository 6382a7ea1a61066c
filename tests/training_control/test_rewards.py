"""Rewards: golden numbers, what they add up to, and the running scale of returns."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_core.errors import UsageError
from training_control.rewards import Interval, ReturnScale, RewardConfig, Rewarder, gain

FREE = RewardConfig(intervention=0.0, overhead=0.0, time=0.0, terminal=0.0)
E = math.e


def test_improvements_in_nats_of_the_smoothed_loss():
    rewarder = Rewarder(E**2, FREE)  # smoothed logs: 2 -> 1.5 -> 0.75 -> 0.875
    paid = [rewarder.reward(Interval(loss)) for loss in (E, 1.0, E)]
    assert paid == pytest.approx([0.5, 0.75, -0.125])


def test_what_is_clipped_is_paid_later_and_falls_bring_nothing():
    rewarder = Rewarder(E**4, FREE)
    assert rewarder.reward(Interval(1.0)) == pytest.approx(1.0)  # 2 nats, 1 is paid
    assert rewarder.reward(Interval(E**2)) == pytest.approx(1.0)  # the other one
    rewarder = Rewarder(1.0, FREE)
    driven = [rewarder.reward(Interval(loss)) for loss in (E**40, *[1.0] * 40)]
    assert driven[0] == -1.0
    assert sum(driven) == pytest.approx(0.0, abs=1e-6)


def test_prices():
    config = RewardConfig(intervention=0.25, overhead=0.5, time=2.0, terminal=0.0)
    interval = Interval(1.0, intervened=True, overhead=0.2, time=0.05)
    assert Rewarder(1.0, config).reward(interval) == pytest.approx(-0.25 - 0.1 - 0.1)
    absurd = Interval(1.0, overhead=1e9, time=-3.0)
    assert Rewarder(1.0, config).reward(absurd) == pytest.approx(-0.5)


def test_the_end_is_paid_twice_the_whole_improvement():
    rewarder = Rewarder(E, RewardConfig())
    last = Interval(E, ended=True, final_loss=1.0)
    assert rewarder.reward(last) == pytest.approx(2.0 * 1.0)
    lost = Interval(E, trouble=True, ended=True, final_loss=None)
    assert Rewarder(E, RewardConfig()).reward(lost) == pytest.approx(-1.0 - 2.0)
    assert Rewarder(E, FREE).reward(Interval(E, trouble=True)) == -1.0


def test_gains_are_bounded():
    assert gain(1.0, 0.0) == 5.0
    assert gain(1.0, math.inf) == gain(1.0, math.nan) == gain(1.0, 1e9) == -1.0
    assert gain(2.0, 1.0) == pytest.approx(math.log(2.0))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6) | st.just(math.inf), min_size=1, max_size=40))
def test_payments_add_up_to_what_was_gained_and_the_end_outweighs_them(losses):
    rewarder = Rewarder(1.0, FREE)
    total = sum(rewarder.reward(Interval(loss)) for loss in losses)
    level = rewarder.state()["level"]
    assert total == pytest.approx(level, abs=1e-9)
    assert -1.0 - 1e-9 <= total <= 5.0 + 1e-9


def test_a_reward_goes_on_from_its_state():
    first = Rewarder(3.0)
    first.reward(Interval(2.0))
    second = Rewarder(1.0)
    second.load_state(json.loads(json.dumps(first.state())))
    assert first.reward(Interval(1.0)) == second.reward(Interval(1.0))


@pytest.mark.parametrize("wrong", [{"clip": 0.0}, {"intervention": -1.0}, {"time": math.inf}])
def test_wrong_prices_are_refused(wrong):
    with pytest.raises(UsageError, match="reward"):
        RewardConfig(**wrong)
    with pytest.raises(UsageError, match="finite validation loss"):
        Rewarder(math.nan)


def test_returns_are_scaled_by_their_running_deviation():
    scale = ReturnScale(gamma=0.5)
    assert scale(4.0, ended=False) == pytest.approx(4.0)  # one return: a deviation of 1
    # Returns 4 and 0.5 * 4 + 2 = 4: no spread yet.
    assert scale(2.0, ended=True) == pytest.approx(2.0)
    # Returns 4, 4, 1: deviation sqrt(2).
    assert scale(1.0, ended=False) == pytest.approx(1.0 / math.sqrt(2.0))
    assert scale.deviation == pytest.approx(np.std([4.0, 4.0, 1.0]))


def test_a_frozen_scale_learns_nothing_and_clips():
    scale = ReturnScale()
    for reward in (1.0, -1.0, 0.5):
        scale(reward, ended=True)
    scale.frozen = True
    before = scale.state()
    assert scale(1e6, ended=False) == 10.0
    assert scale.state() == before
    other = ReturnScale()
    other.load_state(json.loads(json.dumps(before)))
    assert other(0.3, ended=False) == scale(0.3, ended=False)
    with pytest.raises(UsageError, match="gamma"):
        ReturnScale(1.5)


def test_several_trainings_side_by_side_are_paid_as_each_alone():
    rng = np.random.default_rng(0)
    first = rng.uniform(0.5, 2.0, 4)
    together, alone = Rewarder(first), [Rewarder(float(loss)) for loss in first]
    scale = ReturnScale(0.9)
    paid = []
    for step in range(8):
        losses, trouble, ended = (
            rng.uniform(0.1, 3.0, 4),
            rng.random(4) < 0.2,
            np.full(4, step == 7),
        )
        final = np.where(rng.random(4) < 0.3, np.inf, losses)
        found = together.reward(Interval(losses, ~trouble, 0.1, 0.2, trouble, ended, final))
        for row in range(4):
            one = [float(losses[row]), not trouble[row], 0.1, 0.2, bool(trouble[row])]
            assert found[row] == alone[row].reward(Interval(*one, step == 7, float(final[row])))
        if step == 3:
            together.restart(np.array([2]), np.array([1.5]))
            alone[2] = Rewarder(1.5)
        scale(found, ended)
        paid.append(found)
    returns = [paid[0]]
    for rewards in paid[1:]:
        returns.append(0.9 * returns[-1] + rewards)
    assert scale.deviation == pytest.approx(np.std(returns))
    assert scale.state()["return"] == [0.0] * 4
