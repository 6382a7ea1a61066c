"""What jobs will cost and what they cost, worked by hand."""

import json

import pytest

from nas_core.cloud.costs import START_SECONDS, billed, child_seconds, estimate, read_prices
from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError

ROLE = "arn:aws:iam::123456789012:role/nas-role"


def table(path, **changes):
    value = {
        "date": "2026-01-01", "source": "mine", "currency": "EUR", "per_hour": {"ml.a.b": 3.6},
    }  # fmt: skip
    path.write_text(json.dumps({**value, **changes}))
    return path


def test_an_estimate_by_hand(tmp_path):
    prices = read_prices(table(tmp_path / "p.json"))  # 0.001 a second
    cloud = Cloud("bucket", "nas", ROLE, instance="ml.a.b", max_runtime=1000)
    found = estimate(cloud, 2, 600.0, prices)
    assert found.expected_seconds == 600 + 2 * START_SECONDS == 960
    assert (found.expected_money, found.most_money) == (0.96, 2.0)
    assert found.currency == "EUR" and "2026-01-01" in found.prices
    assert estimate(cloud, 2, 1e9, prices).expected_seconds == 2000  # the time limit
    warm = Cloud("bucket", "nas", ROLE, instance="ml.a.b", max_runtime=1000, keep_alive=100)
    assert estimate(warm, 2, 600.0, prices).expected_seconds == 960 + 200


def test_an_instance_without_a_price_has_no_money(tmp_path):
    found = estimate(Cloud("bucket", "nas", ROLE), 1, 1.0, read_prices(table(tmp_path / "p.json")))
    assert found.expected_money is None and found.most_money is None


def test_the_table_that_comes_along_prices_the_usual_instance():
    prices = read_prices()
    assert prices.money("ml.c5.xlarge", 3600) == prices.per_hour["ml.c5.xlarge"] > 0
    assert prices.date and prices.source


@pytest.mark.parametrize(
    "changes", [{"per_hour": {"a": -1}}, {"per_hour": {"a": "x"}}, {"per_hour": [1]}, {"more": 1},
                {"per_hour": {"a": 1e999}}],
)  # fmt: skip
def test_a_table_of_another_form_is_refused(tmp_path, changes):
    with pytest.raises(UsageError, match="expected"):
        read_prices(table(tmp_path / "p.json", **changes))


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="price table"):
        read_prices(tmp_path / "none.json")


def test_the_bill_is_shared_by_the_trials_of_a_job(tmp_path):
    rows = [
        {"job": "a", "trials": [0, 1], "status": "Completed", "billed_seconds": 100},
        {"job": "b", "trials": [1], "status": "Failed", "billed_seconds": 30},
        {"job": "c", "trials": [2], "status": "InProgress", "billed_seconds": None},
    ]
    found = billed(rows, "ml.a.b", read_prices(table(tmp_path / "p.json")))
    assert found["billed_seconds"] == 130 and found["money"] == 0.13
    assert found["trials"] == {"0": 50.0, "1": 80.0, "2": 0.0}
    assert [row["money"] for row in found["jobs"]] == [0.1, 0.03, 0.0]


def test_a_job_on_another_instance_has_that_ones_price(tmp_path):
    prices = read_prices(table(tmp_path / "p.json", per_hour={"ml.a.b": 3.6, "ml.g.x": 36.0}))
    job = {"job": "a", "trials": [0], "status": "Completed", "billed_seconds": 10}
    rows = [{**job, "instance": None}, {**job, "instance": "ml.g.x"}]
    found = billed(rows, "ml.a.b", prices)
    assert [row["money"] for row in found["jobs"]] == [0.01, 0.1] and found["money"] == 0.11
    unknown = billed([*rows, {**job, "instance": "ml.new.x"}], "ml.a.b", prices)
    assert unknown["money"] is None and unknown["billed_seconds"] == 30


def test_more_epochs_cost_more():
    short = child_seconds("metaqnn", "quick", None)
    assert short > 0
    assert child_seconds("metaqnn", "quick", {"epochs": 12}) == pytest.approx(3 * short)
