"""The space for texts: decisions in a fixed order, one vector at the end, nothing rejected."""

from dataclasses import replace

import numpy as np
import pytest
from side_by_side import check_walk, random_walk

from nas_core.cost import Limits, cost
from nas_core.errors import SpecError, UsageError
from nas_core.registry import build_space, space_entry
from nas_core.space import decision_name, follow, sample, spec_of
from nas_core.spec import ChainSpec
from nas_core.trainer.recipe import Recipe
from nas_net_architecture.text_config import QUICK_TEXT, TextSpaceConfig
from nas_net_architecture.text_outlines import kind_of
from nas_net_architecture.text_space import TextSpace

SMALL = TextSpaceConfig(
    embeddings=(8, 16), dropouts=(0.0, 0.5), states=(4,), depths=(0, 1, 2), kernels=(2, 3),
    filters=(8,), pools=(1, 2), limits=Limits(),
)  # fmt: skip


def space_of(config=SMALL, length=12, words=50):
    return TextSpace(config, (length, 1, 1), 2, words)


def numbers(space, names):
    number = {space.describe(action): action for action in range(space.n_actions)}
    return [number[name] for name in names.split(", ")]


def text_of(names, **options):
    space = space_of(**options)
    return spec_of(space, numbers(space, names)).to_text()


def legal_after(space, names):
    actions = numbers(space, names) if names else []
    return [space.describe(a) for a in np.flatnonzero(space.legal(follow(space, actions)))]


def test_decisions_by_hand():
    assert text_of("embedding 8, dropout 0.0, end average, depth 0") == "[E(50,8), GAP, SM(2)]"
    assert text_of(
        "embedding 16, dropout 0.5, end bgru 4, depth 2, kernel 3, filters 8, pool 2, kernel 2, "
        "filters 8, pool 1"
    ) == (
        "[E(50,16), D(0.5), C(8,3x1,1), P(2x1,2x1), C(8,2x1,1), BGRU(4), D(0.5), SM(2)]"
    )  # fmt: skip


def test_the_maximum_is_over_all_positions_that_are_left():
    names = "embedding 8, dropout 0.0, end maximum, depth 1, kernel 3, filters 8, pool 2"
    assert text_of(names) == "[E(50,8), C(8,3x1,1), P(2x1,2x1), P(6x1,6x1), GAP, SM(2)]"
    assert text_of(names, length=2) == "[E(50,8), C(8,3x1,1), P(2x1,2x1), GAP, SM(2)]"


def test_what_is_decided_when():
    space = space_of()
    assert legal_after(space, "") == ["embedding 8", "embedding 16"]
    assert legal_after(space, "embedding 8, dropout 0.5") == [
        "end average", "end maximum", "end gru 4", "end lstm 4", "end bgru 4", "end blstm 4",
    ]  # fmt: skip
    assert legal_after(space, "embedding 8, dropout 0.5, end average, depth 0") == []
    assert space.n_steps == 4 + 2 * 3
    assert [decision_name(space, number) for number in (0, 3, 4, 9)] == [
        "embedding", "depth", "layer 0: kernel", "layer 1: pool",
    ]  # fmt: skip


def test_a_text_of_one_position_is_not_pooled():
    space = space_of(length=1)
    start = "embedding 8, dropout 0.0, end average, depth 1, kernel 2, filters 8"
    assert legal_after(space, start) == ["pool 1"]


@pytest.mark.parametrize(
    ("config", "length", "words"),
    [
        (QUICK_TEXT, 48, 8000),
        (QUICK_TEXT, 3, 20),
        (QUICK_TEXT, 128, 65536),
        (replace(QUICK_TEXT, limits=Limits(macs=300_000, activation_bytes=60_000)), 48, 8000),
        (replace(SMALL, states=()), 7, 30),
        (replace(SMALL, pools=(2, 3)), 7, 30),
    ],
)
def test_no_sample_is_ever_rejected(config, length, words):
    space = space_of(config, length, words)
    for number in range(60):
        spec = spec_of(space, sample(space, np.random.default_rng(number)))
        assert config.limits.allow_cost(cost(spec, space.image_shape))
        assert spec_of(space, space.encode(spec)).digest == spec.digest
        assert ChainSpec.from_text(spec.to_text()) == spec


def test_every_way_to_end_is_met_and_read_back():
    space = space_of()
    for end in SMALL.ends:
        names = f"embedding 8, dropout 0.5, end {end}, depth 1, kernel 2, filters 8, pool 2"
        actions = tuple(numbers(space, names))
        assert space.encode(spec_of(space, actions)) == actions


