"""A run that began with other parts is not gone on with, unless by force; and when a search stops."""

from dataclasses import dataclass

import pytest
from command_line import nas_here
from frozen_scores import FrozenScores

import nas_core
from nas_core.changes import differences
from nas_core.errors import RunError
from nas_core.loop import ENOUGH, Stop
from nas_core.store import RunStore
from nas_core.trainer.base import Result, Status, failed

OPTIONS = {"agent": "evolution", "seed": 3, "executor": "inline", "workers": 1}


@dataclass(frozen=True)
class Recipe(FrozenScores):
    """A trainer with a recipe."""

    epochs: int = 4
    rate: float = 0.1

    def config(self):
        return {"trainer": self.name, "recipe": {"epochs": self.epochs, "rate": self.rate}}


def search(folder, trainer, trials=8, **options):
    return nas_core.search("metaqnn", None, trainer=trainer, trials=trials, run=folder,
                           **{**OPTIONS, **options})  # fmt: skip


def test_every_difference_has_its_line():
    before = {"a": {"b": 1, "c": [1, 2]}, "d": "x" * 500, "e": None}
    now = {"a": {"b": 2, "c": [1, 2]}, "d": "y", "f": 1}
    lines = differences(before, now)
    assert lines[0] == "a.b: 1 -> 2"
    assert [line.split(":")[0] for line in lines] == ["a.b", "d", "f"]
    assert lines[2] == "f: nothing -> 1"
    assert max(map(len, lines)) < 150
    assert differences(before, before) == []


def test_a_changed_recipe_is_refused_with_both_values_and_forced(tmp_path):
    search(tmp_path / "r", Recipe())
    with pytest.raises(RunError) as caught:
        nas_core.resume(tmp_path / "r", trainer=Recipe(5, 0.2), more_trials=2)
    first, *lines = str(caught.value).split("\n")
    assert "--force" in first
    assert lines == [
        "  trainer.recipe.epochs: 4 -> 5",
        "  trainer.recipe.rate: 0.1 -> 0.2",
    ]
    nas_core.resume(tmp_path / "r", trainer=Recipe(5, 0.2), more_trials=2, force=True)
    with RunStore.open(tmp_path / "r") as store:
        assert len(store.trials()) == 10
        ((_, _, detail),) = store.events("forced")
        assert detail == [line.strip() for line in lines]
    nas_core.resume(tmp_path / "r", trainer=Recipe(5, 0.2), more_trials=1)  # forced once for all


def test_another_version_is_refused(tmp_path, monkeypatch):
    search(tmp_path / "r", FrozenScores())
    versions = nas_core.api.versions
    monkeypatch.setattr("nas_core.api.versions", lambda: {**versions(), "rl-nas": "9.9"})
    with pytest.raises(RunError, match=r"version\.rl-nas: '.*' -> '9\.9'"):
        nas_core.resume(tmp_path / "r", trainer=FrozenScores())


def test_a_changed_space_is_refused_from_the_command_line(tmp_path):
    nas_here("search", "metaqnn", "--trainer", "mock", "--trials", "4", "--run", "R", cwd=tmp_path)
    with RunStore.open(tmp_path / "R", write=True) as store, store.transaction():
        config = store.config
        config["identity"]["space"]["classes"] = 99
        store.set_meta("config", config)
    done = nas_here("resume", "R", cwd=tmp_path, check=1)
    assert "space.classes: 99 -> 10" in done.stderr
    nas_here("resume", "R", "--force", cwd=tmp_path)
    nas_here("resume", "R", cwd=tmp_path)


class Scripted:
    """Fails as a pattern of characters says, over and over: x fails."""

    name = "scripted"

    def __init__(self, pattern):
        self.pattern = pattern

    def score(self, spec, job):
        if self.pattern[job.trial % len(self.pattern)] == "x":
            return failed(Status.DIVERGED, "loss not finite")
        return Result(Status.OK, 0.5 + job.trial / 1000)

    def config(self):
        return {}

    repeats = True  # so that the pattern is by trial


def test_a_burst_of_failures_stops_nothing_and_is_never_best(tmp_path):
    result = search(tmp_path / "r", Scripted("xxxx" + "o" * 8), trials=40)
    assert result.stopped is Stop.FINISHED
    assert result.summary["best"]["score"] == 0.5 + 35 / 1000
    assert result.summary["failures"] == {"diverged": 16}


@pytest.mark.parametrize(("pattern", "limit", "trials"), [("x", 0.5, ENOUGH), ("xxo", 0.5, ENOUGH),
                                                          ("xo", 0.4, ENOUGH)])  # fmt: skip
def test_too_many_failures_stop_the_search_and_keep_it(tmp_path, pattern, limit, trials):
    result = search(tmp_path / "r", Scripted(pattern), trials=60, max_failed=limit)
    assert result.stopped is Stop.FAILED
    with RunStore.open(tmp_path / "r") as store:
        assert sum(row.status is not None for row in store.trials()) == trials
        assert store.events("ended")[-1][2] == {"reason": "too many children failed"}
    result = nas_core.resume(tmp_path / "r", trainer=Scripted(pattern), max_failed=1.0)
    assert result.stopped is Stop.FINISHED


@pytest.mark.parametrize(("pattern", "limit"), [("ox", 0.5), ("x", 1.0)])
def test_no_more_than_the_share_stops_nothing(tmp_path, pattern, limit):
    result = search(tmp_path / "r", Scripted(pattern), trials=30, max_failed=limit)
    assert result.stopped is Stop.FINISHED


def test_the_command_says_why_and_exits_with_1(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nas_core.trainer.mock.MockTrainer.score",
        lambda self, spec, job: failed(Status.ERROR, "no such device"),
    )
    arguments = ("search", "metaqnn", "--trainer", "mock", "--trials", "60", "--run", "R")
    done = nas_here(*arguments, cwd=tmp_path, check=1)
    assert "nas show R says why" in done.stderr
    assert "--max-failed 1" in done.stderr
    nas_here(*arguments[:-1], "R2", "--max-failed", "7", cwd=tmp_path, check=2)
