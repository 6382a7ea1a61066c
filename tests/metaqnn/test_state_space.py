"""MetaQNN's transition rules, its state, and limits that nothing ever exceeds."""

from dataclasses import replace

import numpy as np
import pytest
from side_by_side import check_walk, random_walk

from metaqnn.config import PAPER_SPACE, QUICK_SPACE, SpaceConfig
from metaqnn.masks import representation_bin
from metaqnn.state_space import MetaQNNSpace, dropout_rates
from nas_core.cost import Limits, cost
from nas_core.errors import SpecError, UsageError
from nas_core.space import follow, sample, spec_of
from nas_core.spec import ChainSpec, Conv, Dense, GlobalAveragePool, Pool

SHAPE = (32, 32, 3)
PAPER = MetaQNNSpace(PAPER_SPACE, SHAPE, 10)
NUMBER = {PAPER.describe(action): action for action in range(PAPER.n_actions)}


def legal_after(*names, space=PAPER):
    state = follow(space, [NUMBER[name] for name in names])
    return {space.describe(action) for action in np.flatnonzero(space.legal(state))}


def test_paper_action_counts():
    # Twelve convolutions, three poolings, GAP and softmax (the published code offers only 14).
    assert len(legal_after("C(64,3,1)")) == 12 + 3 + 2
    assert len(legal_after()) == 12 + 2  # as the authors' code: the first layer does not pool


def test_pooling_and_dense_layers_are_reachable():
    assert {"P(5,3)", "P(3,2)", "P(2,2)"} <= legal_after("C(64,3,1)")
    after = legal_after("C(64,3,1)", "P(5,3)", "C(64,3,1)", "P(2,2)")  # 32 -> 10 -> 5
    assert {"FC(512)", "FC(256)", "FC(128)"} <= after


def test_pooling_never_follows_pooling():
    assert not any(name.startswith("P") for name in legal_after("C(64,3,1)", "P(2,2)"))
    assert any(name.startswith("C") for name in legal_after("C(64,3,1)", "P(2,2)"))


def test_dense_layers_only_on_small_maps():
    assert not any(name.startswith("FC") for name in legal_after("C(64,3,1)", "P(2,2)"))  # 16
    eight = ["C(64,3,1)", "P(2,2)", "C(64,3,1)", "P(2,2)"]
    assert not any(name.startswith("FC") for name in legal_after(*eight))  # 8: bin (∞, 8]


def test_dense_layers_narrow_and_stop_at_two():
    small = ["C(64,3,1)", "P(5,3)", "C(64,3,1)", "P(2,2)"]
    assert legal_after(*small, "FC(256)") == {"FC(256)", "FC(128)", "SM"}
    assert legal_after(*small, "FC(256)", "FC(128)") == {"SM"}


def test_receptive_fields_fit_the_map():
    # 32 -> 10 -> 4: kernels of 5 are out; one pooling more, to 2: kernels of 3 too
    four = ["C(64,3,1)", "P(5,3)", "C(64,3,1)", "P(3,2)"]
    convolutions = {name for name in legal_after(*four) if name.startswith("C")}
    assert {name.split(",")[1] for name in convolutions} == {"1", "3"}
    two = [*four, "C(64,1,1)", "P(2,2)"]
    convolutions = {name for name in legal_after(*two) if name.startswith("C")}
    assert {name.split(",")[1] for name in convolutions} == {"1"}


def test_depth_ends_the_network():
    space = MetaQNNSpace(SpaceConfig(depth=2), SHAPE, 10)
    assert legal_after("C(64,3,1)", "C(64,3,1)", space=space) == {"SM", "GAP, SM"}


def test_state_is_type_depth_parameters_and_bin():
    state = follow(PAPER, [NUMBER["C(128,5,1)"]])
    assert PAPER.key(state) == ("conv", 1, 128, 5, 8)
    state = follow(PAPER, [NUMBER[n] for n in ("C(64,3,1)", "P(5,3)", "C(64,1,1)", "P(2,2)")])
    assert PAPER.key(state) == ("pool", 4, 2, 2, 4)
    state = PAPER.step(state, NUMBER["FC(256)"])
    assert PAPER.key(state) == ("dense", 5, 256, 1, 0)


def test_bins():
    assert [representation_bin(size) for size in (32, 8, 7, 4, 3, 1)] == [8, 8, 4, 4, 1, 1]


def test_dropout_as_in_the_paper():
    conv, pool, dense = Conv(64, 3), Pool(2, 2), Dense(128)
    assert dropout_rates([conv, conv, conv, pool]) == [0.0, 0.25, 0.0, 0.5]
    assert dropout_rates([conv, pool, dense, dense]) == [
        0.0, pytest.approx(1 / 6), pytest.approx(2 / 6), 0.5,
    ]  # fmt: skip
    assert dropout_rates([conv, GlobalAveragePool()]) == [0.0, 0.0]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        Limits(macs=20_000_000),
        Limits(parameters=50_000),
        Limits(parameters=300_000, macs=5_000_000, activation_bytes=600_000),
    ],
)
@pytest.mark.parametrize("config", [PAPER_SPACE, QUICK_SPACE])
def test_no_sample_is_ever_rejected(config, limits):
    space = MetaQNNSpace(replace(config, limits=limits), SHAPE, 10)
    rejected = 0
    for number in range(400):
        actions = sample(space, np.random.default_rng(number))
        spec = spec_of(space, actions)
        found = cost(spec, SHAPE)
        rejected += not limits.allow(found.parameters, found.macs, found.peak_activation_bytes)
        assert space.encode(spec) == actions
        assert ChainSpec.from_text(spec.to_text()) == spec
    assert rejected == 0


def test_limits_that_nothing_meets_are_refused():
    with pytest.raises(SpecError, match="raise them"):
        MetaQNNSpace(SpaceConfig(limits=Limits(parameters=10)), SHAPE, 10)


def test_illegal_actions_and_foreign_specs_are_refused():
    with pytest.raises(SpecError, match="legal action"):
        PAPER.step(PAPER.initial(), NUMBER["P(2,2)"])
    with pytest.raises(SpecError, match="legal action"):
        PAPER.step(PAPER.initial(), 99)
    for text in ("[C(63,3,1), SM(10)]", "[C(64,3,1), C(64,3,1), SM(10)]", "[C(64,3,1), SM(9)]"):
        with pytest.raises(SpecError):
            PAPER.encode(ChainSpec.from_text(text))
    with pytest.raises(UsageError, match="at least one filter"):
        SpaceConfig(filters=())


@pytest.mark.parametrize(
    "config",
    [
        QUICK_SPACE,
        PAPER_SPACE,
        replace(QUICK_SPACE, initial_pooling=True, dropout=True, depth=5),
        replace(QUICK_SPACE, limits=Limits(activation_bytes=400_000, parameters=60_000)),
    ],
)
def test_networks_walked_side_by_side_meet_the_same_masks(config):
    space = MetaQNNSpace(config, SHAPE, 10)
    check_walk(space, [random_walk(space, np.random.default_rng(seed)) for seed in range(25)])


def test_walks_go_on_when_outlines_are_forgotten(monkeypatch):
    monkeypatch.setattr("nas_core.summed.MOST_OUTLINES", 10)
    space = MetaQNNSpace(QUICK_SPACE, SHAPE, 10)
    for first in range(0, 15, 5):
        seeds = range(first, first + 5)
        check_walk(space, [random_walk(space, np.random.default_rng(seed)) for seed in seeds])
