"""Small networks side by side: gradients by differences, optimizers as TensorFlow's."""

import numpy as np
import pytest

from training_control.controls import OPTIMIZERS
from training_control.small_networks import IS_KERNEL, WEIGHTS, Networks, draw_networks
from training_control.small_problems import CLASSES, INPUTS, OFF, draw_problems


def drawn(count: int, seed: int = 0) -> Networks:
    networks = draw_networks(np.random.default_rng(seed), count)
    networks.weights = networks.weights.astype(float)
    return networks


def test_gradients_are_those_of_the_losses() -> None:
    networks, kept = drawn(30), np.full((30, 1, 1), 0.6)

    def at(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        networks.weights = weights
        return networks._gradient(np.random.default_rng(5), kept)  # the same batch and dropout

    weights = networks.weights
    _, gradient = at(weights)
    for place in np.random.default_rng(1).integers(0, WEIGHTS, 30):
        step = 1e-6 * (np.arange(WEIGHTS) == place)
        slope = (at(weights + step)[0] - at(weights - step)[0]) / 2e-6
        np.testing.assert_allclose(gradient[:, place], slope, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_step_as_those_of_real_trainings(optimizer: str) -> None:
    import tensorflow as tf

    from training_control.live_optimizer import LiveOptimizer

    networks, rng = drawn(2), np.random.default_rng(0)
    networks.weights = networks.weights.astype(np.float32)
    networks.optimizer[:] = OPTIMIZERS.index(optimizer)
    kernels = IS_KERNEL > 0
    kernel = tf.Variable(networks.weights[0][kernels][None])  # two dimensions: decayed
    bias = tf.Variable(networks.weights[0][~kernels])
    live = LiveOptimizer([kernel, bias], (optimizer,))
    live.rate.assign(0.01), live.decay.assign(0.1)
    for _ in range(4):
        gradient = rng.normal(size=(2, WEIGHTS)).astype(np.float32)
        live.apply([gradient[0][kernels][None], gradient[0][~kernels]])
        scale, decay = np.full((2, 1), 0.01, np.float32), np.full((2, 1), 0.1, np.float32)
        networks.weights -= networks._update(gradient.copy(), scale, decay)
    np.testing.assert_allclose(networks.weights[0][kernels], kernel.numpy()[0], atol=1e-6)
    np.testing.assert_allclose(networks.weights[0][~kernels], bias.numpy(), atol=1e-6)


def test_training_learns_and_evaluation_knows_losses_and_scores() -> None:
    networks = draw_networks(np.random.default_rng(2), 64)
    first, _ = networks.evaluate()
    rate = 5e-3 / networks.reach
    loss, norm, ratio = networks.train(
        np.random.default_rng(0), 200, rate, np.full(64, 0.1), np.full(64, 1e-6)
    )
    last, score = networks.evaluate()
    assert np.median(last / first) < 0.8 and np.median(score) > 0.5
    assert ((score >= 0) & (score <= 1)).all() and (norm > 0).all() and (ratio > 0).all()
    assert np.median(loss) < np.median(first)


def test_what_overflows_says_so_and_goes_back() -> None:
    networks = draw_networks(np.random.default_rng(3), 8)
    before = networks.snapshot()
    networks.train(np.random.default_rng(0), 3, np.full(8, 1e30), np.zeros(8), np.zeros(8))
    loss, _ = networks.evaluate()
    ruined = ~np.isfinite(loss) | (loss > 100)
    assert ruined.all()
    networks.restore(ruined, before)
    np.testing.assert_array_equal(networks.weights, before[0])


def test_problems_have_targets_that_can_be_learned() -> None:
    problems = draw_problems(np.random.default_rng(0), 200)
    targets, classes = problems.examples[:, :, INPUTS:], (problems.offsets[:, 0] > OFF).sum(1)
    for number in range(200):
        if problems.regression[number]:
            assert classes[number] == 1 and (targets[number, :, 1:] == 0).all()
            assert 0.5 < targets[number, :, 0].std() < 1.5
        else:
            assert 2 <= classes[number] <= CLASSES
            assert (targets[number].sum(1) == 1).all()
            assert (targets[number, :, classes[number] :] == 0).all()
    assert 20 < problems.regression.sum() < 60
    assert (problems.count >= 60).all() and (problems.count <= problems.examples.shape[1]).all()


def test_above_its_limit_a_network_dies_for_good_and_no_rise_is_left_to_see() -> None:
    networks, rng = draw_networks(np.random.default_rng(4), 64), np.random.default_rng(0)
    fragile = np.isfinite(networks.limit)
    assert 12 < fragile.sum() < 44 and not (fragile & networks.bent).any()
    first, _ = networks.evaluate()
    useful = 5e-3 / networks.reach
    high = np.where(fragile, 1.1 * networks.limit, useful)
    none, tiny = np.zeros(64), np.full(64, 1e-6)
    seen, _, _ = networks.train(rng, 6, high, none, tiny)
    dead, _ = networks.evaluate()
    assert np.quantile((seen / first)[fragile], 0.75) > 1.1  # the step before the end shows
    assert (dead[fragile] < 1.5 * first[fragile]).all()  # nothing that would be rolled back
    networks.train(rng, 200, useful, none, tiny)
    later, _ = networks.evaluate()
    assert np.median(later[fragile] / first[fragile]) > 0.8
    assert np.median(later[~fragile] / first[~fragile]) < 0.75
