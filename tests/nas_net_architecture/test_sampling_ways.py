"""Three ways to draw a batch, one result: all at once, with a tree, and by asking the space."""

import numpy as np
import pytest
from small_spaces import GridSpace

from nas_core.doctor.problems import graph
from nas_core.tree import Tree
from nas_net_architecture.agent import make_policy
from nas_net_architecture.config import LearnerConfig
from nas_net_architecture.decisions import sample
from nas_net_architecture.layout import layout_of


class FixedGrid(GridSpace):
    @property
    def fixed_masks(self):
        return np.ones((self.n_steps, self.n_actions), bool)


def drawn(space, policy, tree=None):
    rng = np.random.default_rng(3)
    made = make_policy(LearnerConfig(policy=policy), layout_of(space), rng)
    for name in made.weights:
        made.weights[name] *= 50  # far from uniform
    return sample(made, space, range(40), rng.random((space.n_steps, 40)), tree)


def assert_same(one, other):
    np.testing.assert_array_equal(one.sequences.actions, other.sequences.actions)
    np.testing.assert_array_equal(one.sequences.made, other.sequences.made)
    np.testing.assert_allclose(one.log_prob, other.log_prob, rtol=1e-6)
    masks = (np.broadcast_to(d.sequences.masks, (*d.log_prob.shape, 5)) for d in (one, other))
    np.testing.assert_array_equal(*masks)


def test_all_at_once_draws_what_one_by_one_would():
    assert_same(drawn(FixedGrid(), "independent"), drawn(GridSpace(), "independent"))


@pytest.mark.parametrize("policy", ["independent", "lstm"])
def test_a_tree_says_what_the_space_says(policy):
    space = graph().space
    assert space.n_actions == 5
    tree = Tree(space)
    for _ in range(2):  # met for the first time, and remembered
        assert_same(drawn(space, policy, tree), drawn(space, policy))
