"""Cells as graphs: the right nodes and lines, nothing on top of anything else."""

import random
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from nas_core.errors import SpecError
from nas_core.report.cell_graph import OUTPUT, CellGraph, Item, Link
from nas_core.report.cell_layout import OP_HEIGHT, lay_out, spread
from nas_core.report.cell_picture import cell_legend, cell_picture, operation_words
from nas_core.spec import OPERATIONS, Block, Cell, CellSpec
from nas_net_architecture.network import NASNET_A_NORMAL, NASNET_A_REDUCTION, nasnet_a_mobile

SMALL = Cell((Block(0, 1, "sep3", "identity"), Block(2, 0, "max3", "sep5", "concat")))


def random_cell(rng: random.Random) -> Cell:
    blocks = rng.randint(1, 6)
    names = list(OPERATIONS)
    return Cell(
        tuple(
            Block(rng.randrange(b + 2), rng.randrange(b + 2), rng.choice(names),
                  rng.choice(names), rng.choice(("add", "concat")))
            for b in range(blocks)
        )
    )  # fmt: skip


def words(picture: str) -> list[str]:
    root = ElementTree.fromstring(f"<div>{picture}</div>")
    return [text.text or "" for text in root.iter("text")]


def test_a_small_cell_has_these_nodes_and_lines():
    # h2 reads both inputs, h3 reads h2 and, past h2's rank, h0; h3 is the output.
    h1, h0, h2, h3 = Item(1, 0), Item(0, 0), Item(2, 1), Item(3, 2)
    past, out = Item(0, 1, waypoint=True), Item(OUTPUT, 3)
    graph = CellGraph(SMALL)
    assert set(graph.items) == {h1, h0, h2, past, h3, out}
    assert set(graph.links) == {
        Link(h0, h2, 0), Link(h1, h2, 1), Link(h2, h3, 0), Link(h0, past), Link(past, h3, 1),
        Link(h3, out),
    }  # fmt: skip
    assert graph.crossings(graph.ranks) == 0


def test_readers_of_a_state_share_its_waypoints():
    # h0 is read in ranks 1, 2 (twice) and 3: one waypoint in each of the ranks 1 and 2.
    cell = Cell((Block(0, 1, "sep3", "sep3"), Block(2, 0, "sep3", "sep3"),
                 Block(2, 0, "sep3", "sep3"), Block(3, 0, "sep3", "sep3")))  # fmt: skip
    found = sorted(item for item in CellGraph(cell).items if item.waypoint and item.state == 0)
    assert found == [Item(0, 1, waypoint=True), Item(0, 2, waypoint=True)]


def test_two_blocks_that_read_both_inputs_cross_once():
    both = Block(0, 1, "sep3", "sep3")
    graph = CellGraph(Cell((both, both)))
    assert graph.crossings(graph.ranks) == 1
    apart = Cell((Block(1, 1, "sep3", "sep3"), Block(0, 0, "sep3", "sep3")))
    assert CellGraph(apart).crossings(CellGraph(apart).ranks) == 0


def test_what_the_output_does_not_depend_on_is_left_out():
    cell = Cell((Block(0, 0, "sep3", "sep3"), Block(1, 1, "max3", "max3")), concat=(2,))
    assert {item.state for item in CellGraph(cell).items} == {0, 2, OUTPUT}


@pytest.mark.parametrize("cell", [NASNET_A_NORMAL, NASNET_A_REDUCTION])
def test_nasnet_a_has_five_blocks_and_its_published_output(cell):
    graph = CellGraph(cell)
    assert {item.state for item in graph.items} == {OUTPUT, *range(7)}
    assert len([link for link in graph.links if link.end.state == OUTPUT]) == len(cell.outputs)


def test_nothing_stands_on_anything_else():
    rng = random.Random(0)
    for _ in range(60):
        cell = random_cell(rng)
        graph, layout = CellGraph(cell), lay_out(cell)
        middles = {node.item: node.middle for node in layout.nodes}
        middles |= {
            Item(state, rank, waypoint=True): y1
            for state, lines in layout.lines.items()
            for x1, y1, x2, y2 in lines
            for rank in range(1, len(graph.ranks))
            if y1 == y2 and x2 - x1 == pytest.approx(127) and x1 == 114 + 163 * (rank - 1)
        }
        assert set(middles) == set(graph.items)
        for rank in graph.ranks:
            for upper, lower in pairwise(rank):
                half = [0 if i.waypoint else 25 if i.state > 1 else 11 for i in (upper, lower)]
                assert middles[lower] - middles[upper] >= sum(half) + 14.9


def test_every_line_ends_at_its_operation():
    rng = random.Random(1)
    for _ in range(60):
        layout = lay_out(random_cell(rng))
        ends = {(state, x, y) for state, lines in layout.lines.items() for _, _, x, y in lines}
        for node in layout.nodes:
            cell_reads = {
                (state, x, y) for state, x, y in ends
                if x == node.left and abs(y - node.middle) <= max(map(abs, node.slots), default=-1)
            }  # fmt: skip
            assert len(cell_reads) == len(node.slots)
            assert {y for _, _, y in cell_reads} == {node.middle + slot for slot in node.slots}


def test_spread_keeps_what_fits_and_shares_what_does_not():
    assert spread([[0.0], [30.0]], [10.0]) == [0.0, 30.0]
    assert spread([[0.0], [0.0]], [10.0]) == [-5.0, 5.0]
    # Three wishes for 0 outweigh one for 4: the first stays where it wants to be.
    assert spread([[0.0, 0.0, 0.0], [4.0]], [10.0]) == [0.0, 10.0]
    assert spread([[20.0], [0.0]], [10.0]) == [5.0, 15.0]


def test_the_picture_says_all_that_the_cell_is():
    spec = CellSpec(SMALL, SMALL, repeats=(1, 0), filters=16, stem_multiplier=1)
    picture = cell_picture(spec, (32, 32, 3))
    one = ["h0 current", "h1 previous", "sep 3×3", "identity", "add", "h2", "max 3×3", "sep 5×5",
           "concat", "h3", "output"]  # fmt: skip
    assert sorted(words(picture)) == sorted(one * 2)
    assert picture.count('class="tip"') == 2 * 5
    root = ElementTree.fromstring(f"<div>{picture}</div>")
    assert ["".join(item.itertext()) for item in root.iter("li")] == [
        "image 32×32×3", "stem 32×32×16", "normal 32×32×32", "reduction 16×16×64", "softmax 10",
    ]  # fmt: skip
    assert "stride 2" in picture


def test_equal_neighbours_are_told_once_and_absent_cells_are_not_drawn():
    picture = cell_picture(CellSpec(SMALL, SMALL, repeats=(3,)), (32, 32, 3))
    assert "3 × normal" in picture
    assert "reduction" not in picture
    assert "4 × normal" in cell_picture(nasnet_a_mobile(), (224, 224, 3))


def test_an_image_too_small_for_the_stem_is_refused():
    with pytest.raises(SpecError, match="at least 3x3"):
        cell_picture(nasnet_a_mobile(), (2, 2, 3))


def test_every_operation_has_words_that_fit_and_a_colour_in_the_key():
    found = [operation_words(name) for name in OPERATIONS]
    assert len(set(found)) == len(OPERATIONS)
    assert max(map(len, found)) <= 8
    cell = Cell(tuple(Block(0, 1, name, name) for name in list(OPERATIONS)[:12]))
    key = cell_legend([CellSpec(cell, SMALL)])
    assert key.count("<li>") == 7
    assert OP_HEIGHT > 11.5  # pixels of the words in it
