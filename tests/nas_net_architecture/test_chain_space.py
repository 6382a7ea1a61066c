"""Zoph & Le's space: layer by layer, skip connections by anchor points, growing depth."""

from dataclasses import replace

import numpy as np
import pytest
from side_by_side import check_walk, random_walk

from nas_core.cost import Limits, cost
from nas_core.errors import SpecError, UsageError
from nas_core.space import follow, sample, spec_of
from nas_core.spec import CellSpec, ChainSpec
from nas_net_architecture.chain_config import PAPER_CHAIN, QUICK_CHAIN, ChainSpaceConfig
from nas_net_architecture.chain_space import ChainSpace
from nas_net_architecture.network import nasnet_like_small

SHAPE = (32, 32, 3)
PLAIN = ChainSpaceConfig(
    heights=(3,), widths=(3,), filters=(8, 16), batch_norms=(False,), depths=(3,),
    samples_per_depth=None,
)  # fmt: skip


def numbers(space, names):
    number = {space.describe(action): action for action in range(space.n_actions)}
    return [number[name] for name in names.split(", ")]


def legal_after(space, actions):
    return [space.describe(a) for a in np.flatnonzero(space.legal(follow(space, actions)))]


def test_the_papers_decisions():
    space = ChainSpace(PAPER_CHAIN, SHAPE, 10)
    assert legal_after(space, []) == [f"depth {depth}" for depth in range(6, 21, 2)]
    six = numbers(space, "depth 6")
    assert legal_after(space, six) == ["height 1", "height 3", "height 5", "height 7"]
    layer = numbers(space, "height 3, width 5, filters 36")
    assert legal_after(space, six + layer) == ["height 1", "height 3", "height 5", "height 7"]
    assert legal_after(space, six + layer * 2) == ["no skip", "skip"]
    # three decisions a layer, and one for each earlier layer
    assert space.n_steps == 1 + 3 * 20 + 20 * 19 // 2


def test_layers_skips_and_loose_ends():
    space = ChainSpace(PLAIN, SHAPE, 10)
    names = "filters 8, filters 16, no skip, filters 8, skip, no skip"
    spec = spec_of(space, numbers(space, names))
    # layer 1 reads nothing, so the image; layer 2 reads layer 0; layers 1 and 2 are left over
    assert spec.to_text() == "[C(8,3,1), C(16,3,1)@-1, C(8,3,1)@0, GAP@1@2, SM(10)]"
    names = "filters 8, filters 16, skip, filters 8, skip, skip"
    assert spec_of(space, numbers(space, names)).to_text() == (
        "[C(8,3,1), C(16,3,1), C(8,3,1)@0@1, GAP, SM(10)]"
    )


def test_regularisation_and_activations_are_decisions():
    config = replace(
        PLAIN, filters=(8,), depths=(1,), activations=("relu", "elu"), batch_norms=(False, True),
        dropouts=(0.0, 0.5), pools=(1, 2), strides=(1, 2),
    )  # fmt: skip
    space = ChainSpace(config, SHAPE, 10)
    names = "stride 2, stride 1, pool 2, elu, batch norm True, dropout 0.5"
    assert spec_of(space, numbers(space, names)).to_text() == (
        "[C(8,3,2x1,linear), BN, A(elu), P(2,2), D(0.5), GAP, SM(10)]"
    )


def test_anchor_points_follow_a_layers_own_decisions():
    space = ChainSpace(PLAIN, SHAPE, 10)
    # filters 0 | filters 1, skip 0 | filters 2, skip 0, skip 1
    assert space.anchors.pairs == {2: (2, 1), 4: (4, 1), 5: (4, 2)}
    assert space.describe(space.anchors.refuse) == "no skip"
    assert space.describe(space.anchors.connect) == "skip"


TIGHT = Limits(parameters=20_000, macs=5_000_000, activation_bytes=700_000)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (replace(PAPER_CHAIN, depths=(4, 6)), 300),
        (replace(PLAIN, skips=False), 300),
        (QUICK_CHAIN, 50),
        (replace(QUICK_CHAIN, limits=TIGHT, average=True), 30),
        (replace(PLAIN, strides=(1, 2, 3), pools=(1, 3)), 60),
    ],
)
@pytest.mark.parametrize("side", [32, 5])
def test_no_sample_is_ever_rejected(config, count, side):
    space = ChainSpace(config, (side, side, 3), 10)
    skipped = 0
    for number in range(count):
        actions = sample(space, np.random.default_rng(number))
        spec = spec_of(space, actions)
        found = cost(spec, space.image_shape)
        assert config.limits.allow(found.parameters, found.macs, found.peak_activation_bytes)
        if number < 30:
            assert space.encode(spec) == actions
            assert ChainSpec.from_text(spec.to_text()) == spec
        skipped += any(len(layer.inputs) > 1 for layer in spec.layers)
    assert (skipped > 0) is config.skips


