"""The regression by hand, and against its own definition with every feature written down."""

import math
from itertools import combinations

import numpy as np
import pytest

from nas_core.errors import UsageError
from nas_core.reward_model.basis import Basis, Prior
from nas_core.reward_model.coding import Coding
from nas_core.reward_model.encoding import Encoder, Inputs
from nas_core.reward_model.posterior import Posterior

# One decision between two actions: f = c + w_0 or c + w_1, each of variance 1.
TWO = Basis(Coding(1, 2), Prior(constant=1.0, single=1.0, shared=0.0, pairs=0.0))
BOTH = Encoder(TWO.coding).inputs([(0,), (1,)])
# K = [[2, 1], [1, 2]], noise 1: (K + I)^-1 = [[3, -1], [-1, 3]] / 8, alpha = (3, -1) for y = (8, 0).
POSTERIOR = Posterior(TWO, BOTH, np.array([8.0, 0.0]), np.ones(2))

SEQUENCES = [(0, 1, 2), (2, 1, 0), (0, 1), (2,), (1, 1, 1), (0, 0, 2)]
WIDE = Basis(Coding(3, 3), Prior(constant=0.5, single=1.5, shared=0.9, pairs=2.0))


def test_two_observations_of_two_features_by_hand():
    np.testing.assert_allclose(TWO.kernel(BOTH), [[2, 1], [1, 2]])
    mean = POSTERIOR.mean()
    assert mean.constant == pytest.approx(2.0)
    np.testing.assert_allclose(mean.weights, [[3, 0], [0, -1]])
    np.testing.assert_allclose(mean.values(BOTH), [5, 1])
    # y' alpha = 24, det = 8
    wanted = -12 - 0.5 * math.log(8) - math.log(2 * math.pi)
    assert POSTERIOR.evidence() == pytest.approx(wanted)


def test_samples_have_the_posterior_mean_and_covariance():
    rng = np.random.default_rng(0)
    drawn = np.stack([POSTERIOR.sample(rng).values(BOTH) for _ in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), [5, 1], atol=0.05)
    # K - K (K + I)^-1 K = [[2, 1], [1, 2]] - [[11, 7], [7, 11]] / 8
    np.testing.assert_allclose(np.cov(drawn.T), [[0.625, 0.125], [0.125, 0.625]], atol=0.05)


def written_down(actions):
    """Return all features of WIDE, each times its prior deviation."""
    single, shared, pairs = np.zeros(9), np.zeros(3), np.zeros((9, 9))
    taken = [3 * number + action for number, action in enumerate(actions)]
    single[taken] = math.sqrt(1.5 / 3)
    for action in actions:
        shared[action] += math.sqrt(0.9) / 3
    for one, other in combinations(taken, 2):
        pairs[one, other] = math.sqrt(2.0 / 3)
    return np.concatenate([[math.sqrt(0.5)], single, shared, pairs.ravel()])


def test_the_kernel_is_the_product_of_features_never_written_down():
    features = np.stack([written_down(actions) for actions in SEQUENCES])
    places = Encoder(WIDE.coding).inputs(SEQUENCES)
    kernel = WIDE.kernel(places)
    np.testing.assert_allclose(kernel, features @ features.T)
    alpha = np.arange(6.0) - 2
    np.testing.assert_allclose(WIDE.combined(places, alpha).values(places), kernel @ alpha)


def test_prior_draws_have_the_kernel_as_covariance():
    rng, places = np.random.default_rng(1), Encoder(WIDE.coding).inputs(SEQUENCES)
    drawn = np.stack([WIDE.draw(rng).values(places) for _ in range(6000)])
    np.testing.assert_allclose(np.cov(drawn.T), WIDE.kernel(places), atol=0.35)


def test_a_batch_is_coded_as_its_sequences():
    actions = np.array([[0, 2], [1, 0], [2, 0]])  # [T, B]: (0, 1, 2) and (2,)
    made = np.array([[True, True], [True, False], [True, False]])
    wanted = WIDE.coding.places([(0, 1, 2), (2,)])
    np.testing.assert_array_equal(WIDE.coding.places_of(actions, made), wanted)
    np.testing.assert_array_equal(wanted, [[0, 4, 8], [2, 9, 9]])


@pytest.mark.parametrize("prior", [{"pairs": -1.0}, {"single": 0.0, "shared": 0.0, "pairs": 0.0}])
def test_a_prior_without_sense_is_refused(prior):
    with pytest.raises(UsageError, match="variances"):
        Prior(**prior)


def test_sizes_are_features_like_others():
    prior = Prior(constant=1.0, single=1.0, shared=0.0, pairs=0.0, sizes=2.0)
    basis = Basis(Coding(1, 2), prior, 2)
    inputs = Inputs(np.array([[0], [1]]), np.array([[1.0, 0.0], [0.6, 0.8]]))
    # [[2, 1], [1, 2]] + 2 * [[1, 0.6], [0.6, 1]]
    np.testing.assert_allclose(basis.kernel(inputs), [[4, 2.2], [2.2, 4]])
    alpha = np.array([0.5, -1.0])
    combined = basis.combined(inputs, alpha)
    np.testing.assert_allclose(combined.sizes, [-0.2, -1.6])
    np.testing.assert_allclose(combined.values(inputs), basis.kernel(inputs) @ alpha)
    rng = np.random.default_rng(2)
    drawn = np.stack([basis.draw(rng).values(inputs) for _ in range(6000)])
    np.testing.assert_allclose(np.cov(drawn.T), basis.kernel(inputs), atol=0.3)