def test_a_tabular_agent_tells_networks_of_other_depths_apart():
    space = space_of()
    keys = {
        space.key(follow(space, numbers(space, f"embedding 8, dropout 0.0, end average, {rest}")))
        for rest in ("depth 0", "depth 1", "depth 2", "depth 1, kernel 2", "depth 2, kernel 2")
    }
    assert len(keys) == 5


@pytest.mark.parametrize(
    "text",
    [
        "[SM(2)]", "[GAP, SM(2)]", "[C(8,3x1,1), GAP, SM(2)]", "[E(50,9), GAP, SM(2)]",
        "[E(51,8), GAP, SM(2)]", "[E(50,8), GAP, SM(3)]", "[E(50,8), D(0.5), GAP, SM(2)]",
        "[E(50,8), C(8,3,1), GAP, SM(2)]", "[E(50,8), C(9,3x1,1), GAP, SM(2)]",
        "[E(50,8), P(3x1,3x1), GAP, SM(2)]", "[E(50,8), GRU(5), SM(2)]", "[E(50,8), FC(4), SM(2)]",
        "[E(50,8), GRU(4), FC(4), SM(2)]", "[E(50,8), C(8,2x1,1), C(8,2x1,1), C(8,2x1,1), GAP, SM(2)]",
        "[E(50,8), C(8,2x1,1), BN, GAP, SM(2)]", "[E(50,8), C(8,2x1,1,elu), GAP, SM(2)]",
    ],
)  # fmt: skip
def test_foreign_networks_are_refused(text):
    with pytest.raises(SpecError, match="of the space"):
        space_of().encode(ChainSpec.from_text(text))


def test_what_cannot_be_is_refused_in_a_line():
    for bad in (
        {"embeddings": ()}, {"filters": (0,)}, {"kernels": (3, 3)}, {"depths": (-1,)},
        {"pools": ()}, {"states": (0,)}, {"dropouts": (-0.1,)},
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"expected .* received"):
            TextSpaceConfig(**bad)
    with pytest.raises(SpecError):
        TextSpaceConfig(dropouts=(1.5,))
    with pytest.raises(SpecError, match="shorter texts"):
        space_of(replace(SMALL, limits=Limits(parameters=10)))
    with pytest.raises(SpecError, match="legal action"):
        space_of().step((), 5)


def test_registered_by_name():
    entry = space_entry("text")
    assert (entry.kind, entry.default_agent) == ("text", "reinforce")
    for preset in ("quick", "paper"):
        space = build_space("text", preset, (48, 1, 1), 2, 8000)
        assert space.config()["words"] == 8000
        recipe = entry.recipe(preset)
        assert isinstance(recipe, Recipe)
        assert (recipe.image_size, recipe.augmentation) == (None, "none")
        assert entry.trials[preset] > 0


def completed(space, state):
    """Finish plainly: the smallest values, the most pooling that there is room for, the average."""
    while not space.is_terminal(state):
        kind = kind_of(len(state))
        options, length = space._options[kind], space._length(state)
        value = "average" if kind == "end" else min(options)
        if kind == "pool":
            value = max((size for size in options if size <= length), default=value)
        state = (*state, space._first[kind] + options.index(value))
    return state


def fits(space, state):
    try:
        found = cost(space.spec(completed(space, state)), space.image_shape)
    except SpecError:
        return False
    return space._config.limits.allow_cost(found)


FEW = Limits(parameters=40_000, macs=400_000, activation_bytes=120_000)


@pytest.mark.parametrize(
    ("config", "length", "refusals"),
    [
        (replace(QUICK_TEXT, limits=FEW), 48, 40),
        (replace(QUICK_TEXT, limits=Limits(macs=900_000), dropouts=(0.3,)), 31, 10),
        (replace(SMALL, pools=(2, 3, 5)), 12, 3),
    ],
)
def test_masks_are_what_trying_every_option_gives(config, length, refusals):
    """And so are a walk's, of many networks at once: masks, ends, keys, sizes."""
    space, refused = space_of(config, length, 300), 0
    drawn = [random_walk(space, np.random.default_rng(number)) for number in range(12)]
    for actions, seen in drawn:
        for number, (legal, _) in enumerate(seen):
            kind = kind_of(number)
            first = space._first[kind]
            options = range(first, first + len(space._options[kind]))
            tried = [fits(space, (*actions[:number], action)) for action in options]
            assert legal[list(options)].tolist() == tried
            assert legal.sum() == sum(tried)
            refused += len(tried) - sum(tried)
    assert refused >= refusals
    check_walk(space, drawn)
