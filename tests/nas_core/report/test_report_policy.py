"""What the report tells of a controller's updates."""

import math

import pytest

from nas_core.report.data import load
from nas_core.report.policy import policy_section, trend

UPDATES = [
    {"trial": 8 * n, "reward": 0.4 + 0.01 * n, "baseline": 0.4, "advantage": 0.01 * n,
     "entropy": 1.2 - 0.1 * n}
    for n in range(6)
]  # fmt: skip


def section_of(write_run, updates):
    return policy_section(load(write_run(events=[("metrics", update) for update in updates])))


def test_reward_baseline_advantage_and_entropy_are_drawn(write_run):
    page = section_of(write_run, UPDATES)
    for title in ("Reward and baseline", "Advantage", "Entropy"):
        assert f"<h3>{title}</h3>" in page
    assert page.count("<circle") == 3 * 6
    assert "update 6: nats per decision 0.7000" in page
    assert page.count("line zero") == 2  # advantage and entropy are seen from 0


def test_agents_without_a_policy_have_no_section(write_run):
    assert section_of(write_run, [{"trial": 0, "epsilon": 1.0}] * 5) == ""


def test_a_single_update_shows_no_course(write_run):
    assert section_of(write_run, UPDATES[:1]) == ""


def test_what_is_missing_or_not_finite_is_left_out(write_run):
    odd = [{"entropy": 1.0, "reward": math.nan}, *UPDATES[:2], {"entropy": 0.5, "advantage": None}]
    page = section_of(write_run, odd)
    assert page.count("<circle") == 2 + 2 + 4
    assert "nan" not in page.lower()


def test_only_the_entropy(write_run):
    page = section_of(write_run, [{"entropy": 1.0}, {"entropy": 0.5}])
    assert page.count("<svg") == 1


def test_a_trend_is_the_mean_over_a_twentieth():
    values = [(float(n), float(n % 2)) for n in range(40)]
    smooth = dict(trend(values))
    assert smooth[0.0] == 0.5  # of 0 and 1
    assert smooth[1.0] == pytest.approx(1 / 3)
    assert smooth[2.0] == pytest.approx(2 / 3)
    assert trend(values[:39]) == values[:39]  # a short run is shown as it is
