"""NASNet-A against the live Keras models: the same weights in number, shape and wiring."""

from collections import Counter
from dataclasses import replace

import keras
import numpy as np
import pytest

from nas_core.cost import cost
from nas_core.spec import CellSpec, spec_from_json
from nas_core.trainer.build_cell import build_cell_model
from nas_net_architecture.network import (
    NASNET_A_NORMAL,
    NASNET_A_REDUCTION,
    nasnet_a_cifar,
    nasnet_a_large,
    nasnet_a_mobile,
    nasnet_like_small,
)


@pytest.fixture(scope="module")
def mobile():
    """Our 4@1056 and Keras's, untrained."""
    ours = build_cell_model(nasnet_a_mobile(), (224, 224, 3))
    return ours, keras.applications.NASNetMobile(weights=None)


def shapes(model):
    return Counter(tuple(weight.shape) for weight in model.weights)


@pytest.mark.slow
def test_mobile_has_the_weights_of_keras(mobile):
    ours, theirs = mobile
    assert ours.count_params() == theirs.count_params() == 5_326_716
    assert shapes(ours) == shapes(theirs)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_large_has_the_weights_of_keras():
    ours = build_cell_model(nasnet_a_large(), (331, 331, 3))
    theirs = keras.applications.NASNetLarge(weights=None)
    assert ours.count_params() == theirs.count_params() == 88_949_818
    assert shapes(ours) == shapes(theirs)


def test_cost_knows_the_published_sizes_without_building():
    large, mobile = cost(nasnet_a_large(), (331, 331, 3)), cost(nasnet_a_mobile(), (224, 224, 3))
    assert large.parameters == 88_949_818
    assert large.macs / 1e9 == pytest.approx(23.8, abs=0.05)
    assert mobile.macs / 1e6 == pytest.approx(564, abs=0.5)


# Keras's names of a cell's separable convolutions beside ours.
NORMAL = {
    "left1": "block2_left_sep5",
    "right1": "block2_right_sep3",
    "left2": "block3_left_sep5",
    "right2": "block3_right_sep3",
    "left5": "block6_left_sep3",
}
REDUCTION = {
    "left1": "block2_left_sep5",
    "right1": "block2_right_sep7",
    "right2": "block3_right_sep7",
    "right3": "block4_right_sep5",
    "left4": "block6_left_sep3",
}


def names(kind, block, cell, paths, previous):
    """Map our layers' names in one cell to Keras's."""
    found = {f"{cell}_in0_conv": f"{kind}_conv_1_{block}", f"{cell}_in0_bn": f"{kind}_bn_1_{block}"}
    for ours, theirs in previous.items():
        found[f"{cell}_in1_{ours}"] = f"adjust_{theirs}_{block}"
    for theirs, ours in paths.items():
        for number, half in enumerate(("first", "second"), start=1):
            name = f"separable_conv_{number}"
            found[f"{cell}_{ours}_{half}_sep"] = f"{name}_{kind}_{theirs}_{block}"
            found[f"{cell}_{ours}_{half}_bn"] = f"{name}_bn_{kind}_{theirs}_{block}"
    return found


def copy_shaken(ours, theirs, mapping):
    """Give the mapped layers of both models the same random weights."""
    rng = np.random.default_rng(0)
    for our_name, their_name in mapping.items():
        values = []
        for weight in theirs.get_layer(their_name).weights:
            low, high = (0.1, 1.0) if "variance" in weight.path else (-0.5, 0.5)
            values.append(rng.uniform(low, high, weight.shape))
        ours.get_layer(our_name).set_weights(values)
        theirs.get_layer(their_name).set_weights(values)


SHRUNK = {"half0_conv": "conv_1", "half1_conv": "conv_2", "bn": "bn"}
PROJECTED = {"conv": "conv_projection", "bn": "bn"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "paths", "previous", "ours_at", "theirs_at"),
    [
        (
            "normal", NORMAL, SHRUNK,
            ("stem_reduction1", "stem_reduction0", "stack0_normal0"),
            ("reduction_concat_stem_2", "reduction_concat_stem_1", "normal_concat_0"),
        ),
        (
            "normal", NORMAL, PROJECTED,
            ("stack0_normal1", "stack0_normal0", "stack0_normal2"),
            ("normal_concat_1", "normal_concat_0", "normal_concat_2"),
        ),
        (
            "reduction", REDUCTION, PROJECTED,
            ("stack0_normal3", "stack0_normal2", "stack1_reduction"),
            ("normal_concat_3", "normal_concat_2", "reduction_concat_reduce_4"),
        ),
    ],
)  # fmt: skip
def test_cells_compute_what_keras_computes(mobile, kind, paths, previous, ours_at, theirs_at):
    ours, theirs = mobile
    block = theirs_at[2].removeprefix(f"{kind}_concat_")
    copy_shaken(ours, theirs, names(kind, block, ours_at[2], paths, previous))
    cells = []
    for model, (current, before, output) in ((ours, ours_at), (theirs, theirs_at)):
        inputs = [model.get_layer(name).output for name in (current, before)]
        cells.append(keras.Model(inputs, model.get_layer(output).output))
    rng = np.random.default_rng(1)
    given = [
        rng.normal(size=(1, *tensor.shape[1:])).astype("float32") for tensor in cells[0].inputs
    ]
    got, expected = (cell(given).numpy() for cell in cells)
    if kind == "reduction":
        # Keras pads with zeros before it pools, which shows in the last row and column; the
        # authors' release and ours leave padding out of the mean and the maximum.
        got, expected = got[:, :-2, :-2], expected[:, :-2, :-2]
    assert np.abs(got - expected).max() < 1e-3 * np.abs(expected).max()


def test_mobile_size():
    assert cost(nasnet_a_mobile(), (224, 224, 3)).parameters == 5_326_716  # as Keras counts


def test_cifar_size():
    spec = nasnet_a_cifar()
    assert spec.filters == 32
    assert (spec.filters << 2) * spec.normal.width == 768
    assert cost(spec, (32, 32, 3)).parameters == 3_383_786  # published: 3.3 million
    long = nasnet_a_cifar(long_training=True)
    assert replace(long, auxiliary_head=False, drop_path_keep=1.0) == spec


def test_published_outputs_differ_from_the_rule_of_unread_states():
    assert replace(NASNET_A_NORMAL, concat=None).outputs == (2, 3, 4, 5, 6)
    assert replace(NASNET_A_REDUCTION, concat=None).outputs == (4, 5, 6)


def test_the_small_network_builds():
    model = build_cell_model(nasnet_like_small(), (32, 32, 3))
    assert model.count_params() == cost(nasnet_like_small(), (32, 32, 3)).parameters == 33_178
    assert len(model.layers) == 90


@pytest.mark.parametrize(
    "network", [nasnet_a_cifar, nasnet_a_mobile, nasnet_a_large, nasnet_like_small]
)
def test_published_networks_round_trip(network):
    spec = network()
    assert spec_from_json(spec.to_json()) == CellSpec.from_text(spec.to_text()) == spec
