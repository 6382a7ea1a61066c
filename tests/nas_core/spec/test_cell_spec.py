"""Cell specifications: checks on construction, JSON and text round trips, what a digest names."""

import json
from dataclasses import replace

import pytest

from nas_core.errors import SpecError
from nas_core.spec import OPERATION_PRESETS, OPERATIONS, Block, Cell, CellSpec, spec_from_json

PLAIN = Cell((Block(0, 1, "sep3", "avg3"),))
SPEC = CellSpec(PLAIN, Cell((Block(0, 1, "max3", "sep5"), Block(2, 0, "conv1", "identity"))))


def test_the_thirteen_operations_and_the_small_preset():
    assert len(OPERATIONS) == 13
    assert OPERATION_PRESETS["paper"] == tuple(OPERATIONS)
    assert set(OPERATION_PRESETS["small"]) < set(OPERATIONS)


def test_unread_blocks_form_the_output():
    cell = Cell(
        (Block(0, 1, "sep3", "sep3"), Block(2, 0, "sep3", "sep3"), Block(1, 1, "max3", "conv1"))
    )
    assert cell.outputs == (3, 4)
    assert cell.live == {0, 1, 2, 3, 4}


def test_a_written_output_leaves_blocks_dead():
    cell = Cell((Block(0, 0, "sep3", "sep3"), Block(1, 1, "sep3", "sep3")), concat=(2,))
    assert cell.live == {0, 2}


def test_concat_doubles_a_blocks_share_of_the_width():
    blocks = (Block(0, 1, "sep3", "sep3", "concat"), Block(0, 1, "sep3", "max3"))
    assert Cell(blocks).width == 3
    assert Cell(blocks, concat=(0, 1, 2)).width == 4


@pytest.mark.parametrize(
    "build",
    [
        lambda: Block(0, 1, "sep4", "sep3"),
        lambda: Block(0, -1, "sep3", "sep3"),
        lambda: Block(0, True, "sep3", "sep3"),
        lambda: Block(0, 1, "sep3", "sep3", "multiply"),
        lambda: Block(0, 1, ["sep3"], "sep3"),
        lambda: Cell(()),
        lambda: Cell((Block(0, 2, "sep3", "sep3"),)),
        lambda: Cell((Block(0, 1, "sep3", "sep3"), Block(0, 3, "sep3", "sep3"))),
        lambda: Cell((Block(0, 1, "sep3", "sep3"),) * 13),
        lambda: Cell(PLAIN.blocks, concat=()),
        lambda: Cell(PLAIN.blocks, concat=(0, 1)),
        lambda: Cell(PLAIN.blocks, concat=(2, 2)),
        lambda: Cell(PLAIN.blocks, concat=(3,)),
        lambda: CellSpec(PLAIN, None),
        lambda: replace(SPEC, repeats=0),
        lambda: replace(SPEC, repeats=()),
        lambda: replace(SPEC, repeats=(1, -1)),
        lambda: replace(SPEC, repeats="2"),
        lambda: replace(SPEC, filters=0),
        lambda: replace(SPEC, filters=16.0),
        lambda: replace(SPEC, filters=3, stem="imagenet"),
        lambda: replace(SPEC, classes=1),
        lambda: replace(SPEC, stem="none"),
        lambda: replace(SPEC, stem_multiplier=0),
        lambda: replace(SPEC, drop_path_keep=0.0),
        lambda: replace(SPEC, dropout=1.0),
        lambda: replace(SPEC, dropout=float("nan")),
        lambda: replace(SPEC, batch_norm_momentum=1.0),
        lambda: replace(SPEC, auxiliary_head=1),
        lambda: replace(SPEC, auxiliary_head=True, repeats=(2,)),
        lambda: replace(SPEC, skip_reduction=True, repeats=(2, 0, 2)),
    ],
)  # fmt: skip
def test_what_cannot_be_a_network_is_refused_in_one_line(build):
    with pytest.raises(SpecError) as caught:
        build()
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, repeats=(1, 0), filters=16, classes=5, stem_multiplier=1),
        replace(SPEC, normal=Cell(PLAIN.blocks, concat=(1, 2)), skip_reduction=True),
        replace(SPEC, stem="imagenet", auxiliary_head=True, dropout=0.5, drop_path_keep=0.6),
        replace(SPEC, batch_norm_momentum=0.9997),
    ],
)
def test_round_trips(spec):
    assert spec_from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert CellSpec.from_text(spec.to_text()) == spec
    assert "\n" not in spec.to_text()


