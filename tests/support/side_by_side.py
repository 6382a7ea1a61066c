"""Whether walks of many architectures say what a space says of each by itself."""

import numpy as np

from nas_core.cost import cost
from nas_core.reward_model.encoding import padded
from nas_core.space import Sized, Walks, spec_of


def random_walk(space, rng):
    """Return random legal actions, with the mask and the key before each."""
    state, actions, seen = space.initial(), [], []
    while not space.is_terminal(state):
        legal = space.legal(state)
        seen.append((legal.copy(), space.key(state)))
        actions.append(int(rng.choice(np.flatnonzero(legal))))
        state = space.step(state, actions[-1])
    return tuple(actions), seen


def check_walk(space, drawn):
    """Walk side by side what `random_walk` drew: masks, ends and keys; then the sizes."""
    assert isinstance(space, Walks)
    walk = space.walk(len(drawn))
    for number in range(max(len(actions) for actions, _ in drawn) + 1):
        masks, made = walk.masks()
        assert made.tolist() == [number < len(actions) for actions, _ in drawn]
        taken = np.zeros(len(drawn), int)
        for place, ((actions, seen), key) in enumerate(zip(drawn, walk.keys(), strict=True)):
            if made[place]:
                wanted, wanted_key = seen[number]
                np.testing.assert_array_equal(masks[place], wanted)
                assert key == wanted_key
                taken[place] = actions[number]
            else:
                assert np.flatnonzero(masks[place]).tolist() == [0]
        if made.any():
            walk.step(taken, made)
    check_sizes(space, [actions for actions, _ in drawn], walk.sizes())


def check_sizes(space, sequences, walked=None):
    """Compare what a space counts at once with the cost of each network."""
    assert isinstance(space, Sized)
    found = [cost(spec_of(space, actions), space.image_shape) for actions in sequences]
    wanted = [[one.parameters, one.macs] for one in found]
    assert space.sizes(*padded(sequences)).tolist() == wanted
    assert walked is None or walked.tolist() == wanted
