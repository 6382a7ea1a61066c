"""The remembered walk is the space's own."""

import numpy as np

import nas_core.tree
from nas_core.doctor.problems import graph
from nas_core.space import spec_of
from nas_core.tree import Tree

SPACE = graph().space


def test_every_node_says_what_the_space_says():
    tree = Tree(SPACE)
    for _ in range(2):  # asked for the first time, and remembered
        for state in SPACE.nodes():
            node = tree.root()
            for action in state:
                node = tree.child(node, action)
            assert tree.key(node) == SPACE.key(state)
            np.testing.assert_array_equal(tree.mask(node), SPACE.legal(state))
            assert tree.options[node] == np.flatnonzero(SPACE.legal(state)).tolist()


def test_a_batch_steps_as_one_by_one():
    tree = Tree(SPACE)
    nodes = np.array([tree.child(tree.root(), 1), tree.child(tree.root(), 2)])
    after = tree.step(nodes, np.array([3, 0]))
    assert after.tolist() == [tree.child(int(nodes[0]), 3), tree.child(int(nodes[1]), 0)]
    np.testing.assert_array_equal(tree.masks(after), [SPACE.legal((1, 3)), np.zeros(5, bool)])


def test_uniform_walks_reach_every_end():
    tree, rng = Tree(SPACE), np.random.default_rng(0)
    drawn = {tree.uniform(rng) for _ in range(400)}
    assert drawn == set(SPACE.ends())
    assert all(spec_of(SPACE, actions) for actions in drawn)


def test_a_part_of_the_legal_actions_may_be_asked_for():
    part = Tree(SPACE, lambda state: SPACE.legal(state) & (np.arange(SPACE.n_actions) == 2))
    assert part.options[part.root()] == [2]


def test_too_many_nodes_are_forgotten(monkeypatch):
    monkeypatch.setattr(nas_core.tree, "MOST_NODES", 2)
    tree, rng = Tree(SPACE), np.random.default_rng(0)
    assert {tree.uniform(rng) for _ in range(200)} == set(SPACE.ends())
    assert len(tree.options) < 10
