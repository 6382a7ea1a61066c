"""What `cost` says without Keras, for hundreds of random chains, against the built models."""

import numpy as np
import pytest

from nas_core.cost import cost
from nas_core.errors import SpecError
from nas_core.spec import (
    Activation,
    BatchNorm,
    ChainSpec,
    Conv,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Pool,
    Recurrent,
    SepConv,
    Softmax,
)
from nas_core.trainer.build import build_model

SPECS = 50  # in a block


def pair(rng, most):
    return int(rng.integers(1, most + 1)), int(rng.integers(1, most + 1))


def random_layer(rng, flat):
    choices = [BatchNorm, Dropout, Activation, *([Dense] if flat else [Conv, SepConv, Conv, Pool])]
    match choices[rng.integers(len(choices))].__name__:
        case "Conv":
            return Conv(int(rng.integers(1, 7)), pair(rng, 5), pair(rng, 3), "elu")
        case "SepConv":
            stride = int(rng.integers(1, 3))
            return SepConv(int(rng.integers(1, 7)), pair(rng, 5), stride)
        case "Pool":
            return Pool(pair(rng, 3), pair(rng, 3), str(rng.choice(["max", "avg"])))
        case "Dense":
            return Dense(int(rng.integers(1, 9)))
        case "Dropout":
            return Dropout(0.25)
        case "Activation":
            return Activation("gelu")
    return BatchNorm()


def with_skips(rng, layer, index, flats):
    """Let the layer read earlier outputs of the same kind beside the one just before."""
    earlier = [p for p in range(-1, index - 1) if flats[p] == flats[index - 1]]
    if not earlier or rng.random() > 0.35:
        return layer
    extra = rng.choice(earlier, size=int(rng.integers(1, min(3, len(earlier)) + 1)), replace=False)
    values = {**vars(layer), "inputs": (*(int(p) for p in extra), index - 1)}
    return type(layer)(**values)


def random_chain(rng):
    layers, flats = [], {-1: False}
    flat_from = int(rng.integers(1, 8))
    for index in range(int(rng.integers(0, 10))):
        if index == flat_from:
            layer = GlobalAveragePool() if rng.random() < 0.5 else Dense(int(rng.integers(1, 9)))
        else:
            layer = random_layer(rng, flats[index - 1])
        layer = with_skips(rng, layer, index, flats)
        flats[index] = flats[index - 1] or isinstance(layer, (Dense, GlobalAveragePool))
        layers.append(layer)
    end = with_skips(rng, Softmax(int(rng.integers(2, 6))), len(layers), flats)
    return ChainSpec((*layers, end))


def random_text_chain(rng):
    """An embedding, one-dimensional layers, and a vector by a recurrent layer or otherwise."""
    layers = [Embedding(int(rng.integers(2, 30)), int(rng.integers(1, 7)))]
    for _ in range(int(rng.integers(0, 4))):
        size = (int(rng.integers(1, 4)), 1)
        convolution = Conv(int(rng.integers(1, 7)), size, (int(rng.integers(1, 3)), 1))
        layers.append((convolution, SepConv(3, size), Pool(size, size))[rng.integers(3)])
    cell = Recurrent(int(rng.integers(1, 7)), str(rng.choice(["gru", "lstm"])), rng.random() < 0.5)
    layers.append((cell, cell, GlobalAveragePool(), Dense(3))[rng.integers(4)])
    return ChainSpec((*layers, Dropout(0.25), Softmax(int(rng.integers(2, 6)))))


def test_parameters_and_every_shape_of_networks_for_texts():
    specs = [random_text_chain(np.random.default_rng(seed)) for seed in range(20)]
    assert all(compare(spec, (30, 1, 1)) for spec in specs)
    kinds = {(layer.cell, layer.both) for spec in specs for layer in spec.layers
             if isinstance(layer, Recurrent)}  # fmt: skip
    assert len(kinds) == 4
    assert not compare(specs[0], (8, 8, 3))


def test_a_recurrent_layer_reads_an_images_positions():
    assert compare(ChainSpec.from_text("[C(4,3,2), BGRU(3), SM(3)]"), (7, 6, 3))


def built_shape(model, layer, index):
    """Return a layer's output shape in the model, or None where it is no layer of its own."""
    try:
        return tuple(model.get_layer(f"{layer.kind}_{index}").output.shape[1:])
    except ValueError:
        return None


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 8))]
)
def test_parameters_and_every_shape_are_equal(block):
    checked, joins = 0, 0
    for seed in range(block * 1000, block * 1000 + 1000):
        rng = np.random.default_rng(seed)
        spec = random_chain(rng)
        shape = (int(rng.integers(4, 15)), int(rng.integers(4, 15)), int(rng.choice([1, 3])))
        checked += compare(spec, shape)
        joins += any(len(layer.inputs) > 1 for layer in spec.layers)
        if checked == SPECS:
            break
    assert checked == SPECS
    assert joins > SPECS / 4


def compare(spec, shape):
    """Return whether the chain can be built; both sides must say so, and agree."""
    try:
        found = cost(spec, shape)
    except SpecError:
        with pytest.raises(SpecError):
            build_model(spec, shape)
        return False
    model = build_model(spec, shape)
    assert found.parameters == model.count_params(), spec.to_text()
    assert model.output.shape == (None, *found.shapes[-1])
    for index, (layer, row) in enumerate(zip(spec.layers, found.layers, strict=True)):
        got = built_shape(model, layer, index)
        assert got == row.shape or (got is None and isinstance(layer, GlobalAveragePool))
    return True
