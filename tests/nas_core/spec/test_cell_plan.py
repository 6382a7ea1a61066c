"""Where cells stand: threading of the two inputs, sizes, filters, drop-path, what is left out."""

from dataclasses import replace

import pytest

from nas_core.errors import SpecError
from nas_core.spec import Block, Cell, CellSpec
from nas_core.spec.cell_plan import plan_cells

CELL = Cell((Block(0, 1, "sep3", "sep3"),))
SPEC = CellSpec(CELL, CELL, repeats=(1, 2), filters=8)


def threads(spec, size=32):
    return [(placed.current, placed.previous) for placed in plan_cells(spec, (size, size, 3)).cells]


def test_names_filters_and_sizes():
    plan = plan_cells(SPEC, (9, 8, 3))
    assert [(placed.name, placed.filters, placed.stride) for placed in plan.cells] == [
        ("stack0_normal0", 8, 1),
        ("stack1_reduction", 16, 2),
        ("stack1_normal0", 16, 1),
        ("stack1_normal1", 16, 1),
    ]
    assert plan.shapes == ((9, 8, 24), (9, 8, 8), (5, 4, 16), (5, 4, 16), (5, 4, 16))


def test_each_cell_reads_the_two_before_it():
    assert threads(SPEC) == [(0, 0), (1, 0), (2, 1), (3, 2)]


def test_skipping_hands_on_what_the_reduction_cell_took():
    assert threads(replace(SPEC, skip_reduction=True)) == [(0, 0), (1, 0), (2, 0), (3, 2)]


def test_imagenet_stem_divides_filters_and_size():
    plan = plan_cells(replace(SPEC, stem="imagenet", stem_multiplier=1), (224, 224, 3))
    assert [placed.filters for placed in plan.cells[:3]] == [2, 4, 8]
    assert plan.shapes[:4] == ((111, 111, 32), (56, 56, 2), (28, 28, 4), (28, 28, 8))


def test_drop_path_grows_with_depth():
    cells = plan_cells(replace(SPEC, drop_path_keep=0.6), (32, 32, 3)).cells
    assert [placed.keep for placed in cells] == pytest.approx([0.9, 0.8, 0.7, 0.6])


@pytest.mark.parametrize(
    ("repeats", "tensor"), [((2, 2, 2), 5), ((1, 1), 1), ((1, 1, 1, 1, 1, 1), 7), ((0, 0, 1), 1)]
)
def test_the_auxiliary_head_sits_at_two_thirds(repeats, tensor):
    assert (
        plan_cells(replace(SPEC, repeats=repeats, auxiliary_head=True), (32, 32, 3)).auxiliary
        == tensor
    )


def test_cells_that_the_classifier_does_not_see_are_marked():
    back = Cell((Block(1, 1, "sep3", "sep3"),))  # reads h_{i-1} only
    plan = plan_cells(CellSpec(back, back, repeats=(4,)), (32, 32, 3))
    assert [placed.live for placed in plan.cells] == [False, True, False, True]


@pytest.mark.parametrize(("stem", "shape"), [("imagenet", (2, 9, 3)), ("cifar", (0, 8, 3))])
def test_images_that_are_too_small(stem, shape):
    with pytest.raises(SpecError, match="expected"):
        plan_cells(replace(SPEC, stem=stem), shape)
