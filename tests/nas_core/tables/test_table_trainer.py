"""The table as a trainer: fresh draws, modelled seconds, and no sight of reported columns."""

import json

import numpy as np
import pytest
from tiny_tables import SPACE, VALIDATION, macro_npz, nb201_arrays, nb201_npz, own_npz

import nas_core.api
from nas_core.errors import RunError
from nas_core.loop import Settings
from nas_core.space import spec_of
from nas_core.spec import TableSpec
from nas_core.store import RunStore
from nas_core.tables import outcome
from nas_core.tables.assembly import MACS_PER_SECOND, TablePlan, open_table, table_trainer
from nas_core.tables.table import Table
from nas_core.trainer.base import Job, Status, Trainer


def trainer_of(space, path, **columns):
    return table_trainer(open_table(space, path), TablePlan(path, **columns))


def test_scores_are_the_searched_column_as_fractions(tmp_path):
    trainer = trainer_of("table", own_npz(tmp_path / "t.npz"), search="val", seconds="hours")
    assert isinstance(trainer, Trainer)
    specs = [
        spec_of(SPACE, SPACE.encode(TableSpec("table", tuple(t.split()), t))) for t in SPACE.texts()
    ]
    results = [trainer.score(spec, Job(0, 0)) for spec in specs]
    assert [result.score for result in results] == VALIDATION
    assert [result.seconds for result in results] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert results[0].details == {}  # measured seconds are not labelled as modelled
    percent = own_npz(tmp_path / "p.npz", val=100 * np.array(VALIDATION))
    again = trainer_of("table", percent, search="val")
    assert again.score(specs[3], Job(0, 0)).score == pytest.approx(0.8)


def test_published_costs_are_carried_and_seconds_are_modelled(tmp_path):
    trainer = trainer_of("nasbench201", nb201_npz(tmp_path / "t.npz"))
    result = trainer.score(spec_of(trainer.space, (3, 3, 3, 3, 3, 3)), Job(0, 0))
    assert result.score == pytest.approx(0.80)
    assert (result.parameters, result.macs) == (1018, 19_000_000)
    assert result.seconds == pytest.approx(3 * 12 * 25_000 * 19e6 / MACS_PER_SECOND)
    assert result.details == {"hw_fpga_latency": 20.0, "seconds": "modelled"}
    json.dumps(result.to_json(), allow_nan=False)


def test_an_architecture_outside_the_table_is_invalid_in_one_line(tmp_path):
    trainer = trainer_of("table", own_npz(tmp_path / "t.npz"), search="val")
    result = trainer.score(TableSpec("table", ("conv3", "conv9"), "conv3 conv9"), Job(0, 0))
    assert result.status is Status.INVALID
    assert "conv3 conv9: it is not in the table" in result.message


def test_every_query_draws_one_of_the_three_seeds_afresh(tmp_path):
    trainer = trainer_of("nasbench_macro", macro_npz(tmp_path / "m.npz"))
    spec = spec_of(trainer.space, (0,) * 8)
    scores = [trainer.score(spec, Job(trial, 7)).score for trial in range(300)]
    values, counts = np.unique(np.round(scores, 6), return_counts=True)
    assert values.tolist() == [0.595, 0.6, 0.605]
    assert counts.min() > 70
    assert scores == [trainer.score(spec, Job(trial, 7)).score for trial in range(300)]
    assert scores != [trainer.score(spec, Job(trial, 8)).score for trial in range(300)]


def search(tmp_path, name, path, space="nasbench201", **options):
    return nas_core.api.search(
        space, None, trainer="table", table=path, trials=40, run=tmp_path / name, **options
    )


def rows_of(folder):
    with RunStore.open(folder) as store:
        return [(row.actions, row.score, row.result_json) for row in store.trials()]


