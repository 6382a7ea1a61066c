"""Live layers: growth preserves the function, masks switch off, everything is saved."""

import keras
import numpy as np
import pytest

from nas_core.errors import UsageError
from training_control.layers import LiveDropout, LiveStack, trimmed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 5)).astype(np.float32)


@pytest.fixture
def stack():
    made = LiveStack(3, max_layers=4, max_units=16)
    made.build((None, 5))
    made.restart(2, 4, np.random.default_rng(1))
    return made


def test_the_stack_computes_its_equation(stack):
    kernels = [k.numpy() for k in stack.kernels]
    hidden = X
    for kernel in kernels[:2]:
        hidden = np.maximum(hidden @ kernel, 0.0)
        hidden[:, 4:] = 0.0
    np.testing.assert_allclose(stack(X), hidden @ kernels[-1], rtol=1e-4, atol=1e-5)
    assert (stack.depth, stack.width) == (2, 4)


@pytest.mark.parametrize(("layers", "units"), [(2, 8), (3, 4), (4, 16), (2, 5)])
def test_growth_preserves_the_function(stack, layers, units):
    before = np.array(stack(X))
    stack.resize(layers, units, np.random.default_rng(2))
    np.testing.assert_allclose(stack(X), before, rtol=1e-5, atol=1e-6)
    assert (stack.depth, stack.width) == (layers, units)
    last = stack.kernels[-1].numpy()
    assert not last[4:units].any()
    first = stack.kernels[0].numpy()
    if units > 4:
        assert first[:, 4:units].std() > 0.1  # new units have something to say


def test_growth_after_shrinking_preserves_the_function(stack):
    stack.resize(1, 2, np.random.default_rng(2))
    before = np.array(stack(X))
    stack.resize(4, 12, np.random.default_rng(3))
    np.testing.assert_allclose(stack(X), before, rtol=1e-5, atol=1e-6)


def test_shrinking_switches_off(stack):
    stack.resize(1, 2, np.random.default_rng(2))
    hidden = np.maximum(X @ stack.kernels[0].numpy(), 0.0)[:, :2]
    expected = hidden @ stack.kernels[-1].numpy()[:2]
    np.testing.assert_allclose(stack(X), expected, rtol=1e-4, atol=1e-5)


def test_there_is_room_for_so_much(stack):
    for layers, units in ((5, 4), (2, 17), (0, 4)):
        with pytest.raises(UsageError, match=f"1 to 4 layers of 1 to 16 units, .* {layers} of"):
            stack.resize(layers, units, RNG)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout_follows_its_variable(rate):
    layer = LiveDropout(seed=3)
    layer.build((None, 50))
    layer.rate.assign(rate)
    ones = np.ones((200, 50), np.float32)
    found = np.array(layer(ones, training=True))
    assert np.mean(found == 0.0) == pytest.approx(rate, abs=0.02)
    np.testing.assert_allclose(found[found > 0.0], 1.0 / (1.0 - rate), rtol=1e-5)
    np.testing.assert_array_equal(layer(ones), ones)


def test_models_with_live_layers_are_saved_with_their_switches(tmp_path, stack):
    inputs = keras.Input((5,))
    body = LiveStack(3, max_layers=4, max_units=16)
    model = keras.Model(inputs, body(LiveDropout(0.2)(inputs)))
    body.restart(3, 7, np.random.default_rng(1))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6)
    assert (again.layers[-1].depth, again.layers[-1].width) == (3, 7)


def test_a_trimmed_model_computes_the_same_with_the_weights_that_are_on():
    inputs = keras.Input((6,))
    roomy = keras.Model(inputs, LiveStack(3, 4, 32)(keras.layers.Dense(5)(inputs)))
    roomy.layers[-1].restart(2, 8, np.random.default_rng(0))
    slim = trimmed(roomy, 2, 8)
    stack, small = roomy.layers[-1], slim.layers[-1]
    assert (small.depth, small.width) == (2, 8) and roomy.layers[-1].max_units == 32
    slim.layers[1].set_weights(roomy.layers[1].get_weights())
    for mine, theirs in zip(small.kernels, (*stack.kernels[:2], stack.kernels[-1]), strict=True):
        mine.assign(keras.ops.convert_to_numpy(theirs)[: mine.shape[0], : mine.shape[1]])
    x = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    np.testing.assert_allclose(slim(x), roomy(x), rtol=1e-5, atol=1e-6)


def test_a_model_without_a_stack_is_not_trimmed():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert trimmed(model, 1, 1) is model
