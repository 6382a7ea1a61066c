"""Costs by hand; the comparison with built Keras models stands with the builder's tests."""

import pytest

from nas_core.cost import Limits, cost
from nas_core.errors import SpecError
from nas_core.spec import ChainSpec


def test_by_hand():
    # 8x8x3 -> C(4,3,1): 8x8x4, 3*3*3*4+4 = 112 weights, 64*108 = 6,912 MACs
    # -> P(2,2): 4x4x4 -> FC(5): 64*5+5 = 325 weights, 320 MACs -> SM(2): 5*2+2 = 12, 10 MACs
    found = cost(ChainSpec.from_text("[C(4,3,1), P(2,2), FC(5), SM(2)]"), (8, 8, 3))
    assert found.shapes == ((8, 8, 4), (4, 4, 4), (5,), (2,))
    assert found.parameters == 112 + 325 + 12
    assert found.macs == 6912 + 320 + 10
    assert found.peak_activation_bytes == 4 * (192 + 256 + 64 + 5 + 2)


def test_separable_strided_and_skips_by_hand():
    # S(4,3,2) on 7x7x2: 4x4x4; 9*2 + 2*4 + 4 = 30 weights; 16*26 = 416 MACs
    found = cost(ChainSpec.from_text("[S(4,3,2), GAP, SM(2)]"), (7, 7, 2))
    assert (found.shapes[0], found.parameters, found.macs) == ((4, 4, 4), 30 + 10, 416 + 8)
    # the image (5x5x3) and a pooled map (2x2x3) join to 5x5x6, zero-padded: C(2,1,1) has 6*2+2
    found = cost(ChainSpec.from_text("[P(2,2), C(2,1,1)@-1@0, GAP, SM(2)]"), (5, 5, 3))
    assert found.shapes[1] == (5, 5, 2)
    assert found.parameters == 14 + 6
    assert found.peak_activation_bytes == 4 * (75 + 12 + 150 + 50 + 2 + 2)


def test_text_layers_by_hand():
    # 6 tokens -> E(10,4): 40 weights, 24 numbers -> C(3,3x1,1): 3*4*3+3 = 39, 6*36 MACs, 18
    # -> GRU(2): 3*(3*2 + 2*2) = 30 weights and 3*2*2 biases, 6*30 MACs, keeps 6*4*2
    found = cost(ChainSpec.from_text("[E(10,4), C(3,3x1,1), GRU(2), SM(2)]"), (6, 1, 1))
    assert found.shapes == ((6, 1, 4), (6, 1, 3), (2,), (2,))
    assert found.parameters == 40 + 39 + 42 + 6
    assert found.macs == 216 + 180 + 4
    assert found.peak_activation_bytes == 4 * (6 + 24 + 18 + 48 + 2)
    # LSTM both ways: 2 * 4*(4*3 + 3*3) = 168 weights and 2*4*3 biases, 6*168 MACs
    found = cost(ChainSpec.from_text("[E(10,4), BLSTM(3), SM(2)]"), (6, 1, 1))
    assert (found.shapes[1], found.parameters, found.macs) == ((6,), 40 + 192 + 14, 1008 + 12)


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 1, 3)])
def test_images_cannot_be_embedded(shape):
    with pytest.raises(SpecError, match="data set of texts"):
        cost(ChainSpec.from_text("[E(10,4), GAP, SM(2)]"), shape)


def test_layers_that_nobody_reads_cost_nothing():
    read = cost(ChainSpec.from_text("[C(4,3,1), SM(3)]"), (8, 8, 3))
    dead = cost(ChainSpec.from_text("[C(8,3,1), C(4,3,1)@-1, SM(3)]"), (8, 8, 3))
    assert (dead.parameters, dead.macs) == (read.parameters, read.macs) == (883, 7680)
    assert dead.peak_activation_bytes == read.peak_activation_bytes


def test_too_small_a_map_is_refused():
    with pytest.raises(SpecError, match="at least 5x5"):
        cost(ChainSpec.from_text("[P(5,3), SM(2)]"), (4, 4, 1))


def test_limits():
    assert Limits().allow(10**12, 10**12, 10**12)
    limits = Limits(parameters=1, macs=2, activation_bytes=3)
    assert limits.allow(1, 2, 3)
    assert not limits.allow(2, 2, 3)
    assert not limits.allow(1, 3, 3)
    assert not limits.allow(1, 2, 4)
