"""Earlier runs help a new one: any agent's, for free, and exactly again after a resume."""

import pytest

import nas_core
from nas_core.errors import UsageError
from nas_core.store import RunStore

MOCK = {"trainer": "mock", "control": None, "workers": 1}


def texts(run):
    with RunStore.open(run) as store:
        return [row.text for row in store.trials()]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Return a run of random search."""
    run = tmp_path_factory.mktemp("earlier") / "run"
    nas_core.search("nasbench_macro", agent="random", trials=60, seed=7, run=run, **MOCK)
    return run


@pytest.mark.parametrize("agent", ["reinforce-model", "metaqnn-model"])
def test_it_begins_where_the_other_run_ended(agent, earlier, tmp_path):
    means = []
    for name, known in (("alone", None), ("helped", earlier)):
        result = nas_core.search(
            "nasbench_macro", agent=agent, trials=8, run=tmp_path / name, reuse=known, **MOCK
        )
        with RunStore.open(result.run) as store:
            scores = [row.score for row in store.trials()]
        assert len(scores) == 8  # what was known costs no trial
        means.append(sum(scores) / 8)
    assert means[1] > means[0]


def test_a_resumed_run_needs_the_earlier_one_no_more(earlier, tmp_path):
    copy = tmp_path / "copy"
    with RunStore.open(earlier) as store:
        (copy).mkdir()
        (copy / "run.sqlite").write_bytes((store.folder / "run.sqlite").read_bytes())
    options = {"agent": "reinforce-model", "seed": 3, **MOCK}
    nas_core.search("nasbench_macro", trials=12, run=tmp_path / "a", reuse=copy, **options)
    nas_core.search("nasbench_macro", trials=5, run=tmp_path / "b", reuse=copy, **options)
    (copy / "run.sqlite").unlink()
    nas_core.resume(tmp_path / "b", more_trials=7)
    assert texts(tmp_path / "a") == texts(tmp_path / "b")


def test_an_agent_without_a_model_is_refused(earlier, tmp_path):
    with pytest.raises(UsageError, match="model of the reward"):
        nas_core.search(
            "nasbench_macro", agent="random", trials=2, run=tmp_path / "r", reuse=earlier, **MOCK
        )
    assert not (tmp_path / "r").exists()


def test_a_run_of_another_space_is_refused(earlier, tmp_path):
    with pytest.raises(UsageError, match="none in"):
        nas_core.search(
            "metaqnn", agent="metaqnn-model", trials=2, run=tmp_path / "r", reuse=earlier, **MOCK
        )
