"""A network of cells: its stacks in one row, then each cell as a graph of operations."""

from collections.abc import Iterable
from itertools import groupby

from nas_core.report.cell_graph import OUTPUT
from nas_core.report.cell_layout import (
    COMBINE_WIDTH,
    INPUT_WIDTH,
    OP_HEIGHT,
    OP_WIDTH,
    OUTPUT_WIDTH,
    PORT,
    Line,
    Placed,
    lay_out,
)
from nas_core.report.markup import Html, esc, legend
from nas_core.spec import OPERATIONS, Block, Cell, CellSpec
from nas_core.spec.cell_blocks import CURRENT, PREVIOUS
from nas_core.spec.cell_ops import Family
from nas_core.spec.cell_plan import Plan, plan_cells
from nas_core.spec.cell_text import cell_to_text

MARGIN = 3.0
FAMILIES = {  # (first word in a box, name in the key)
    Family.IDENTITY: ("identity", "identity"),
    Family.CONVOLUTION: ("conv", "convolution"),
    Family.FACTORISED: ("", "factorised convolution"),
    Family.DILATED: ("dil", "dilated convolution"),
    Family.SEPARABLE: ("sep", "separable convolution"),
    Family.AVERAGE_POOL: ("avg", "average pooling"),
    Family.MAX_POOL: ("max", "max pooling"),
}
INPUTS = {  # (word in the box, what it is)
    CURRENT: ("current", "the output of the cell before"),
    PREVIOUS: ("previous", "the output of the cell before that one"),
}
Image = tuple[int, int, int]


def cell_picture(spec: CellSpec, image: Image) -> Html:
    """Return a network as its row of stacks and inline SVG of each cell that it has.

    Args:
        spec: The network.
        image: Height, width and channels of its input.

    Raises:
        SpecError: The image is too small for the network.
    """
    plan = plan_cells(spec, image)
    drawings = _drawing("normal cell", "", spec.normal)
    if any(_kind(placed.name) == "reduction" for placed in plan.cells):
        remark = "operations on h0 and h1 have stride 2"
        drawings += _drawing("reduction cell", remark, spec.reduction)
    return Html(f'{_stacks(plan, image, spec.classes)}<div class="cells">{drawings}</div>')


def cell_legend(specs: list[CellSpec]) -> Html:
    """Return the key to the colours of the operations that stand in these networks."""
    cells = [cell for spec in specs for cell in (spec.normal, spec.reduction)]
    names = {name for cell in cells for block in cell.blocks for _, name in block.edges}
    found = {OPERATIONS[name].family for name in names}
    return legend((f"l-{kind}", FAMILIES[kind][1]) for kind in Family if kind in found)


def _stacks(plan: Plan, image: Image, classes: int) -> str:
    """Return the network from image to classifier, equal neighbours told once."""
    steps = [("image", image), ("stem", plan.shapes[0])]
    shaped = zip(plan.cells, plan.shapes[1:], strict=True)
    for (kind, shape), group in groupby(shaped, lambda pair: (_kind(pair[0].name), pair[1])):
        count = len(list(group))
        steps.append((kind if count == 1 else f"{count} × {kind}", shape))
    items = "".join(
        f"<li><b>{esc(name)}</b> {'×'.join(map(str, shape))}</li>" for name, shape in steps
    )
    return f'<ol class="stacks">{items}<li><b>softmax</b> {classes}</li></ol>'


def _kind(name: str) -> str:
    return "reduction" if "reduction" in name else "normal"


def operation_words(name: str) -> str:
    """Return an operation as it stands in its box: ``sep 5×5``, ``1×7 7×1``."""
    operation = OPERATIONS[name]
    size, family = operation.size, operation.family
    if family is Family.FACTORISED:
        return f"1×{size} {size}×1"
    word = FAMILIES[family][0]
    return word if family is Family.IDENTITY else f"{word} {size}×{size}"


