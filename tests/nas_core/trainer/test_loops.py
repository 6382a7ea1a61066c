"""The compiled loop: its optimizers against Keras's, its epochs against `fit`."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from nas_core.datasets import Split
from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer.build import build_model
from nas_core.trainer.data_pipeline import Pixels
from nas_core.trainer.fit_loop import FitLoop, make_optimizer
from nas_core.trainer.recipe import Recipe
from nas_core.trainer.tf_loop import TensorFlowLoop
from nas_core.trainer.tf_optimizer import FusedOptimizer

RECIPE = Recipe(batch_size=8, augmentation="full", weight_decay=0.01, epsilon=1e-7)
CHAIN = ChainSpec.from_text("[C(4,3,1), BN, P(2,2), FC(6), SM(3)]")
TEXT = ChainSpec.from_text("[E(20,4), C(4,3x1,1), GRU(3), SM(3)]")
CELLS = CellSpec(
    Cell((Block(0, 1, "sep3", "identity"),)), Cell((Block(0, 1, "max3", "conv1"),)),
    repeats=(1, 1), filters=4, classes=3, stem_multiplier=1, auxiliary_head=True,
)  # fmt: skip


def tiny_tokens(count=26):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 20, (count, 8, 1, 1)).astype(np.int32)
    labels = rng.integers(0, 3, count).astype(np.int32)
    return Pixels(Split(tokens, labels), Split(tokens[:10], labels[:10]), 3, (8, 1, 1))


def tiny_pixels(count=26):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, count).astype(np.int32)
    held = Split(images[:10], labels[:10])
    return Pixels(Split(images, labels), held, 3, (8, 8, 3))


def test_adam_by_hand():
    # one weight 1.0, gradient 0.5, first step: m = .05, v = .00025; lr_t = lr sqrt(.001) / .1
    weight = tf.Variable(1.0)
    optimizer = FusedOptimizer(replace(RECIPE, weight_decay=0.0, epsilon=1e-8), [weight])
    optimizer.rate.assign(0.1)
    optimizer.apply([tf.constant(0.5)])
    wanted = 1.0 - 0.1 * (0.001**0.5 / 0.1) * 0.05 / (0.00025**0.5 + 1e-8)
    assert float(weight) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_fused_rules_are_those_of_keras(name):
    recipe = replace(RECIPE, optimizer=name, learning_rate=0.05)
    rng = np.random.default_rng(0)
    shapes = [(3, 2), (2,), (3, 3, 2, 2)]
    values = [rng.normal(size=shape).astype("float32") for shape in shapes]
    fused = [tf.Variable(value) for value in values]
    plain = [keras.Variable(value) for value in values]
    ours, theirs = FusedOptimizer(recipe, fused), make_optimizer(recipe, plain)
    for _ in range(4):
        gradients = [tf.constant(rng.normal(size=shape).astype("float32")) for shape in shapes]
        ours.apply(gradients)
        theirs.apply(gradients, plain)
    for left, right in zip(fused, plain, strict=True):
        np.testing.assert_allclose(left.numpy(), right.numpy(), rtol=2e-4, atol=1e-6)


def test_decay_spares_biases_and_a_reset_forgets():
    kernel, bias = tf.Variable(tf.ones((2, 2))), tf.Variable(tf.ones(2))
    optimizer = FusedOptimizer(replace(RECIPE, optimizer="sgd", momentum=0.0), [kernel, bias])
    optimizer.rate.assign(1.0)
    zeros = [tf.zeros((2, 2)), tf.zeros(2)]
    optimizer.apply(zeros)
    assert kernel.numpy() == pytest.approx(np.full((2, 2), 0.99))
    assert bias.numpy() == pytest.approx(np.ones(2))
    adam = FusedOptimizer(RECIPE, [bias])
    adam.apply([tf.ones(2)])
    once = bias.numpy().copy()
    adam.reset()
    bias.assign(tf.ones(2))
    adam.apply([tf.ones(2)])
    assert bias.numpy() == pytest.approx(once)
    adam.apply([None])


@pytest.mark.slow
@pytest.mark.parametrize("spec", [CHAIN, CELLS], ids=["chain", "cells"])
def test_both_loops_train_alike(spec):
    pixels = tiny_pixels()
    keras.utils.set_random_seed(3)
    first = build_model(spec, (8, 8, 3))
    second = build_model(spec, (8, 8, 3))
    second.set_weights(first.get_weights())
    loops = [TensorFlowLoop(first, pixels, RECIPE, 8), FitLoop(second, pixels, RECIPE, 8)]
    rng = np.random.default_rng(1)
    for epoch in range(3):
        order = rng.permutation(26).astype(np.int32)
        changes = rng.integers(-1, 2, (26, 4)).astype(np.int32) * np.array([1, 1, 1, 0], np.int32)
        ours, fit = (loop.train_epoch(order, changes, 1e-3 / (epoch + 1)) for loop in loops)
        assert ours == pytest.approx(fit, rel=2e-3, abs=2e-4)
        assert loops[0].validate() == pytest.approx(loops[1].validate(), rel=5e-3, abs=5e-4)
    for left, right in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0.02, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_both_loops_train_embeddings_alike(name):
    """An embedding's gradient is sparse: the fused rules must still move every moment."""
    pixels = tiny_tokens()
    recipe = replace(RECIPE, optimizer=name, augmentation="none", learning_rate=0.05)
    keras.utils.set_random_seed(3)
    first, second = build_model(TEXT, (8, 1, 1)), build_model(TEXT, (8, 1, 1))
    second.set_weights(first.get_weights())
    loops = [TensorFlowLoop(first, pixels, recipe, 8), FitLoop(second, pixels, recipe, 8)]
    rng = np.random.default_rng(1)
    for _ in range(2):
        order = rng.permutation(26).astype(np.int32)
        ours, fit = (loop.train_epoch(order, np.zeros((26, 4), np.int32), 0.05) for loop in loops)
        assert ours == pytest.approx(fit, rel=2e-3, abs=2e-4)
    assert loops[0].validate() == pytest.approx(loops[1].validate(), rel=5e-3, abs=5e-4)
    for left, right in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0.02, atol=2e-3)


def test_a_loss_that_is_not_finite_ends_the_epoch():
    pixels = tiny_pixels()
    model = build_model(CHAIN, (8, 8, 3))
    loop = TensorFlowLoop(model, pixels, replace(RECIPE, optimizer="sgd"), 2)
    order, changes = np.arange(26, dtype=np.int32), np.zeros((26, 4), np.int32)
    steps = 0
    compiled = loop._step

    def counted(*arguments):
        nonlocal steps
        steps += 1
        return compiled(*arguments)

    loop._step = counted
    loss, _ = loop.train_epoch(order, changes, 1e30)
    assert not np.isfinite(loss)
    assert steps < 10  # of 13
