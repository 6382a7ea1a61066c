"""Inherited weights: which layers are copied, exactly, and what a child does with them."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_data import write_tiny

from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer import child, training
from nas_core.trainer.base import Job, Status
from nas_core.trainer.build import build_model, servable_model
from nas_core.trainer.inherit import InheritingBuilder, inherit
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe

CHAIN = ChainSpec.from_text("[C(4,3,1), P(2,2), BN, FC(6), SM(3)]")
CELLS = CellSpec(
    Cell((Block(0, 1, "sep3", "identity"),)), Cell((Block(0, 1, "max3", "conv1"),)),
    repeats=(1, 0), filters=4, classes=3, stem_multiplier=1,
)  # fmt: skip
RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=0.01, restarts=0, schedule="constant")
SHAPE = (8, 8, 3)


def with_random_weights(spec, seed=0):
    """Build a network in which no weight has its first value, moving statistics included."""
    model = build_model(spec, SHAPE)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])
    return model


def same(one, other) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("inherit") / "tiny")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a chain, and its file, in which it lies behind a layer that resizes images."""
    model = with_random_weights(CHAIN)
    path = tmp_path_factory.mktemp("saved") / "chain.keras"
    servable_model(model, CHAIN, SHAPE, (16, 16, 3)).save(path)
    return model, path


def test_a_chain_for_other_classes_inherits_all_but_the_classifier(saved):
    source, path = saved
    target = build_model(ChainSpec.from_text("[C(4,3,1), P(2,2), BN, FC(6), SM(5)]"), SHAPE)
    drawn = target.get_layer("softmax_4").get_weights()
    copied, fresh = inherit(keras.models.load_model(path, compile=False), target)
    assert (copied, fresh) == (["conv_0", "batch_norm_2", "dense_3"], ["softmax_4"])
    for name in copied:
        assert same(target.get_layer(name), source.get_layer(name)), name
    for before, after in zip(drawn, target.get_layer("softmax_4").get_weights(), strict=True):
        assert np.array_equal(before, after)


def test_a_layer_of_another_shape_or_place_stays_fresh(saved):
    target = build_model(ChainSpec.from_text("[C(4,5,1), P(2,2), BN, C(4,1,1), SM(3)]"), SHAPE)
    assert inherit(saved[0], target) == (["batch_norm_2"], ["conv_0", "conv_3", "softmax_4"])


def test_more_cells_inherit_by_place_and_added_cells_are_fresh():
    source = with_random_weights(CELLS)
    target = build_model(replace(CELLS, repeats=2), SHAPE)
    copied, fresh = inherit(source, target)
    known = {layer.name for layer in source.layers if layer.weights}
    # the wider end of three stacks is the only place that the source has in another shape
    assert set(copied) == known - {"classifier"}
    assert {name.split("_")[0] for name in copied} == {"stem", "stack0", "stack1"}
    assert "stack0_normal0_block2_left_sep3_first_sep" in copied
    assert "stack0_normal1_block2_left_sep3_first_sep" in fresh
    assert {name.partition("_block")[0].rpartition("_in")[0] or name for name in fresh} >= {
        "classifier", "stack0_normal1", "stack1_normal0", "stack1_normal1",
    }  # fmt: skip
    for name in copied:
        assert same(target.get_layer(name), source.get_layer(name)), name


def test_more_filters_share_nothing():
    copied, fresh = inherit(
        with_random_weights(CELLS), build_model(replace(CELLS, filters=8), SHAPE)
    )
    assert copied == []
    assert "classifier" in fresh


def test_heads_and_counters_of_training_are_not_mistaken_for_knowledge():
    spec = replace(CELLS, auxiliary_head=True, drop_path_keep=0.5)
    target = build_model(spec, SHAPE, total_steps=10)
    copied, fresh = inherit(with_random_weights(CELLS), target)
    assert "classifier" in copied
    assert fresh
    assert all(name.startswith("auxiliary") for name in fresh)
    assert not [name for name in copied + fresh if name.endswith("_drop")]


def test_every_build_inherits_so_that_a_restart_does_too(saved):
    built = []

    def build(steps):
        built.append(steps)
        return build_model(CHAIN, SHAPE)

    builder = InheritingBuilder(build, saved[0])
    first, again = builder(3), builder(3)
    assert built == [3, 3]
    assert same(first, saved[0])
    assert same(again, saved[0])
    assert builder.copied == ["conv_0", "batch_norm_2", "dense_3", "softmax_4"]
    assert builder.fresh == []


def test_a_child_starts_from_the_models_weights(tiny, saved, monkeypatch):
    before, train = [], training.train

    def looking(build, *arguments, **options):
        before.append(build(1))
        return train(build, *arguments, **options)

    monkeypatch.setattr(child, "train", looking)
    spec = ChainSpec.from_text("[C(4,3,1), P(2,2), BN, FC(7), SM(3)]")
    result = KerasTrainer(tiny.path, RECIPE).score(spec, Job(0, 1, init_from=saved[1]))
    assert result.status is Status.OK, result.message
    assert same(before[0].get_layer("conv_0"), saved[0].get_layer("conv_0"))
    assert same(before[0].get_layer("batch_norm_2"), saved[0].get_layer("batch_norm_2"))
    assert result.details["copied"] == ["conv_0", "batch_norm_2"]
    assert result.details["fresh"] == ["dense_3", "softmax_4"]
    assert result.curve[0].learning_rate == 0.01


@pytest.mark.slow
def test_inherited_weights_are_used(tiny, tmp_path):
    """What one training has learned the next one knows in its first epoch."""
    learned = KerasTrainer(tiny.path, replace(RECIPE, epochs=8))
    spec = ChainSpec.from_text("[C(4,3,1), P(2,2), FC(8), SM(3)]")
    assert learned.score(spec, Job(0, 0, model_path=tmp_path / "a.keras")).score > 0.9
    crawling = KerasTrainer(tiny.path, replace(RECIPE, epochs=1, learning_rate=1e-8))
    assert crawling.score(spec, Job(1, 5, init_from=tmp_path / "a.keras")).score > 0.9
    assert crawling.score(spec, Job(1, 5)).score < 0.9


@pytest.mark.parametrize("name", ["foreign", "broken", "missing"])
def test_a_child_with_a_source_that_cannot_be_used_fails_in_one_line(tiny, tmp_path, name):
    image = keras.Input(SHAPE)
    dense = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(image))
    keras.Model(image, dense).save(tmp_path / "foreign.keras")
    (tmp_path / "broken.keras").write_bytes(b"no model")
    job = Job(0, 0, init_from=tmp_path / f"{name}.keras")
    result = KerasTrainer(tiny.path, RECIPE).score(CHAIN, job)
    assert result.status is (Status.INVALID if name == "foreign" else Status.ERROR)
    assert result.curve == ()
    assert "\n" not in result.message
    assert ("shares none" if name == "foreign" else name) in result.message