def _drawing(title: str, remark: str, cell: Cell) -> str:
    layout = lay_out(cell)
    lines = "".join(_flow(layout.lines[state]) for state in sorted(layout.lines))
    nodes = "".join(_node(node, cell) for node in layout.nodes)
    left, top = -MARGIN, layout.top - MARGIN
    width, height = layout.width + 2 * MARGIN, layout.bottom - layout.top + 2 * MARGIN
    return (
        f"<div><h4>{esc(title)} <small>{esc(remark)}</small></h4>"
        f'<div class="scroll"><svg class="cell" viewBox="{left:.0f} {top:.1f} {width:.0f} '
        f'{height:.1f}" width="{width:.0f}" height="{height:.1f}" role="img" '
        f'aria-label="{esc(f"{title}: {cell_to_text(cell)}")}">{lines}{nodes}</svg></div></div>'
    )


def _flow(lines: Iterable[Line]) -> str:
    """Return one state's lines as a path, with a halo that keeps other states' lines apart."""
    path = "".join(_bend(*line) for line in lines)
    return f'<path class="halo" d="{path}"/><path class="flow" d="{path}"/>'


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line that leaves and arrives level."""
    if abs(y1 - y2) < 0.05:
        return f"M{x1:.1f} {y1:.1f}H{x2:.1f}"
    half = (x1 + x2) / 2
    return f"M{x1:.1f} {y1:.1f}C{half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _node(node: Placed, cell: Cell) -> str:
    state = node.item.state
    if state == OUTPUT:
        word = "concat" if len(cell.outputs) > 1 else "output"
        height = OP_HEIGHT + PORT * (len(cell.outputs) - 1)
        tips = "".join(_tip(node.left, node.middle + below) for below in node.slots)
        box = _box("l-output", word, node.left, node.middle, OUTPUT_WIDTH, height)
        return f"<g><title>the cell's output</title>{box}{tips}</g>"
    if state <= PREVIOUS:
        word, title = INPUTS[state]
        box = _box("l-image", f"h{state} {word}", node.left, node.middle, INPUT_WIDTH, OP_HEIGHT)
        return f"<g><title>h{state}: {title}</title>{box}</g>"
    return _block(node, cell.blocks[state - 2])


def _block(node: Placed, block: Block) -> str:
    """Return two operations, one above the other, and how their results are joined."""
    left, middle = node.left + OP_WIDTH, node.middle
    joined = node.right - COMBINE_WIDTH
    parts = []
    for below, (source, name) in zip(node.slots, block.edges, strict=True):
        y = middle + below
        family = OPERATIONS[name].family
        parts.append(f'<path class="flow" d="{_bend(left, y, joined, middle)}"/>')
        parts.append(_tip(node.left, y))
        box = _box(f"l-{family}", operation_words(name), node.left, y, OP_WIDTH, OP_HEIGHT)
        parts.append(f"<g><title>{FAMILIES[family][1]} of h{source}</title>{box}</g>")
    state = node.item.state
    parts.append(_box("join", block.combine, joined, middle, COMBINE_WIDTH, 18.0, 9.0))
    x = joined + COMBINE_WIDTH / 2
    parts.append(f'<text x="{x:.1f}" y="{middle - 14:.1f}" class="detail">h{state}</text>')
    return f"<g><title>h{state}: {block.combine}</title>{''.join(parts)}</g>"


def _box(
    css: str, word: str, left: float, middle: float, width: float, height: float, round_: float = 4
) -> str:
    return (
        f'<rect class="box {css}" x="{left:.1f}" y="{middle - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{round_:g}"/>'
        f'<text x="{left + width / 2:.1f}" y="{middle + 4:.1f}">{esc(word)}</text>'
    )


def _tip(x: float, y: float) -> str:
    """Return the head of an arrow that ends at (x, y)."""
    return f'<path class="tip" d="M{x - 6:.1f} {y - 3.2:.1f}l6 3.2l-6 3.2z"/>'
