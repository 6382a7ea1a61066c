"""NASNet's space: five decisions a block, masks by position, limits that nothing exceeds."""

from dataclasses import replace

import numpy as np
import pytest
from side_by_side import check_walk, random_walk

from nas_core.cost import Limits, cost
from nas_core.errors import SpecError, UsageError
from nas_core.space import follow, sample, spec_of
from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.tree import Tree
from nas_net_architecture.cell_space import PAPER_CELLS, QUICK_CELLS, CellSpace, CellSpaceConfig
from nas_net_architecture.network import nasnet_a_cifar

SHAPE = (32, 32, 3)
PAPER = CellSpace(PAPER_CELLS, SHAPE, 10)
QUICK = CellSpace(QUICK_CELLS, SHAPE, 10)


def legal_after(space, actions):
    state = follow(space, actions)
    return [space.describe(action) for action in np.flatnonzero(space.legal(state))]


def test_the_papers_decisions():
    assert PAPER.n_steps == 2 * 5 * 5
    assert PAPER.n_actions == 6 + 13 + 2
    assert legal_after(PAPER, []) == ["h0", "h1"]
    number = {PAPER.describe(action): action for action in range(PAPER.n_actions)}
    block = [number[name] for name in ("h0", "h1", "sep3", "avg3", "add")]
    assert len(legal_after(PAPER, block[:2])) == 13
    assert legal_after(PAPER, block[:4]) == ["add", "concat"]
    assert legal_after(PAPER, block) == ["h0", "h1", "h2"]
    assert legal_after(PAPER, block * 4) == ["h0", "h1", "h2", "h3", "h4", "h5"]
    assert legal_after(PAPER, block * 5) == ["h0", "h1"]  # the reduction cell begins
    assert PAPER.is_terminal(follow(PAPER, block * 10))


def test_quick_is_forty_decisions():
    assert QUICK.n_steps == 40
    np.testing.assert_array_equal(QUICK.fixed_masks[7], QUICK.legal(tuple([0, 0, 5, 5, 10, 0, 0])))


def test_decisions_are_the_blocks_in_order():
    space = CellSpace(CellSpaceConfig(1, ("sep3", "avg3")), SHAPE, 10)
    names = ["h1", "h0", "avg3", "sep3", "concat", "h0", "h0", "sep3", "sep3", "add"]
    number = {space.describe(action): action for action in range(space.n_actions)}
    spec = spec_of(space, [number[name] for name in names])
    assert spec.normal == Cell((Block(1, 0, "avg3", "sep3", "concat"),))
    assert spec.reduction == Cell((Block(0, 0, "sep3", "sep3", "add"),))
    assert (spec.stacks, spec.filters, spec.classes) == ((2, 2, 2), 32, 10)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (PAPER_CELLS, 500),
        (QUICK_CELLS, 1000),
        (replace(QUICK_CELLS, blocks=2, limits=Limits(macs=3_500_000)), 60),
        (
            replace(
                QUICK_CELLS,
                limits=Limits(parameters=15_000, macs=7_000_000, activation_bytes=10**7),
            ),
            12,
        ),
    ],
)
def test_no_sample_is_ever_rejected(config, count):
    space = CellSpace(config, SHAPE, 10)
    for number in range(count):
        actions = sample(space, np.random.default_rng(number))
        spec = spec_of(space, actions)
        found = cost(spec, SHAPE)
        assert config.limits.allow(found.parameters, found.macs, found.peak_activation_bytes)
        if number < 50:
            assert space.encode(spec) == actions
            assert CellSpec.from_json(spec.to_json()) == spec


def test_limits_narrow_the_masks():
    limits = Limits(macs=3_500_000)
    space = CellSpace(replace(QUICK_CELLS, blocks=2, limits=limits), SHAPE, 10)
    assert space.fixed_masks is None
    free = CellSpace(replace(QUICK_CELLS, blocks=2), SHAPE, 10)
    draws = [sample(free, np.random.default_rng(number)) for number in range(60)]
    assert any(cost(spec_of(free, a), SHAPE).macs > limits.macs for a in draws)


def test_what_cannot_be_is_refused_in_a_line():
    for bad in (
        {"blocks": 0}, {"blocks": 13}, {"operations": ()}, {"operations": ("sep4",)},
        {"operations": ("sep3", "sep3")},
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"expected .* received"):
            CellSpaceConfig(**bad)
    for bad in ({"filters": 0}, {"filters": 1 << 20}, {"repeats": ()}, {"repeats": (0, 0)}):
        with pytest.raises(SpecError, match="expected "):
            CellSpace(CellSpaceConfig(**bad), SHAPE, 10)
    with pytest.raises(SpecError, match="raise them"):
        CellSpace(replace(QUICK_CELLS, limits=Limits(parameters=10)), SHAPE, 10)


def test_illegal_actions_and_foreign_specs_are_refused():
    with pytest.raises(SpecError, match="legal action"):
        QUICK.step((), 2)  # no block exists yet
    with pytest.raises(SpecError, match="legal action"):
        QUICK.step((), 99)
    mine = spec_of(QUICK, sample(QUICK, np.random.default_rng(0)))
    for foreign in (
        ChainSpec.from_text("[C(8,3), GAP, SM(10)]"),
        nasnet_a_cifar(),
        replace(mine, filters=32),
        replace(mine, normal=Cell(mine.normal.blocks[:2])),
    ):
        with pytest.raises(SpecError):
            QUICK.encode(foreign)


def test_config_identifies_the_space():
    assert QUICK.config() == CellSpace(QUICK_CELLS, SHAPE, 10).config()
    assert QUICK.config()["image_shape"] == [32, 32, 3]
    assert QUICK.config() != CellSpace(replace(QUICK_CELLS, blocks=5), SHAPE, 10).config()


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (QUICK_CELLS, 40),
        (PAPER_CELLS, 10),
        (replace(PAPER_CELLS, blocks=2, repeats=(0, 2, 1), stem_multiplier=1), 20),
        (replace(QUICK_CELLS, blocks=1, repeats=(1,), stem_multiplier=2), 20),
    ],
)
def test_networks_side_by_side_are_counted_like_single_ones(config, count):
    space = CellSpace(config, (19, 32, 3), 7)
    check_walk(space, [random_walk(space, np.random.default_rng(seed)) for seed in range(count)])


def test_where_limits_narrow_the_masks_each_state_is_asked_for():
    space = CellSpace(replace(QUICK_CELLS, blocks=1, limits=Limits(macs=3_500_000)), SHAPE, 10)
    assert space.walk(2) is None
    masks, made = Tree(space).walk(2).masks()
    np.testing.assert_array_equal(masks, np.stack([space.legal(())] * 2))
    assert made.all()
