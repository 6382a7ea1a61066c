"""Real children on tiny images: good, bad, repeatable; and what they may not touch."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_data import write_tiny

from nas_core.datasets import Split, load_split, open_dataset, write_dataset
from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer import child, runtime, training
from nas_core.trainer.base import Job, Status
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe

GOOD = ChainSpec.from_text("[C(4,3,1), P(2,2), D(0.1), FC(8), SM(3)]")
RECIPE = Recipe(
    epochs=3, batch_size=16, learning_rate=0.01, weight_decay=0.0, restarts=0, schedule="constant"
)
CELLS = CellSpec(
    Cell((Block(0, 1, "sep3", "identity"),)), Cell((Block(0, 1, "max3", "conv1"),)),
    repeats=(1, 1), filters=4, classes=3, stem_multiplier=1, auxiliary_head=True,
    drop_path_keep=0.8,
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("trainer") / "tiny")


def score(tiny, spec=GOOD, seed=0, model_path=None, recipe=RECIPE, **options):
    return KerasTrainer(tiny.path, recipe, **options).score(spec, Job(0, seed, 1, model_path))


def own_build(spec, image_shape, classes):
    image = keras.Input(image_shape)
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(classes, "softmax")(flat))


def too_many_classes(spec, image_shape, classes):
    return own_build(spec, image_shape, classes + 1)


def broken_build(spec, image_shape, classes):
    raise RuntimeError("first line\nsecond line")


def test_a_good_child(tiny):
    result = score(tiny)
    assert result.status is Status.OK
    assert result.score > 0.8
    assert len(result.curve) == 3
    assert result.score == max(epoch.val_accuracy for epoch in result.curve)
    assert result.curve[-1].loss < result.curve[0].loss
    assert [epoch.learning_rate for epoch in result.curve] == [0.01] * 3
    # C(4,3,1): 112; FC(8) on 4x4x4: 520; SM(3): 27
    assert (result.parameters, result.macs) == (659, 64 * 108 + 512 + 24)
    precision = "mixed_bfloat16" if runtime.computes_in_bfloat16() else "float32"
    assert result.details == {"learning_rate": 0.01, "batch_size": 16, "precision": precision}
    assert (result.attempts, result.message) == (1, "")
    assert result.seconds > 0
    json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve(tiny):
    recipe = replace(RECIPE, augmentation="leaf")
    first, again, other = (score(tiny, seed=seed, recipe=recipe) for seed in (1, 1, 2))
    assert first.curve == again.curve
    assert first.curve != other.curve


@pytest.mark.slow
def test_a_cell_network(tiny):
    result = score(tiny, CELLS)
    assert result.status is Status.OK
    assert len(result.curve) == 3
    assert result.details["precision"] == "float32"


def test_images_are_resized(tiny):
    result = score(tiny, recipe=replace(RECIPE, image_size=4))
    assert result.status is Status.OK
    assert result.macs == 16 * 108 + 16 * 8 + 24


def test_a_rate_beyond_reason_diverges(tiny):
    result = score(tiny, recipe=replace(RECIPE, learning_rate=1e30, restarts=3))
    assert result.status is Status.DIVERGED
    assert result.score is None
    assert "not finite in epoch 1" in result.message
    assert result.parameters == 659


@pytest.mark.slow
def test_never_better_than_random(tmp_path):
    rng = np.random.default_rng(0)
    splits = {
        name: Split(
            np.full((30, 8, 8, 3), 100, np.uint8), rng.permutation(np.repeat(np.arange(3), 10))
        )
        for name in ("train", "validation", "test")
    }
    info = write_dataset(tmp_path / "same", splits, ["a", "b", "c"], "test")
    result = score(info, recipe=replace(RECIPE, restarts=2))
    assert result.status is Status.DIVERGED
    assert result.attempts == 3
    assert "never better than random" in result.message
    assert result.details["learning_rate"] == pytest.approx(0.01 * 0.4**2)
    unchecked = score(info, recipe=replace(RECIPE, restarts=0))
    assert (unchecked.status, unchecked.attempts) == (Status.OK, 1)


@pytest.mark.slow
def test_a_restart_begins_anew_at_a_lower_rate(tiny, monkeypatch):
    """The first rate destroys the network's first epoch; a later one works."""
    answers = iter([False, False, True])
    monkeypatch.setattr(training, "better_than_random", lambda *_: next(answers))
    recipe = replace(RECIPE, restarts=2, learning_rate=0.05)
    result = score(tiny, recipe=recipe)
    assert (result.status, result.attempts, len(result.curve)) == (Status.OK, 3, 3)
    assert result.curve[0].learning_rate == pytest.approx(0.05 * 0.4**2)
    # the restarted training does not know of the others: fresh weights and moments
    monkeypatch.setattr(training, "ladder_rates", lambda recipe: (recipe.learning_rate,))
    monkeypatch.setattr(training, "better_than_random", lambda *_: True)
    assert score(tiny, recipe=recipe).curve != result.curve


@pytest.mark.slow
def test_networks_that_cannot_be_built(tiny):
    small = score(tiny, ChainSpec.from_text("[P(5,5), P(5,5), SM(3)]"))
    assert small.status is Status.INVALID
    assert "5x5" in small.message
    classes = score(tiny, ChainSpec.from_text("[C(4,3,1), GAP, SM(10)]"))
    assert classes.status is Status.INVALID
    assert "SM(3)" in classes.message
    own = score(tiny, build=too_many_classes)
    assert own.status is Status.INVALID


