"""A training that is stopped and goes on ends exactly as one that never stopped: difference 0.0."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from steady_brain import always
from tiny_data import write_tiny

from nas_core.cli.progress import SearchProgress
from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer import checkpoint, training
from nas_core.trainer.base import Job, Status
from nas_core.trainer.fit_loop import FitLoop
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe
from training_control import brain as brains

pytestmark = pytest.mark.slow
# Everything that draws or remembers: augmentation, dropout, batch statistics, moments, schedule.
CHAIN = ChainSpec.from_text("[C(4,3,1), BN, P(2,2), D(0.3), FC(8), SM(3)]")
CELLS = CellSpec(
    Cell((Block(0, 1, "sep3", "identity"),)), Cell((Block(0, 1, "max3", "conv1"),)),
    repeats=(1, 1), filters=4, classes=3, stem_multiplier=1, auxiliary_head=True,
    drop_path_keep=0.6,
)  # fmt: skip
RECIPE = Recipe(
    epochs=4, batch_size=16, learning_rate=0.02, augmentation="full", restarts=0, image_size=8
)


class Killed(BaseException):
    """The end of a process, as far as the code inside can tell."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("exact") / "tiny")


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    monkeypatch.setenv(checkpoint.VARIABLE, "0")


def dies_after(monkeypatch, saves):
    """Let the process "die" right after its `saves`-th checkpoint."""
    save = checkpoint.Checkpoints.save
    left = [saves]

    def saving(self, take):
        save(self, take)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(checkpoint.Checkpoints, "save", saving)


def seen_loads(monkeypatch):
    """Return a list that fills with what is loaded."""
    load, seen = checkpoint.Checkpoints.load, []

    def loading(self):
        seen.append(load(self))
        return seen[-1]

    monkeypatch.setattr(checkpoint.Checkpoints, "load", loading)
    return seen


def outcome(tiny, recipe, spec, folder, name):
    job = Job(0, 7, 1, folder / f"{name}.keras", checkpoint=folder / "checkpoints" / name)
    result = KerasTrainer(tiny.path, recipe).score(spec, job)
    assert result.status is Status.OK, result.message
    loaded = keras.models.load_model(job.model_path, compile=False)
    return replace(result, seconds=0.0), loaded.get_weights()


def largest(first, second):
    assert len(first) == len(second)
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def check_interrupted(tiny, recipe, spec, folder, saves):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(checkpoint.VARIABLE, "1e9")  # none: the training as it always was
        whole, weights = outcome(tiny, recipe, spec, folder, "whole")
    assert not (folder / "checkpoints").exists()
    for count in saves:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            dies_after(patch, count)
            outcome(tiny, recipe, spec, folder, "parts")
    with pytest.MonkeyPatch.context() as patch:
        loaded = seen_loads(patch)
        found, parts = outcome(tiny, recipe, spec, folder, "parts")
    assert [snapshot is None for snapshot in loaded] == [False]
    assert found == whole
    assert largest(weights, parts) == 0.0
    return whole


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_chain(tiny, tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer)
    check_interrupted(tiny, recipe, CHAIN, tmp_path, saves=[1, 2])


@pytest.mark.parametrize("fit", [False, True], ids=["compiled", "fit"])
def test_the_middle_of_an_epoch(tiny, tmp_path, monkeypatch, fit):
    """Seven steps an epoch in parts of two: killed after the first, and in the next epoch."""
    monkeypatch.setattr(training, "PART_STEPS", 2)
    if fit:
        monkeypatch.setattr(training, "make_loop", FitLoop)
    check_interrupted(tiny, replace(RECIPE, epochs=2), CHAIN, tmp_path, saves=[1, 2, 2])