def completed(space, state):
    """Finish plainly: the fewest layers and filters, the smallest kernels, reading the last."""
    if not state and len(space._config.depths) > 1:
        state = (space._plain[0],)
    depth = space._depth_index(state)
    return state + tuple(space._plain[len(state) : space._lengths[depth]])


def fits(space, state):
    try:
        found = cost(space.spec(completed(space, state)), space.image_shape)
    except SpecError:
        return False  # a map too small to pool
    return space._config.limits.allow_cost(found)


FEW = Limits(parameters=200_000, macs=3_000_000, activation_bytes=1_000_000)


@pytest.mark.parametrize(
    ("changes", "refusals"),
    [
        ({"average": True, "limits": TIGHT}, 20),
        ({"limits": replace(TIGHT, parameters=200_000)}, 20),
        ({"filters": (64, 16, 32), "heights": (3, 5, 1), "limits": FEW}, 20),
        ({"depths": (1, 2, 4), "limits": FEW}, 20),
        ({"depths": (2, 3), "skips": False, "strides": (1, 2, 3), "pools": (2, 4)}, 10),
        ({"limits": Limits(), "pools": (2, 3), "activations": ("relu", "elu")}, 0),
        ({"depths": (3,), "pools": (1,), "limits": Limits()}, 0),
        ({"heights": (3,), "widths": (3,), "filters": (8,), "pools": (1,), "dropouts": (0.0,),
          "batch_norms": (True,), "limits": Limits(parameters=90_000)}, 3),
    ],
)  # fmt: skip
def test_masks_are_what_trying_every_option_gives(changes, refusals):
    """And so are a walk's, of many networks at once: masks, ends, keys, sizes."""
    space = ChainSpace(replace(QUICK_CHAIN, **changes), SHAPE, 10)
    refused = 0
    drawn = [random_walk(space, np.random.default_rng(number)) for number in range(8)]
    for actions, seen in drawn:
        for number, (legal, _) in enumerate(seen):
            state = actions[:number]
            first = space._first[space._decisions[len(state)].kind]
            options = range(first, first + len(space._options[len(state)]))
            tried = [fits(space, (*state, action)) for action in options]
            assert legal[list(options)].tolist() == tried
            assert legal.sum() == sum(tried)
            refused += len(tried) - sum(tried)
    assert refused >= refusals
    check_walk(space, drawn)


def test_depth_grows_with_the_trials():
    space = ChainSpace(PAPER_CHAIN, SHAPE, 10)
    for trial, wanted in ((0, 6), (1599, 6), (1600, 8), (11_199, 18), (11_200, 20), (99_999, 20)):
        (action,) = np.flatnonzero(space.legal_for(trial, ()))
        assert space.describe(int(action)) == f"depth {wanted}"
    state = follow(space, numbers(space, "depth 6"))
    np.testing.assert_array_equal(space.legal_for(0, state), space.legal(state))
    free = ChainSpace(replace(PAPER_CHAIN, samples_per_depth=None), SHAPE, 10)
    assert free.legal_for(0, ()).sum() == 8


def test_what_cannot_be_is_refused_in_a_line():
    for bad in (
        {"filters": ()}, {"filters": (0,)}, {"heights": (3, 3)}, {"depths": (8, 6)},
        {"depths": (0,)}, {"depths": (41,)}, {"depths": ()}, {"samples_per_depth": 0},
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"expected .* received"):
            ChainSpaceConfig(**bad)
    with pytest.raises(SpecError, match="raise them"):
        ChainSpace(replace(QUICK_CHAIN, limits=Limits(macs=10)), SHAPE, 10)
    for bad in ({"activations": ("swoosh",)}, {"dropouts": (0.0, 1.5)}):
        with pytest.raises(SpecError):
            replace(QUICK_CHAIN, **bad)


def test_illegal_actions_and_foreign_specs_are_refused():
    space = ChainSpace(PLAIN, SHAPE, 10)
    with pytest.raises(SpecError, match="legal action"):
        space.step((), space.n_actions)
    for text in (
        "[C(9,3,1), C(16,3,1), C(8,3,1), GAP, SM(10)]",
        "[C(8,3,1), C(16,3,1), GAP, SM(10)]",
        "[C(8,3,1), C(16,3,1), C(8,3,1), GAP, SM(9)]",
        "[P(2,2), C(8,3,1), C(16,3,1), C(8,3,1), GAP, SM(10)]",
    ):
        with pytest.raises(SpecError):
            space.encode(ChainSpec.from_text(text))
    assert isinstance(nasnet_like_small(), CellSpec)
    with pytest.raises(SpecError, match="expected a chain"):
        space.encode(nasnet_like_small())