def test_the_notation_of_a_small_network():
    assert SPEC.to_text() == (
        "normal 0 1 sep3 avg3 add; reduction 0 1 max3 sep5 add, 2 0 conv1 identity add; "
        "repeats 2 2 2; filters 32; classes 10"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "normal",
        "normal 0 1 sep3 avg3 add",
        "normal 0 1 sep3 avg3; reduction 0 1 sep3 sep3 add",
        "normal 0 x sep3 avg3 add; reduction 0 1 sep3 sep3 add",
        "normal 0 1 sep3 avg3 add >; reduction 0 1 sep3 sep3 add",
        "normal 0 1 sep3 avg3 add; normal 0 1 sep3 avg3 add; reduction 0 1 sep3 sep3 add",
        "normal 0 1 sep3 avg3 add; reduction 0 1 sep3 sep3 add; colour 3",
        "normal 0 1 sep3 avg3 add; reduction 0 1 sep3 sep3 add; filters many",
        "normal 0 1 sep3 avg3 add; reduction 0 1 sep3 sep3 add; filters [1]",
        "x" * 30_000,
    ],
)
def test_text_that_is_no_network(text):
    with pytest.raises(SpecError, match="expected"):
        CellSpec.from_text(text)


@pytest.mark.parametrize(
    "change",
    [
        {"normal": None},
        {"normal": {"blocks": [[0, 1, "sep3", "sep3"]]}},
        {"normal": {"blocks": 3}},
        {"normal": {"blocks": [[0, 1, "sep3", "sep3", "add"]], "concat": 2}},
        {"colour": 3},
        {"repeats": {"a": 1}},
    ],
)
def test_json_that_is_no_network(change):
    with pytest.raises(SpecError, match="expected"):
        spec_from_json({**SPEC.to_json(), **change})


def test_a_missing_cell_is_named():
    value = SPEC.to_json()
    del value["reduction"]
    with pytest.raises(SpecError, match="reduction"):
        spec_from_json(value)


def test_digests_tell_different_networks_apart():
    others = [
        replace(SPEC, filters=16),
        replace(SPEC, repeats=3),
        replace(SPEC, normal=SPEC.reduction),
        replace(SPEC, normal=Cell((Block(1, 0, "sep3", "avg3"),))),
        replace(SPEC, normal=Cell((Block(0, 1, "sep3", "avg3", "concat"),))),
        replace(SPEC, normal=Cell(PLAIN.blocks, concat=(1, 2))),
        replace(SPEC, drop_path_keep=0.6),
        replace(SPEC, auxiliary_head=True),
        replace(SPEC, skip_reduction=True),
    ]
    assert len({spec.digest for spec in [SPEC, *others]}) == len(others) + 1


def test_digests_ignore_notation():
    spec = replace(
        SPEC, repeats=(2, 2, 2), normal=Cell((Block(1, 0, "avg3", "sep3"),), concat=(2,))
    )
    assert spec != SPEC
    assert spec.digest == SPEC.digest


def test_digests_ignore_what_is_not_placed():
    one_stack = replace(SPEC, repeats=(2,))
    assert one_stack.digest == replace(one_stack, reduction=PLAIN).digest
    assert one_stack.digest == replace(one_stack, skip_reduction=True).digest
    with_stem = replace(one_stack, stem="imagenet")
    assert with_stem.digest != replace(with_stem, reduction=PLAIN).digest


def test_skipping_is_noticed_only_by_cells_that_read_the_previous_input():
    deaf = replace(SPEC, normal=Cell((Block(0, 0, "sep3", "sep3"),)))
    assert deaf.digest == replace(deaf, skip_reduction=True).digest
