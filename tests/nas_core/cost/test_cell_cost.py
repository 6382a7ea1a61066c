"""The cost of cell networks: by hand, and against built Keras models."""

from dataclasses import replace

import numpy as np
import pytest

from nas_core.cost import cell_cost, cost
from nas_core.errors import SpecError
from nas_core.spec import OPERATIONS, Block, Cell, CellSpec

SMALL = CellSpec(
    Cell((Block(0, 1, "sep3", "identity"),)),
    Cell((Block(0, 1, "max3", "conv3"),)),
    repeats=(1,),
    filters=4,
    stem_multiplier=1,
)


def random_cell(rng, blocks):
    drawn = tuple(
        Block(
            *(int(value) for value in rng.integers(0, state, 2)),
            *(str(name) for name in rng.choice(tuple(OPERATIONS), 2)),
            str(rng.choice(("add", "concat"))),
        )
        for state in range(2, blocks + 2)
    )
    if rng.random() < 0.5:
        return Cell(drawn)
    chosen = {state for state in range(blocks + 2) if rng.random() < 0.4} | {blocks + 1}
    return Cell(drawn, concat=tuple(sorted(chosen)))


def random_spec(rng):
    stacks = [(1, 1), (1,), (1, 0), (0, 1)][rng.integers(4)]
    return CellSpec(
        random_cell(rng, int(rng.integers(1, 4))),
        random_cell(rng, int(rng.integers(1, 4))),
        repeats=stacks,
        filters=int(rng.integers(4, 8)),
        classes=int(rng.integers(2, 6)),
        stem=str(rng.choice(("cifar", "imagenet"))),
        stem_multiplier=int(rng.integers(1, 3)),
        skip_reduction=bool(rng.random() < 0.3) and 0 not in stacks[:-1],
        auxiliary_head=bool(rng.random() < 0.2) and len(stacks) > 1,
        dropout=float(rng.choice((0.0, 0.5))),
    )


def test_one_normal_cell_by_hand():
    got = cost(SMALL, (8, 8, 3))
    # stem: 3*3*3*4 and 4*4 of batch norm; cell: 1x1 (16 + 16), twice (9*4 + 4*4) + 16; classifier
    assert [row.parameters for row in got.layers] == [124, 168, 50]
    assert [row.macs for row in got.layers] == [108 * 64, (16 + 52 + 52) * 64, 40]
    assert got.shapes == ((8, 8, 4), (8, 8, 4), (10,))
    assert got.shapes[-1] == (10,)


def test_a_reduction_cell_by_hand():
    got = cost(replace(SMALL, repeats=(1, 0)), (8, 8, 3)).layers[2]
    # current 1x1 4->8 (32 + 32), previous 1x1 4->8 (32 + 32), then 3x3 8->8 (576 + 32) at 4x4
    assert got.parameters == 32 + 32 + 32 + 32 + 576 + 32
    assert got.macs == 32 * 64 + 32 * 64 + 576 * 16
    assert got.shape == (4, 4, 8)


def test_activation_memory_by_hand():
    got = cost(SMALL, (8, 8, 3))
    map_ = 8 * 8 * 4  # numbers in one map of four filters
    # stem: convolution and norm; cell: relu, 1x1, norm; twice relu, depthwise, pointwise, norm;
    # add; classifier: relu, means, probabilities
    numbers = 8 * 8 * 3 + 2 * map_ + 3 * map_ + 8 * map_ + map_ + (map_ + 4 + 10)
    assert got.peak_activation_bytes == 4 * numbers


def test_too_small_an_image():
    with pytest.raises(SpecError, match="3x3"):
        cell_cost(replace(SMALL, stem="imagenet"), (2, 2, 3))


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 64))]
)
def test_counts_and_shapes_equal_the_built_model(seed):
    from nas_core.trainer.build_cell import build_cell_model

    rng = np.random.default_rng(seed)
    spec, shape = random_spec(rng), (int(rng.integers(5, 14)), int(rng.integers(5, 14)), 3)
    got = cost(spec, shape)
    model = build_cell_model(spec, shape)
    assert got.parameters == model.count_params()
    outputs = model.output if spec.auxiliary_head else {"classifier": model.output}
    assert all(tensor.shape == (None, *got.shapes[-1]) for tensor in outputs.values())
    assert_same_maps(got, model, spec)


def assert_same_maps(got, model, spec):
    """The last cell's map is what the classifier averages; the first row is the stem's."""
    heads = 2 if spec.auxiliary_head else 1
    assert model.get_layer("features_relu").output.shape == (None, *got.shapes[-1 - heads])
    assert model.get_layer("stem_bn").output.shape == (None, *got.shapes[0])
