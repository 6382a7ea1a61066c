"""What the model is told of a network's size, and where nothing is known of it."""

from math import exp, log10

import numpy as np
from tiny_tables import SPACE as TABLE

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.cost import cost
from nas_core.reward_model.encoding import WAVES, Encoder, padded
from nas_core.space import Sized, sample, spec_of

IMAGE = (32, 32, 3)
SPACE = MetaQNNSpace(QUICK_SPACE, IMAGE, 5)
DRAWN = [sample(SPACE, np.random.default_rng(number)) for number in range(12)]


def test_networks_are_alike_by_their_distance_in_decades():
    sizes = Encoder.of(SPACE).inputs(DRAWN).sizes
    figures = [cost(spec_of(SPACE, actions), IMAGE) for actions in DRAWN]
    decades = np.array([[log10(f.parameters), log10(f.macs)] for f in figures])
    distance = np.linalg.norm(decades[:, None] - decades, axis=-1)
    wanted = np.vectorize(lambda d: exp(-0.5 * d * d))(distance)
    assert distance.max() > 1.0
    np.testing.assert_allclose(sizes @ sizes.T, wanted, atol=3.5 / WAVES**0.5)


def test_a_batch_has_the_sizes_of_its_sequences():
    encoder, steps = Encoder.of(SPACE), max(map(len, DRAWN))
    actions, made = np.zeros((steps, 12), int), np.zeros((steps, 12), bool)
    for column, drawn in enumerate(DRAWN):
        actions[: len(drawn), column], made[: len(drawn), column] = drawn, True
    np.testing.assert_array_equal(encoder.batch(actions, made).sizes, encoder.inputs(DRAWN).sizes)


def test_a_network_has_the_same_features_alone_and_among_others_to_the_last_bit():
    encoder = Encoder.of(SPACE)
    alone = np.concatenate([encoder.inputs([actions]).sizes for actions in DRAWN])
    np.testing.assert_array_equal(encoder.inputs(DRAWN).sizes, alone)
    figures = [cost(spec_of(SPACE, actions), IMAGE) for actions in DRAWN]
    counted = np.array([[one.parameters, one.macs] for one in figures])
    np.testing.assert_array_equal(encoder.inputs(DRAWN, counted).sizes, alone)


class UncountedSpace:
    """A space of the user's own, which counts nothing at once."""

    def __init__(self):
        for name in ("name", "n_actions", "n_steps", "image_shape", "initial", "legal", "step",
                     "is_terminal", "key", "spec", "encode", "describe", "config"):  # fmt: skip
            setattr(self, name, getattr(SPACE, name))


def test_spaces_that_count_networks_one_by_one_have_the_same_features():
    assert not isinstance(UncountedSpace(), Sized)
    wanted, encoder = Encoder.of(SPACE).inputs(DRAWN), Encoder.of(UncountedSpace())
    np.testing.assert_array_equal(encoder.inputs(DRAWN).sizes, wanted.sizes)
    np.testing.assert_array_equal(encoder.batch(*padded(DRAWN)).sizes, wanted.sizes)


def test_sequences_are_padded_behind_their_ends():
    actions, made = padded([(3, 1), (2,), ()])
    assert actions.tolist() == [[3, 2, 0], [1, 0, 0]]
    assert made.tolist() == [[True, True, False], [True, False, False]]


def test_rows_of_a_table_have_no_sizes():
    encoder = Encoder.of(TABLE)
    assert encoder.n_sizes == 0
    assert encoder.batch(np.zeros((2, 3), int), np.ones((2, 3), bool)).sizes.shape == (3, 0)
