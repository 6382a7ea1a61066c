"""A whole comparison on trainings in NumPy: what is done, in what order, and what is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_training import CURVATURE, FakeSession, fake_task

from training_control.comparison import report, tables
from training_control.comparison.methods import Agent, Bench, median_schedule
from training_control.comparison.protocol import Protocol
from training_control.comparison.records import FILE, Records
from training_control.comparison.runner import Comparison, Found
from training_control.comparison.tuning import SEED
from training_control.controls import ControlSet
from training_control.observations import FEATURES
from training_control.policy import FrozenPolicy

PROTOCOL = Protocol(
    ("fake",),
    baselines=("constant", "cosine", "plateau", "random-search", "always-keep", "random-actions"),
    seeds=5, tuning=4, decisions=10, rates=(1e-3, 1.0), rate_seeds=2,
)  # fmt: skip


def halving(name: str = "halver") -> Agent:
    """Return an agent that halves the rate whatever it sees."""
    bias = np.array([5.0, 0.0, 0.0, 0.0, 0.0], np.float32)
    layers = ((np.zeros((len(FEATURES), 5), np.float32), bias),)
    policy = FrozenPolicy("categorical", (5,), layers)
    return Agent(name, ControlSet(), policy, {"decisions": 100.0, "seconds": 60.0})


@pytest.fixture
def session(monkeypatch) -> FakeSession:
    fake = FakeSession()
    monkeypatch.setattr(Bench, "session", fake)
    monkeypatch.setattr(Protocol, "make_tasks", lambda self: [fake_task(n) for n in self.tasks])
    return fake


def compared(folder, protocol=PROTOCOL, **options) -> Found:
    return Comparison(protocol, [halving()], folder, **options).run()


def test_every_method_is_tuned_trained_and_started_from_every_rate(tmp_path, session):
    seen = []
    found = compared(tmp_path, on_training=lambda *now: seen.append(now))
    methods = [*PROTOCOL.baselines, "halver"]
    assert [m for _, m in found.tuning] == methods
    assert {len(records) for records in found.tuning.values()} == {4}
    assert [m for _, m in found.tuned] == [*methods, "halver-replay"]
    assert all([r.seed for r in rs] == [0, 1, 2, 3, 4] for rs in found.tuned.values())
    rated = {m: sorted(by) for (_, m), by in found.at_rates.items()}
    assert list(rated) == ["constant", "cosine", "plateau", "always-keep", "halver"]
    assert all(rates == [1e-3, 1.0] for rates in rated.values())
    assert [now[1] for now in seen] == list(range(1, seen[-1][2] + 1))


def test_the_test_split_is_opened_at_the_end_of_compared_trainings_only(tmp_path, session):
    found = compared(tmp_path)
    tuned = [r for rs in found.tuned.values() for r in rs]
    rated = [r for by in found.at_rates.values() for rs in by.values() for r in rs]
    whole = {r.key for r in tuned + rated if not r.crashed}
    assert session.evaluated.count("test") == len(whole)
    assert len((tmp_path / "test_openings.jsonl").read_text().splitlines()) == 1


def test_tuning_takes_what_is_best_on_validation(tmp_path, session):
    found = compared(tmp_path)
    for key, tried in found.tuning.items():
        best = max(tried, key=lambda r: -1.0 if r.crashed else r.score)
        assert found.tuned[key][0].initial_lr == best.initial_lr
        assert {r.seed for r in tried} == {SEED}


def test_a_rerun_does_only_what_is_missing(tmp_path, session):
    count = 30

    def interrupt(what: str, done: int, total: int, new: bool) -> None:
        if done == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path / "a", on_training=interrupt)
    with Records(tmp_path / "a") as records:
        kept = len(records)
    before = session.resets
    whole = compared(tmp_path / "a")
    with Records(tmp_path / "a") as records:
        assert session.resets - before == len(records) - kept
    before = session.resets
    again = compared(tmp_path / "a")
    assert session.resets == before
    assert report.to_json(again) == report.to_json(whole)
    other = compared(tmp_path / "b")
    assert scores(other) == scores(whole)


def test_another_network_is_another_training(tmp_path, session, monkeypatch):
    compared(tmp_path)
    before = session.resets
    other = lambda self: [replace(fake_task(n), model="other") for n in self.tasks]
    monkeypatch.setattr(Protocol, "make_tasks", other)
    compared(tmp_path)
    assert session.resets == 2 * before


def scores(found: Found) -> list[float]:
    return [r.score for rs in found.tuned.values() for r in rs]


def test_seeds_are_paired(tmp_path, session):
    found = compared(tmp_path)
    starts = {tuple(r.losses[0] for r in rs) for rs in found.tuned.values()}
    assert len(starts) == 1


def test_a_crash_scores_nothing_and_is_counted(tmp_path, session):
    rates = (0.01, 3 * 2.0 / CURVATURE)
    found = compared(tmp_path, replace(PROTOCOL, rates=rates, decisions=40))
    crashed = found.at_rates["fake", "constant"][rates[1]]
    assert all(r.crashed and r.score == 0.0 and r.value == 0.0 for r in crashed)
    assert crashed[0].losses[-1] is None
    rolled_back = found.at_rates["fake", "always-keep"][rates[1]]
    assert not any(r.crashed for r in rolled_back)
    assert all(r.rollbacks > 0 and r.score > 0.5 for r in rolled_back)
    said = report.summary(found)["sensitivity"]
    assert {row["method"]: row["crashes"] for row in said}["constant"] == 2


def test_a_crashed_regression_has_no_error(tmp_path, session, monkeypatch):
    monkeypatch.setattr(Protocol, "make_tasks", lambda self: [fake_task("fake", "mse")])
    found = compared(tmp_path, replace(PROTOCOL, rates=(0.01, 0.6), decisions=40))
    lost = found.at_rates["fake", "constant"][0.6][0]
    assert (lost.value, lost.score) == (None, 0.0)
    kept = found.tuned["fake", "constant"][0]
    assert kept.value == pytest.approx(1.0 - kept.score)


def test_the_replay_follows_the_median_of_the_agents_rates(tmp_path, session):
    found = compared(tmp_path)
    lived = np.median(
        [r.hyperparameters["learning_rate"] for r in found.tuned["fake", "halver"]], axis=0
    )
    for record in found.tuned["fake", "halver-replay"]:
        assert record.hyperparameters["learning_rate"] == pytest.approx(lived)


def test_medians_by_hand():
    lived = [
        {"learning_rate": [1.0, 1.0], "optimizer": ["adam", "adam"], "units": [32, 64]},
        {"learning_rate": [2.0, 4.0], "optimizer": ["adam", "sgd"], "units": [32, 32]},
        {"learning_rate": [9.0], "optimizer": ["sgd"], "units": [64]},
    ]
    assert median_schedule(lived, 3) == [
        {"learning_rate": 2.0, "optimizer": "adam", "units": 32},
        {"learning_rate": 2.5, "optimizer": "adam", "units": 32},
        {"learning_rate": 2.5, "optimizer": "adam", "units": 32},
    ]


def test_the_json_has_the_published_keys_and_no_others(tmp_path, session):
    written = json.loads(json.dumps(report.to_json(compared(tmp_path)), allow_nan=False))
    assert set(written) == {"rows", "pooled"}
    assert set(written["rows"][0]) == {
        "task", "method", "initial_lr", "seed", "metric", "value", "seconds", "agent_seconds",
        "epochs_to_target", "crashed",
    }  # fmt: skip
    assert set(written["pooled"][0]) == {"a", "b", "iqm_difference", "ci_low", "ci_high"}
    pairs = {(pair["a"], pair["b"]) for pair in written["pooled"]}
    assert ("halver", "always-keep") in pairs
    assert ("halver @ given rates", "plateau @ given rates") in pairs
    assert ("halver", "halver") not in pairs


def test_epochs_to_the_target_are_counted_from_the_constant_rate(tmp_path, session):
    found = compared(tmp_path)
    final = [r.validation_loss for r in found.tuned["fake", "constant"]]
    assert report.targets(found) == {"fake": pytest.approx(np.median(final))}
    reached = [r["epochs_to_target"] for r in report.rows(found) if r["method"] == "constant"]
    known = [epochs for epochs in reached if epochs is not None]
    assert known and all(0 < epochs <= 10 for epochs in known)


def test_compute_counts_tuning_and_meta_training(tmp_path, session):
    rows = {r["method"]: r for r in report.summary(compared(tmp_path))["compute"]}
    halver, constant = rows["halver"], rows["constant"]
    assert halver["tuning_trainings"] == constant["tuning_trainings"] == 4
    assert halver["seconds_with_meta_training"] == pytest.approx(halver["seconds_of_one_use"] + 60)
    assert constant["meta_training_seconds"] == 0.0
    interval = 10.0 * 8 / 10  # examples of an interval
    assert constant["examples_of_one_use"] <= 5 * 10 * interval
    unknown = replace(halving(), meta_training={"decisions": 7.0})
    found = Comparison(PROTOCOL, [unknown], tmp_path).run()
    assert {r["method"]: r for r in report.summary(found)["compute"]}["halver"][
        "seconds_with_meta_training"
    ] is None


def test_the_table_over_all_tasks_says_how_much_seeds_differ(tmp_path, session):
    said = report.summary(compared(tmp_path))
    by_task = {row["method"]: row["instability"] for row in said["by_task"]}
    pooled = {row["method"]: row for row in said["pooled"]}
    assert by_task["random-actions"] > 0.01
    assert by_task["halver"] == pytest.approx(0.0, abs=1e-12)
    assert {name: row["instability"] for name, row in pooled.items()} == pytest.approx(
        by_task, abs=1e-12
    )
    table = tables.text(said).split("all tasks: ")[1].split("\n\n")[0]
    assert "instability" in table.splitlines()[1]
    assert max(len(line) for line in table.splitlines()) <= 100


def test_tables_name_every_method(tmp_path, session):
    text = tables.text(report.summary(compared(tmp_path)))
    for name in (*PROTOCOL.baselines, "halver-replay", "P(a > b)", "meta-training"):
        assert name in text


def test_verdicts_need_an_interval_and_seeds():
    pair = {"ci_low": 0.1, "ci_high": 0.2, "seeds": 10}
    assert tables.verdict(pair) == "a is better"
    assert tables.verdict(pair | {"ci_low": -0.2, "ci_high": -0.1}) == "b is better"
    assert tables.verdict(pair | {"ci_low": -0.1}) == "no difference shown"
    assert tables.verdict(pair | {"seeds": 4}) == "too few seeds to tell"


def test_a_changed_brain_is_trained_again(tmp_path, session):
    compared(tmp_path)
    lines = (tmp_path / FILE).read_text().count("\n")
    policy = halving().policy
    weights, bias = policy.layers[0]
    other = replace(halving(), policy=replace(policy, layers=((weights, bias + np.arange(5.0)),)))
    assert other.identity != halving().identity
    Comparison(PROTOCOL, [other], tmp_path).run()
    assert (tmp_path / FILE).read_text().count("\n") > lines
