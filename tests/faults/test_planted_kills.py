"""Kills at each write step: what is resumed is what an undisturbed search would have been."""

import json

import pytest
from exact_figures import figure_planted
from programs import program
from resumed import FAULTS
from scripted import SPACE, ShuffledExecutor
from small_spaces import GridTrainer

from nas_core import failpoints
from nas_core.agents.random_search import RandomSearch
from nas_core.errors import RunError, UsageError
from nas_core.failpoints import CHECKPOINT_POINTS, FILE_POINTS, STORE_POINTS
from nas_core.files import write_json, write_with
from nas_core.loop import SearchLoop, Settings
from nas_core.store import RunStore


@pytest.fixture(autouse=True)
def disarmed():
    yield
    failpoints.arm(None)


def test_every_write_step_is_hit():
    assert {fault.partition(":")[0] for fault in FAULTS} == set(STORE_POINTS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_agent_goes_on_as_if_never_killed():
    figure = figure_planted()
    assert figure.ok, figure


@pytest.mark.slow
def test_a_checkpoint_is_the_one_before_or_the_new_one(tmp_path):
    left = program("saver", tmp_path, 0, 1)[0]
    assert {point.rpartition(":")[0] for point in left} == {*FILE_POINTS, *CHECKPOINT_POINTS}
    assert {died for died, _ in left.values()} == {-9}
    generations = {point: generation for point, (_, generation) in left.items()}
    new = {"file.renamed:2", "checkpoint.manifest:1", "checkpoint.done:1"}  # the manifest is there
    assert generations == {point: 2 if point in new else 1 for point in left}


def search(folder, new, fault):
    opened = RunStore.create(folder, {}) if new else RunStore.open(folder, write=True)
    with opened as store:
        executor = ShuffledExecutor(GridTrainer(), 3)
        loop = SearchLoop(RandomSearch(SPACE, 5), executor, store, Settings(90, seed=0))
        failpoints.arm(fault)
        try:
            loop.run()
        finally:
            failpoints.arm(None)
        return [(row.actions, row.reward, row.place, row.credited_from) for row in store.trials()]


def test_a_disk_that_fails_at_each_write_step_is_told_in_one_line(tmp_path):
    """What fsync refuses was not saved, is not acknowledged, and is done again."""
    whole = search(tmp_path / "whole", True, None)
    for number, point in enumerate(STORE_POINTS):
        fails = OSError if point.startswith("loop.") else RunError  # no disk fails in the loop
        with pytest.raises(fails) as caught:
            search(tmp_path / "parts", number == 0, f"{point}:raise:2")
        assert "\n" not in str(caught.value)
        assert "nas resume" in str(caught.value) or fails is OSError
    assert search(tmp_path / "parts", False, None) == whole


@pytest.mark.parametrize("point", FILE_POINTS)
def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, point):
    path = tmp_path / "a.json"
    for write in (
        lambda value: write_json(path, value),
        lambda value: write_with(path, lambda place: place.write_text(json.dumps(value))),
    ):
        write(1)
        failpoints.arm(f"{point}:raise")
        with pytest.raises(OSError, match="planted"):
            write(2)
        assert json.loads(path.read_text()) == (2 if point == "file.renamed" else 1)
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["", "nowhere:kill", "file.open:explode", "file.open:raise:0", "x"]
)
def test_a_slip_in_the_variable_is_told(text):
    if not text:
        failpoints.arm(text)
        failpoints.reach("file.open")
        return
    with pytest.raises(UsageError, match="name:action"):
        failpoints.arm(text)


def test_a_place_fails_once_at_its_count():
    failpoints.arm("store.agent:raise:2")
    failpoints.reach("store.agent")
    failpoints.reach("store.begun")
    with pytest.raises(OSError, match=r"store\.agent"):
        failpoints.reach("store.agent")
    failpoints.reach("store.agent")