def test_validation_is_not_test(tmp_path, monkeypatch):
    """Neither other test values nor anything read from them reaches a search."""
    arrays = nb201_arrays()
    shuffled = {
        name: np.random.default_rng(1).permutation(value) if "test" in name else value
        for name, value in arrays.items()
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **shuffled)
    told, read = [], []
    column = Table.column

    def spy(self, name):
        read.append(name)
        return column(self, name)

    monkeypatch.setattr(Table, "column", spy)
    one = nas_core.api.search(
        "nasbench201", None, trainer="table", table=tmp_path / "a.npz", trials=40,
        run=tmp_path / "A", on_trial=lambda plan, row: told.append(list(read)),
    )  # fmt: skip
    assert len(told) == 80  # the control's trials included
    assert not any("test" in name for names in told for name in names)
    assert "cifar10_test_acc_200ep" in read
    two = search(tmp_path, "B", tmp_path / "b.npz")
    assert rows_of(tmp_path / "A") == rows_of(tmp_path / "B")
    assert one.summary["table"] != two.summary["table"]


def test_a_search_reports_the_recommended_row_and_records_it(tmp_path):
    path = nb201_npz(tmp_path / "t.npz")
    found = search(tmp_path, "R", path, agent="evolution")
    best = found.summary["best"]
    # made so that both columns follow from the score: 95 - good and 75 - good, score (20 + good) %
    good = 100 * best["score"] - 20
    assert found.summary["table"]["cifar10_test_acc_200ep"] == pytest.approx(95 - good)
    assert found.summary["table"]["cifar100_test_acc_200ep"] == pytest.approx(75 - good)
    assert outcome.read_outcome(tmp_path / "R")["digest"] == best["digest"]
    lines = (tmp_path / "R" / "test_openings.jsonl").read_text().splitlines()
    assert [json.loads(line)["dataset"] for line in lines] == ["t.npz"]


def test_repeats_are_queries_of_their_own(tmp_path):
    path = macro_npz(tmp_path / "m.npz")
    search(tmp_path, "R", path, "nasbench_macro", agent="local-search", seed=1)
    with RunStore.open(tmp_path / "R") as store:
        rows = store.trials()
    assert all(row.credited_from is None for row in rows)
    assert Settings(trials=1, seed=0).credits  # other trainers' repeats are credited


@pytest.mark.slow
def test_resuming_goes_on_with_the_same_sequence(tmp_path):
    path = macro_npz(tmp_path / "m.npz")
    for agent in ("reinforce", "evolution", "local-search", "metaqnn"):
        whole = search(tmp_path, f"whole {agent}", path, "nasbench_macro", agent=agent)
        folder = tmp_path / f"parts {agent}"
        nas_core.api.search(
            "nasbench_macro", None, trainer="table", table=path, trials=25, agent=agent,
            run=folder, control=None,
        )  # fmt: skip
        nas_core.api.resume(folder, more_trials=15)
        parts = rows_of(folder)
        assert len(parts) == 40
        if agent != "metaqnn":  # whose schedule is as long as the run was to be
            assert parts == rows_of(whole.run)


def test_another_table_in_the_same_place_is_not_gone_on_with(tmp_path):
    path = nb201_npz(tmp_path / "t.npz")
    search(tmp_path, "R", path)
    nb201_npz(path, cifar10_val_acc_12ep=nb201_arrays()["svhn_val_acc"])
    with pytest.raises(RunError, match="data_digest"):
        nas_core.api.resume(tmp_path / "R", more_trials=5)


def test_a_third_data_set_needs_no_code(tmp_path):
    path = nb201_npz(tmp_path / "t.npz")
    found = search(
        tmp_path,
        "R",
        path,
        search_column="svhn_val_acc",
        report_columns="cifar10_params,svhn_val_acc",
    )
    assert list(found.summary["table"]) == ["cifar10_params", "svhn_val_acc"]
    assert found.summary["table"]["svhn_val_acc"] == pytest.approx(
        100 * found.summary["best"]["score"]
    )