def test_the_parts_of_an_epoch_are_the_epoch(tiny, tmp_path, monkeypatch):
    recipe = replace(RECIPE, epochs=2)
    whole, weights = outcome(tiny, recipe, CHAIN, tmp_path, "whole")
    monkeypatch.setattr(training, "PART_STEPS", 2)
    parts, others = outcome(tiny, recipe, CHAIN, tmp_path, "parts")
    assert largest(weights, others) == 0.0
    for one, other in zip(whole.curve, parts.curve, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
        assert other.accuracy == pytest.approx(one.accuracy)
        assert (other.val_loss, other.val_accuracy) == (one.val_loss, one.val_accuracy)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_chain_trained_by_fit(tiny, tmp_path, monkeypatch, optimizer):
    monkeypatch.setattr(training, "make_loop", FitLoop)
    recipe = replace(RECIPE, optimizer=optimizer)
    check_interrupted(tiny, recipe, CHAIN, tmp_path, saves=[1, 1, 1])


def test_cells_with_scheduled_drop_path(tiny, tmp_path):
    check_interrupted(tiny, replace(RECIPE, epochs=3), CELLS, tmp_path, saves=[1, 1])


def test_the_second_rung_of_the_ladder(tiny, tmp_path, monkeypatch):
    """The first attempt fails, and its dropout has drawn: the second goes on from its state."""
    monkeypatch.setattr(training, "better_than_random", lambda accuracy, *_: next(verdicts, True))
    recipe = replace(RECIPE, restarts=2)
    verdicts = iter([False])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(checkpoint.VARIABLE, "1e9")
        whole, weights = outcome(tiny, recipe, CHAIN, tmp_path, "whole")
    assert whole.attempts == 2
    verdicts = iter([False])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        dies_after(patch, 2)
        outcome(tiny, recipe, CHAIN, tmp_path, "parts")
    found, parts = outcome(tiny, recipe, CHAIN, tmp_path, "parts")
    assert found == whole
    assert largest(weights, parts) == 0.0


@pytest.mark.parametrize("steps", [training.PART_STEPS, 3])
def test_a_controlled_training(tiny, tmp_path, monkeypatch, steps):
    """What the controller has seen, and where its weights may go back to, goes on too."""
    monkeypatch.setattr(training, "PART_STEPS", steps)
    recipe = replace(RECIPE, epochs=6, learning_rate=0.3, controller="default")
    check_interrupted(tiny, recipe, CHAIN, tmp_path, saves=[2, 3])


@pytest.mark.parametrize("steps", [training.PART_STEPS, 3])
def test_a_controlled_training_that_begins_again(tiny, tmp_path, monkeypatch, steps):
    """Killed after the epoch that has decided so, and after the one that begins again."""
    monkeypatch.setattr(training, "PART_STEPS", steps)
    brains.save(tmp_path / "brain", always("x0.5"))
    recipe = replace(RECIPE, epochs=6, learning_rate=10.0, controller=str(tmp_path / "brain"))
    whole = check_interrupted(tiny, recipe, CHAIN, tmp_path, saves=[1, 1, 1, 1])
    events = whole.details["controller"]["interventions"]
    assert events[0] == {"epoch": 1, "event": "begun again", "learning_rate": 0.1}


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(tiny, tmp_path, capsys):
    recipe = replace(RECIPE, epochs=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(checkpoint.VARIABLE, "1e9")
        whole, weights = outcome(tiny, recipe, CHAIN, tmp_path, "whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        dies_after(patch, 2)
        outcome(tiny, recipe, CHAIN, tmp_path, "parts")
    max((tmp_path / "checkpoints" / "parts").glob("*.npz")).write_bytes(b"")
    found, parts = outcome(tiny, recipe, CHAIN, tmp_path, "parts")
    assert len(found.warnings) == 1
    assert "is damaged" in found.warnings[0]
    assert f"nas: {found.warnings[0]}" in capsys.readouterr().err
    assert (found.score, found.curve) == (whole.score, whole.curve)
    assert largest(weights, parts) == 0.0
    row = SimpleNamespace(number=4, result_json='"warnings"', result=found)
    SearchProgress()._warn(row)
    assert capsys.readouterr().err == f"trial 5: {found.warnings[0]}\n"


def test_another_training_does_not_see_the_checkpoints(tiny, tmp_path):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        dies_after(patch, 3)
        outcome(tiny, RECIPE, CHAIN, tmp_path, "parts")
    other = replace(RECIPE, learning_rate=0.01)
    found, _ = outcome(tiny, other, CHAIN, tmp_path, "parts")
    assert [epoch.learning_rate for epoch in found.curve] == [0.01] * 4
