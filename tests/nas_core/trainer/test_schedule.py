"""Learning rates and the ladder, worked by hand."""

from dataclasses import replace

import pytest

from nas_core.trainer.base import Epoch
from nas_core.trainer.recipe import PAPER
from nas_core.trainer.schedule import better_than_random, ladder_rates, rate_at


def test_the_published_ladder():
    assert ladder_rates(PAPER) == pytest.approx((1e-3, 4e-4, 1.6e-4, 6.4e-5, 2.56e-5, 1.024e-5))
    assert ladder_rates(replace(PAPER, restarts=0)) == (1e-3,)


def test_a_fifth_every_five_epochs():
    rates = [rate_at(PAPER, epoch, 1e-3) for epoch in range(20)]
    assert rates[:5] == [1e-3] * 5
    assert rates[5:10] == pytest.approx([2e-4] * 5)
    assert rates[10:15] == pytest.approx([4e-5] * 5)
    assert rates[15:] == pytest.approx([8e-6] * 5)


def test_the_ladder_lowers_the_whole_schedule():
    assert rate_at(PAPER, 5, 4e-4) == pytest.approx(8e-5)


def test_cosine_and_constant():
    cosine = replace(PAPER, schedule="cosine", epochs=4)
    rates = [rate_at(cosine, epoch, 1.0) for epoch in range(4)]
    # (1 + cos(pi e / 4)) / 2
    assert rates == pytest.approx([1.0, 0.8535534, 0.5, 0.1464466])
    assert rate_at(replace(PAPER, schedule="constant"), 19, 0.3) == 0.3


def test_better_than_random():
    # ten classes: 0.1 + 0.9 / 18 = 0.15, the authors' threshold
    assert not better_than_random(0.1499, 10, PAPER.random_margin)
    assert better_than_random(0.1501, 10, PAPER.random_margin)
    # two classes: 0.5 + 0.5 / 18
    assert not better_than_random(0.5277, 2, PAPER.random_margin)
    assert better_than_random(0.5278, 2, PAPER.random_margin)
    assert not better_than_random(float("nan"), 10, 0.0)


def test_score_of_a_curve():
    from nas_core.trainer.training import score_of

    curve = tuple(Epoch(1.0, 0.5, 1.0, value, 1e-3) for value in (0.2, 0.8, 0.6, 0.5))
    assert score_of(curve, replace(PAPER, score="best")) == 0.8
    assert score_of(curve, replace(PAPER, score="best", score_epochs=2)) == pytest.approx(0.7)
    assert score_of(curve, replace(PAPER, score="last")) == 0.5
    assert score_of(curve, replace(PAPER, score="last", score_epochs=3)) == pytest.approx(1.9 / 3)
