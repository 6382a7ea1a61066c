"""What the model is told of a network's size, and where nothing is known of it."""

from math import exp, log10

import numpy as np
from tiny_tables import SPACE as TABLE

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.cost import cost
from nas_core.reward_model.encoding import WAVES, Encoder
from nas_core.space import sample, spec_of

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


def test_rows_of_a_table_have_no_sizes():
    encoder = Encoder.of(TABLE)
    assert encoder.n_sizes == 0
    assert encoder.batch(np.zeros((2, 3), int), np.ones((2, 3), bool)).sizes.shape == (3, 0)