def test_an_own_function_builds(tiny):
    result = score(tiny, build=own_build)
    assert result.status is Status.OK
    assert (result.parameters, result.macs) == (8 * 8 * 3 * 3 + 3, None)
    config = KerasTrainer(tiny.path, RECIPE, build=own_build).config()
    assert config["build"].endswith(".own_build")


def test_any_other_exception_is_one_line(tiny):
    result = score(tiny, build=broken_build)
    assert result.status is Status.ERROR
    assert result.message == "RuntimeError: first line second line"
    missing = KerasTrainer(tiny.path / "nowhere", RECIPE).score(GOOD, Job(0, 0))
    assert missing.status is Status.ERROR


@pytest.mark.parametrize("failures", [1, 2])
def test_the_batch_is_halved_once_when_memory_runs_out(tiny, monkeypatch, failures):
    import tensorflow as tf

    batches, train = [], child.train

    def short_of_memory(*arguments, batch, **options):
        batches.append(batch)
        if len(batches) <= failures:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return train(*arguments, batch=batch, **options)

    monkeypatch.setattr(child, "train", short_of_memory)
    result = score(tiny)
    assert batches == [16, 8]
    assert result.attempts == 2
    if failures == 1:
        assert (result.status, result.details["batch_size"]) == (Status.OK, 8)
    else:
        assert result.status is Status.OUT_OF_MEMORY


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_other_words_for_no_memory(tiny, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(child, "train", fail)
    assert score(tiny, recipe=replace(RECIPE, batch_size=1)).status is Status.OUT_OF_MEMORY


def test_a_fraction_of_the_training_images(tiny, monkeypatch):
    seen, train = [], child.train

    def looking(builder, pixels, *arguments, **options):
        seen.append(pixels)
        return train(builder, pixels, *arguments, **options)

    monkeypatch.setattr(child, "train", looking)
    assert score(tiny, data_fraction=0.5).status is Status.OK
    assert np.bincount(seen[0].train.labels).tolist() == [20, 20, 20]
    assert len(seen[0].validation.labels) == 36


def test_children_share_what_was_read_and_a_new_data_set_is_read_anew(tiny):
    from nas_core.trainer.data_pipeline import load_pixels

    first = load_pixels(tiny.path, tiny.digest, 4, 1.0)
    assert load_pixels(tiny.path, tiny.digest, 4, 1.0) is first
    assert load_pixels(tiny.path, "other", 4, 1.0) is not first
    assert first.train.images.shape == (120, 4, 4, 3)
    whole = load_split(tiny, "train").images[:, :, :, 0].astype(float)
    # halving with antialiasing weighs neighbours, but leaves the mean of a picture
    assert first.train.images[..., 0].mean() == pytest.approx(whole.mean(), abs=1.0)


@pytest.mark.slow
def test_the_test_split_is_never_opened(tiny, tmp_path):
    """A child with every opened path written down, from Keras's import to the saved model."""
    code = f"""
import sys
opened = []
sys.addaudithook(lambda event, given: event == "open" and opened.append(str(given[0])))
from pathlib import Path
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe
recipe = Recipe(epochs=1, batch_size=16, restarts=0)
trainer = KerasTrainer(Path({str(tiny.path)!r}), recipe)
result = trainer.score(
    ChainSpec.from_text("[C(4,3,1), GAP, SM(3)]"), Job(0, 0, 1, Path({str(tmp_path)!r}) / "m.keras")
)
data = sorted({{Path(path).name for path in opened if {str(tiny.path)!r} in path}})
print(result.status, data)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    status, names = done.stdout.strip().split(" ", 1)
    assert status == "ok", done.stdout
    assert "train_images.npy" in names
    assert "validation_images.npy" in names
    assert "test_" not in names


PLAIN = """
import sys
import numpy as np
import keras
images = np.load(sys.argv[2])
for model in sys.argv[3:]:
    print(*keras.models.load_model(model).predict(images, verbose=0).argmax(axis=1))
assert not any(name.split(".")[0] == "nas_core" for name in sys.modules)
"""


@pytest.mark.slow
def test_saved_models_open_with_keras_alone(tiny, tmp_path):
    """Chain, resized chain and cells, opened in a folder that does not know this project."""
    held = load_split(open_dataset(tiny.path), "validation")
    np.save(tmp_path / "images.npy", held.images)
    runs = [
        (GOOD, RECIPE), (GOOD, replace(RECIPE, image_size=6)), (CELLS, replace(RECIPE, epochs=1)),
    ]  # fmt: skip
    results, models = [], []
    for number, (spec, recipe) in enumerate(runs):
        models.append(tmp_path / f"model{number}.keras")
        results.append(score(tiny, spec, 0, models[-1], recipe))
    done = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, "-", tmp_path / "images.npy", *models],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 3
    for line, result in zip(lines, results, strict=True):
        assert result.status is Status.OK
        predicted = np.array(line.split(), int)
        # the saved weights are those of the best epoch, which the score is of
        assert (predicted == held.labels).mean() == pytest.approx(result.score, abs=1.5 / 36)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images.npy", "model0.keras", "model1.keras", "model2.keras",
    ]  # fmt: skip


def test_the_last_weights_are_kept_where_the_last_epochs_count(tiny, tmp_path):
    last = score(tiny, model_path=tmp_path / "a.keras", recipe=replace(RECIPE, score="last"))
    assert last.score == last.curve[-1].val_accuracy
    assert (tmp_path / "a.keras").exists()


def test_importing_the_trainer_and_its_recipe_imports_no_keras():
    code = (
        "import sys, nas_core.trainer.keras_trainer, nas_core.trainer.recipe, nas_core.trainer.mock;"
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
