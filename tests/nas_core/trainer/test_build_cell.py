"""Built cell networks: numbers by hand, drop-path, saving with plain Keras, training."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from nas_core.cost import cost
from nas_core.spec import OPERATIONS, Block, Cell, CellSpec
from nas_core.trainer.build_cell import AUXILIARY_WEIGHT, build_cell_model, plain_model
from nas_core.trainer.drop_path import ScheduledDropPath, drop_path

IDENTITIES = Cell((Block(0, 1, "identity", "identity"),))
MIXED = Cell((Block(0, 1, "sep3", "max3"), Block(2, 1, "conv1", "identity")))
SPEC = CellSpec(MIXED, MIXED, repeats=(1, 1), filters=4, classes=3, stem_multiplier=1)


def pixels(count, side=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def shake(model, seed=0):
    """Give every weight, moving statistics included, a value that shows in the output."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        low = 0.5 if "variance" in variable.path else -0.5
        variable.assign(rng.uniform(low, 1.0, variable.shape).astype("float32"))


def test_a_cell_of_identities_by_hand():
    spec = CellSpec(IDENTITIES, IDENTITIES, repeats=(1,), filters=2, classes=2, stem_multiplier=1)
    model = build_cell_model(spec, (4, 4, 3))
    shake(model)
    parts = {layer.name: layer for layer in model.layers}
    stem = keras.Model(model.input, parts["stem_bn"].output)(pixels(2, 4)).numpy()

    kernel = parts["stack0_normal0_in0_conv"].get_weights()[0][0, 0]
    scale, offset, mean, variance = parts["stack0_normal0_in0_bn"].get_weights()
    current = (np.maximum(stem, 0) @ kernel - mean) / np.sqrt(variance + 1e-3) * scale + offset
    features = np.maximum(current + stem, 0).mean((1, 2))  # h_{i-1} of the first cell is the stem
    weights, bias = parts["classifier"].get_weights()
    odds = np.exp(features @ weights + bias)
    expected = odds / odds.sum(1, keepdims=True)
    assert model(pixels(2, 4)).numpy() == pytest.approx(expected, abs=1e-5)


def test_factorised_reduction_takes_the_pixels_between():
    cell = Cell((Block(1, 1, "identity", "identity"),))
    spec = CellSpec(MIXED, MIXED, repeats=(1, 1), filters=2, classes=2, stem_multiplier=1)
    model = build_cell_model(replace(spec, normal=cell), (5, 4, 3))
    name = "stack1_normal0_in1"
    source = model.get_layer("stack1_normal0_raw1_relu")
    shake(model)
    image = np.random.default_rng(3).integers(0, 256, (1, 5, 4, 3), dtype=np.uint8)
    outputs = [source.output, model.get_layer(f"{name}_join").output]
    raw, joined = (value.numpy() for value in keras.Model(model.input, outputs)(image))
    first = model.get_layer(f"{name}_half0_conv").get_weights()[0][0, 0]
    second = model.get_layer(f"{name}_half1_conv").get_weights()[0][0, 0]
    shifted = np.zeros_like(raw)
    shifted[:, :-1, :-1] = raw[:, 1:, 1:]
    expected = np.concatenate([raw[:, ::2, ::2] @ first, shifted[:, ::2, ::2] @ second], -1)
    assert joined.shape == (1, 3, 2, 4)
    assert joined == pytest.approx(expected, abs=1e-4)


def test_a_dilated_convolution_of_stride_two_picks_every_other_pixel_of_stride_one():
    rng = np.random.default_rng(4)
    images = rng.normal(size=(1, 7, 6, 2)).astype("float32")
    kernel = rng.normal(size=(3, 3, 2, 2)).astype("float32")
    whole = keras.ops.conv(images, kernel, strides=1, padding="same", dilation_rate=2)
    picked = keras.ops.conv(images[:, ::2, ::2], kernel, strides=1, padding="same")
    assert np.asarray(picked) == pytest.approx(np.asarray(whole)[:, ::2, ::2], abs=1e-5)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "identity"])
