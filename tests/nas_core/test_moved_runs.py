"""Resuming a run with its children elsewhere: the results stay, or it is refused."""

import pytest

import nas_core.api
from nas_core.errors import UsageError
from nas_core.store import RunStore


def start(folder, **options):
    options = {"trainer": "mock", "trials": 4, "seed": 3, "control": None, **options}
    nas_core.api.search("metaqnn", run=folder, **options)


def rows_of(folder):
    with RunStore.open(folder) as store:
        return [(row.digest, row.score, row.reward) for row in store.trials()]


def test_a_moved_run_goes_on_with_the_same_trials(tmp_path):
    seen = []
    for name, executor in (("moved", "process"), ("stayed", None)):
        start(tmp_path / name)
        nas_core.api.resume(
            tmp_path / name, more_trials=2, executor=executor, on_executor=seen.append
        )
    assert [type(executor).__name__ for executor in seen] == ["ProcessExecutor", "InlineExecutor"]
    with RunStore.open(tmp_path / "moved") as store:
        assert store.config["plan"]["executor"] == "process"  # the next resume need not say it
    assert len(rows_of(tmp_path / "moved")) == 6
    assert rows_of(tmp_path / "moved") == rows_of(tmp_path / "stayed")


@pytest.mark.parametrize(
    ("began", "options", "words"),
    [
        ({"workers": 2}, {"executor": "process"}, "expected --executor simulated"),
        ({}, {"executor": "simulated"}, "expected --executor inline"),
        ({}, {"executor": "nowhere"}, "expected --executor inline"),
        ({}, {"address": "10.0.0.5:6379"}, "expected --executor ray for --address"),
    ],
)
def test_moves_that_would_change_results_are_refused(tmp_path, began, options, words):
    start(tmp_path / "run", **began)
    with pytest.raises(UsageError, match=words):
        nas_core.api.resume(tmp_path / "run", **options)
    nas_core.api.resume(tmp_path / "run", more_trials=1)  # the refused one has changed nothing


@pytest.mark.parametrize("option", [{"address": "10.0.0.5:6379"}, {"gpu_share": 0.5}])
def test_options_of_clusters_need_one(tmp_path, option):
    with pytest.raises(UsageError, match="expected --executor ray for"):
        start(tmp_path / "run", **option)
    assert not (tmp_path / "run").exists()
