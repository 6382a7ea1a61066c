"""Comparisons: the loop's own trials, fair pairs, honest sentences, and figures by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_tables import CODES, TEST, macro_npz, nb201_arrays, nb201_npz, own_npz

import nas_core.api
from nas_core.assembly import Own, agent_of, assemble
from nas_core.compare import pool, run
from nas_core.compare.comparison import Comparison
from nas_core.compare.memory import improvements, search_in_memory
from nas_core.compare.plot import write_plot
from nas_core.compare.run import compare
from nas_core.errors import DataError, UsageError
from nas_core.loop import Settings
from nas_core.plan import Plan
from nas_core.store import RunStore
from nas_core.tables.table import Table

AGENTS = ("reinforce", "evolution", "local-search", "metaqnn", "random")


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("on", ["table", "mock"])
def test_memory_gives_the_trials_of_the_search_loop(tmp_path, agent, on):
    space, table = (
        ("nasbench_macro", macro_npz(tmp_path / "m.npz")) if on == "table" else ("metaqnn", None)
    )
    nas_core.api.search(
        space, None, trainer=on, table=table, agent=agent, trials=40, seed=5, control=None,
        run=tmp_path / "R",
    )  # fmt: skip
    with RunStore.open(tmp_path / "R") as store:
        rows = store.trials()
        plan = Plan.from_json(store.config["plan"])
    parts = assemble(plan, Own())
    settings = Settings(plan.trials, plan.seed, credits=on == "mock")
    ledger = search_in_memory(agent_of(plan, parts.space), parts.trainer, settings)
    assert len(rows) == 40
    assert [(t.proposal.actions, t.result, t.credited_from) for t in ledger.trials] == [
        (row.actions, row.result, row.credited_from) for row in rows
    ]
    best = max(row.score for row in rows if row.score is not None)
    assert ledger.trials[ledger.observed[improvements(ledger)[-1][0]]].result.score == best


def test_processes_give_what_one_process_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "SMALL", 0)
    path, seen = macro_npz(tmp_path / "m.npz"), []
    options = {"evaluations": [10, 20], "seeds": 5, "table": path}
    many = compare(
        "nasbench_macro", ["evolution"], workers=2,
        on_progress=lambda agent, done, total: seen.append((done, total)), **options,
    )  # fmt: skip
    alone = compare("nasbench_macro", ["evolution"], workers=1, **options)
    assert many.to_json() == alone.to_json()
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (10, 10)


def test_what_is_reported_is_that_of_the_best_by_the_searched_column(tmp_path):
    # The whole table is seen: pool conv3 (0.9) is recommended, whose test is 15 and not 40.
    found = compare("table", ["random"], evaluations=[200], seeds=4,
                    table=own_npz(tmp_path / "t.npz"), search_column="val",
                    report_columns="test,hours")  # fmt: skip
    assert found.metrics == ("test", "hours")
    assert found.values("random", "test", 200).tolist() == [15.0] * 4
    assert found.values("random", "hours", 200).tolist() == [4.0] * 4
    assert CODES[4] == [2, 0]
    assert TEST[4] == 15.0
    first = {found.curves["random", "test"][seed, 0] for seed in range(4)}
    assert first <= set(TEST)


def test_reported_columns_are_opened_when_every_search_has_ended(tmp_path, monkeypatch):
    read, order = [], []
    column, seeds = Table.column, run.run_all

    def spy(self, name):
        read.append(name)
        return column(self, name)

    def ended(*args):
        found = seeds(*args)
        order.append(list(read))
        return found

    monkeypatch.setattr(Table, "column", spy)
    monkeypatch.setattr(run, "run_all", ended)
    path = nb201_npz(tmp_path / "t.npz")
    compare("nasbench201", ["reinforce"], evaluations=[20], seeds=3, table=path)
    assert "cifar10_val_acc_12ep" in order[0]
    assert not any("test" in name for name in order[0])
    assert "cifar10_test_acc_200ep" in read


def test_rows_are_those_of_the_figures(tmp_path):
    found = compare("nasbench201", ["evolution", "evolution"], evaluations=[20, 10, 20], seeds=3,
                    table=nb201_npz(tmp_path / "t.npz"))  # fmt: skip
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    keys = [(row["agent"], row["evaluations"], row["metric"]) for row in value["rows"]]
    assert keys == [
        (agent, budget, f"cifar{number}_test_acc_200ep")
        for agent in ("evolution", "random")
        for budget in (10, 20)
        for number in (10, 100)
    ]
    (sentence,) = [line for line in value["verdicts"] if "after 20" in line]
    assert "cifar10_test_acc_200ep" in sentence  # the first column is judged, the others are shown
    for row in value["rows"]:
        assert set(row) == {
            "agent", "space", "evaluations", "seeds", "metric", "mean", "std", "ci_low", "ci_high",
        }  # fmt: skip
        values = found.values(row["agent"], row["metric"], row["evaluations"])
        assert values.shape == (3,)
        assert row["mean"] == pytest.approx(values.mean())
        assert row["std"] == pytest.approx(np.std(values, ddof=1))
        assert row["ci_low"] <= row["mean"] <= row["ci_high"]
        assert (row["space"], row["seeds"]) == ("nasbench201", 3)


def comparison(ours, theirs):
    curves = {("mine", "m"): np.array(ours)[:, None], ("random", "m"): np.array(theirs)[:, None]}
    return Comparison("s", "table", ("mine", "random"), (1,), len(ours), curves)


def test_the_sentence_follows_the_interval_of_the_paired_difference():
    noise = np.random.default_rng(0).normal(0, 10, 50)  # shared by both: pairing removes it
    better = comparison(noise + 0.3, noise)
    (sentence,) = better.verdicts()
    assert sentence.startswith("mine beats random search (P = 1.00) after 1 evaluations: m +0.3")
    (same,) = comparison(noise, noise).verdicts()
    assert same.startswith("mine does not beat random search (P = 0.50)")
    (worse,) = comparison(noise - 0.3, noise).verdicts()
    assert worse.startswith("mine does not beat random search (P = 0.00)")
    pair = better.pairs()[0]
    assert (pair["agent"], pair["other"]) == ("mine", "random")
    assert (pair["ci_low"], pair["ci_high"]) == pytest.approx((0.3, 0.3))
    unpaired = comparison(noise + 0.3, noise[::-1]).pairs()[0]
    assert unpaired["ci_low"] < 0.0 < unpaired["ci_high"]


def test_random_search_is_added_and_the_mock_is_without_its_noise():
    found = compare("nasbench_macro", ["local-search"], evaluations=[30], seeds=2)
    assert found.agents == ("local-search", "random")
    assert found.metrics == ("expected_accuracy",)
    plan = Plan("nasbench_macro", "local-search", "mock", executor="inline", trials=30,
                schedule_trials=30, seed=1)  # fmt: skip
    parts = assemble(plan, Own())
    ledger = search_in_memory(agent_of(plan, parts.space), parts.trainer, Settings(30, 1))
    best = ledger.trials[ledger.observed[improvements(ledger)[-1][0]]]
    silent = replace(parts.trainer, noise=0.0)
    from nas_core.trainer.base import Job

    wanted = silent.score(best.proposal.spec, Job(9, 9)).score
    assert found.values("local-search", "expected_accuracy", 30)[1] == pytest.approx(wanted)
    assert wanted != best.result.score


def test_a_known_optimum_is_found(tmp_path):
    arrays = nb201_arrays()
    path = nb201_npz(tmp_path / "t.npz", cifar10_test_acc_200ep=arrays["cifar10_val_acc_12ep"])
    found = compare("nasbench201", ["reinforce", "local-search", "evolution"], evaluations=[200],
                    seeds=3, table=path)  # fmt: skip
    last = {agent: found.values(agent, "cifar10_test_acc_200ep", 200) for agent in found.agents}
    assert last["local-search"].tolist() == [arrays["cifar10_val_acc_12ep"].max()] * 3
    assert last["evolution"].mean() > last["random"].mean()
    assert (last["reinforce"] > last["random"]).all()


def test_before_the_first_score_there_is_nothing():
    values = {(1,): 0.4, (2,): 0.6}
    assert run._curve([(1, (1,)), (3, (2,))], values, 5).tolist() == [0.0, 0.4, 0.4, 0.6, 0.6]


@pytest.mark.parametrize(
    "change", [{"evaluations": [0]}, {"seeds": 0}, {"workers": 0}, {"agents": ["nobody"]}]
)
def test_bad_wishes_are_refused(change):
    options = {"space": "nasbench_macro", "agents": ["random"], "evaluations": [2], "seeds": 1}
    with pytest.raises(UsageError, match="expected"):
        compare(**{**options, **change})


def test_wrong_columns_are_told_before_anything_is_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "run_all", None)
    path = nb201_npz(tmp_path / "t.npz")
    with pytest.raises(DataError, match="report-columns"):
        compare("nasbench201", ["random"], seeds=1, table=path, report_columns="imagenet")


@pytest.mark.parametrize("name", ["p.png", "p.svg"])
def test_the_plot_is_a_picture(tmp_path, name):
    found = compare("nasbench_macro", ["evolution"], evaluations=[20], seeds=3)
    write_plot(found, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert data.startswith(b"\x89PNG") if name.endswith("png") else b"evolution" in data
    with pytest.raises(UsageError, match="png"):
        write_plot(found, tmp_path / "p.pdf")