def test_every_operation_in_both_strides(name):
    cell = Cell((Block(0, 1, name, name, "concat"), Block(2, 0, name, name)))
    spec = CellSpec(cell, cell, repeats=(1, 0), filters=4, classes=3, stem_multiplier=1)
    model = build_cell_model(spec, (7, 6, 3))
    assert model.count_params() == cost(spec, (7, 6, 3)).parameters
    assert model.get_layer("stack1_reduction_block3").output.shape == (None, 4, 3, 8)


def test_probabilities_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_cell_model(SPEC, (8, 8, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("stack0_normal0_in0_conv").compute_dtype == "bfloat16"
    assert model(pixels(2)).numpy().sum(1) == pytest.approx([1.0, 1.0], abs=1e-5)


def test_fixed_drop_path_drops_whole_examples_and_rescales_the_rest():
    layer = drop_path(0.75, None, "drop")
    ones = np.ones((2000, 2, 2, 3), "float32")
    got = layer(ones, training=True).numpy()
    assert np.unique(got) == pytest.approx([0.0, 1 / 0.75])
    assert (got == got[:, :1, :1, :1]).all()
    assert (got[:, 0, 0, 0] > 0).mean() == pytest.approx(0.75, abs=0.04)
    assert layer(ones).numpy().min() == 1.0
    assert drop_path(1.0, None, "none") is None


def test_scheduled_drop_path_grows_with_the_steps():
    layer = ScheduledDropPath(0.5, 4)
    ones = np.ones((2000, 1, 1, 1), "float32")
    kept = [float((layer(ones, training=True).numpy() > 0).mean()) for _ in range(6)]
    assert kept[0] == 1.0
    assert kept == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5, 0.5], abs=0.05)
    assert layer(ones).numpy().min() == 1.0


def test_only_paths_with_an_operation_are_dropped():
    model = build_cell_model(replace(SPEC, drop_path_keep=0.6), (8, 8, 3))
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 3 * 3  # two cells and a reduction, three operations each
    assert dropped[0].noise_shape == (None, 1, 1, 1)
    assert [round(layer.rate, 4) for layer in dropped[::3]] == [0.1333, 0.2667, 0.4]


@pytest.mark.parametrize("total_steps", [None, 100])
def test_the_plain_copy_is_standard_keras_and_answers_the_same(tmp_path, total_steps):
    cell = Cell((Block(0, 1, "conv3", "max3"),))
    spec = CellSpec(cell, cell, repeats=(1, 0), filters=4, auxiliary_head=True, dropout=0.2)
    spec = replace(spec, drop_path_keep=0.6)
    model = build_cell_model(spec, (8, 8, 3), total_steps)
    shake(model)
    plain = plain_model(model, spec, (8, 8, 3))
    assert all(type(layer).__module__.startswith("keras.") for layer in plain.layers)
    plain.save(tmp_path / "plain.keras")
    again = keras.models.load_model(tmp_path / "plain.keras")
    expected = model(pixels(3))["classifier"].numpy()
    assert again(pixels(3)).numpy() == pytest.approx(expected, abs=1e-6)
    assert plain.count_params() == cost(replace(spec, auxiliary_head=False), (8, 8, 3)).parameters


@pytest.mark.slow
def test_a_cell_network_with_everything_learns():
    cell = Cell((Block(0, 1, "conv3", "max3"),))
    spec = replace(SPEC, normal=cell, reduction=cell, repeats=(1, 0), auxiliary_head=True)
    model = build_cell_model(replace(spec, drop_path_keep=0.9), (8, 8, 3), total_steps=40)
    labels = np.arange(48) % 3
    images = (pixels(48) // 4 + (labels * 80)[:, None, None, None]).astype(np.uint8)
    model.compile(
        keras.optimizers.SGD(0.05),
        loss=dict.fromkeys(("classifier", "auxiliary"), "sparse_categorical_crossentropy"),
        loss_weights={"classifier": 1.0, "auxiliary": AUXILIARY_WEIGHT},
        jit_compile=False,
    )
    answers = {"classifier": labels, "auxiliary": labels}
    history = model.fit(images, answers, batch_size=16, epochs=8, verbose=0).history
    assert history["classifier_loss"][-1] < 0.7 * history["classifier_loss"][0]
    counters = [layer.step.numpy() for layer in model.layers if "_drop" in layer.name]
    assert counters == [24.0] * 4
