"""One optimizer for four rules: each is compared with Keras's own, step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nas_core.errors import UsageError
from training_control.controls import OPTIMIZERS
from training_control.live_optimizer import LiveOptimizer

START = (np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 0.5, np.array([0.5, -1], np.float32))
RATE, DECAY = 0.01, 0.1


def keras_optimizer(name, decay):
    if name == "adamw":
        made = keras.optimizers.AdamW(RATE, weight_decay=decay, epsilon=1e-8)
        made.exclude_from_weight_decay(var_names=["bias"])
        return made
    return {
        "sgd": keras.optimizers.SGD(RATE, momentum=0.9),
        "adam": keras.optimizers.Adam(RATE, epsilon=1e-8),
        "rmsprop": keras.optimizers.RMSprop(RATE, rho=0.9, epsilon=1e-8),
    }[name]


def gradients(step):
    return [np.sin(v * 3 + step).astype(np.float32) for v in START]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_rules_are_those_of_keras(name, decay):
    theirs = [keras.Variable(v, name=n) for v, n in zip(START, ("kernel", "bias"), strict=True)]
    ours = [tf.Variable(v) for v in START]
    known, live = keras_optimizer(name, decay), LiveOptimizer(ours)
    live.choose(name)
    live.rate.assign(RATE)
    live.decay.assign(decay)
    for step in range(4):
        given = gradients(step)
        added = decay * theirs[0].numpy() if name != "adamw" else 0.0  # the classical L2
        known.apply([keras.ops.convert_to_tensor(g) for g in (given[0] + added, given[1])], theirs)
        live.apply([tf.constant(g) for g in given])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=1e-6)


def test_norms_are_those_of_the_whole_network():
    variables = [tf.Variable(v) for v in START]
    live = LiveOptimizer(variables, ("sgd",))
    live.rate.assign(0.5)
    norm, ratio = live.apply([tf.ones((2, 3)), None])  # a weight without a gradient
    assert float(norm) == pytest.approx(np.sqrt(6.0))
    weights = np.sqrt(sum((v**2).sum() for v in START))
    assert float(ratio) == pytest.approx(0.5 * np.sqrt(6.0) / weights)
    np.testing.assert_allclose(variables[0].numpy(), START[0] - 0.5)
    np.testing.assert_allclose(variables[1].numpy(), START[1])


def test_a_switch_finds_moments_that_are_up_to_date():
    """Slot policy: what Adam would know, had it run from the start, it knows at the switch."""
    both = [LiveOptimizer([tf.Variable(v) for v in START]) for _ in range(2)]
    both[0].choose("sgd")
    both[1].choose("adam")
    for step in range(5):
        for live in both:
            live.apply([tf.constant(g) for g in gradients(step)])
    both[0].choose("adam")
    before = [live.flat().numpy() for live in both]
    for live in both:
        live.apply([tf.constant(g) for g in gradients(5)])
    moved = [live.flat().numpy() - b for live, b in zip(both, before, strict=True)]
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-4, atol=1e-7)


def test_slots_can_be_forgotten_and_reset():
    live = LiveOptimizer([tf.Variable(v) for v in START], ("adam",))
    live.apply([tf.constant(g) for g in gradients(0)])
    first = live.variables[0].numpy()
    live.forget(tf.constant([True, *[False] * 7]))
    np.testing.assert_array_equal(live.variables[0].numpy(), [0.0, *first[1:]])
    live.reset()
    assert not any(np.any(variable.numpy()) for variable in live.variables[:3])


def test_optimizers_that_were_left_out_cannot_be_chosen():
    live = LiveOptimizer([tf.Variable(START[0])], ("sgd",))
    assert len(live.variables) == 1 + 4  # a velocity; steps, rate, decay, kind
    with pytest.raises(UsageError, match="expected an optimizer among sgd, received 'adam'"):
        live.choose("adam")
    with pytest.raises(UsageError, match="received lion"):
        LiveOptimizer([tf.Variable(START[0])], ("lion",))
