"""A chain of layers as boxes: tall as the map, wide as its channels, coloured by type."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from nas_core.cost import Shape, chain_cost
from nas_core.report.markup import Html, esc, legend, whole
from nas_core.spec import (
    Activation,
    BatchNorm,
    ChainSpec,
    Conv,
    Dense,
    Dropout,
    Embedding,
    Layer,
    Pool,
    Recurrent,
    Softmax,
)

TALLEST = 64.0  # of the image's box
SLOT = 73.0  # width that one layer's box and words have
NARROW = 54.0  # of a layer that keeps the shape, which is not told again
SMALLEST = 0.8  # of its size, that a long chain is scaled down to before it has to be scrolled
GROUND = 92.0  # where boxes stand
WORDS = 46.0  # room for three lines below
NAMES = {
    "image": "input",
    "embedding": "embedding",
    "conv": "convolution",
    "sep_conv": "separable convolution",
    "pool": "pooling",
    "recurrent": "recurrent",
    "dense": "fully connected",
    "gap": "global average",
    "dropout": "dropout",
    "batch_norm": "batch normalisation",
    "activation": "activation",
    "softmax": "classifier",
}


@dataclass(frozen=True)
class _Box:
    """A box's place: its front's left, middle of the slot, size, and depth of the third side."""

    middle: float
    width: float
    height: float
    depth: float

    @property
    def top(self) -> float:
        return GROUND - self.height - self.depth


def _box(middle: float, shape: Shape, image_side: int) -> _Box:
    """Return the box of a layer's output; areas are honest for maps, logarithmic for vectors."""
    if len(shape) == 3:
        height = max(5.0, TALLEST * min(1.0, max(shape[:2]) / image_side))
        return _Box(middle, 3.0 + 3.2 * math.log2(1 + shape[-1]), height, 0.22 * height)
    height = 8.0 + 5.0 * math.log2(1 + shape[-1])
    return _Box(middle, 8.0, min(height, TALLEST), 3.0)


def _slot(layer: Layer) -> float:
    return NARROW if isinstance(layer, (Activation, BatchNorm, Dropout)) else SLOT


def _sides(pair: tuple[int, int] | int) -> str:
    height, width = (pair, pair) if isinstance(pair, int) else pair
    return f"{height}×{width}"


def _step(pair: tuple[int, int] | int) -> str:
    sides = (pair, pair) if isinstance(pair, int) else pair
    if sides == (1, 1):
        return ""
    return f" /{sides[0]}" if sides[0] == sides[1] else f" /{sides[0]}×{sides[1]}"


def _words(layer: Layer) -> tuple[str, str]:
    """Return two short lines that name a layer."""
    match layer:
        case Conv():
            name = "sep" if layer.kind == "sep_conv" else "conv"
            return f"{name} {layer.filters}", _sides(layer.kernel) + _step(layer.stride)
        case Pool():
            return f"{layer.mode} pool", _sides(layer.size) + _step(layer.stride)
        case Embedding():
            return f"embed {layer.units}", f"{layer.words} words"
        case Recurrent():
            return f"{layer.cell.upper()} {layer.units}", "both ways" if layer.both else ""
        case Dense():
            return f"dense {layer.units}", ""
        case Softmax():
            return "softmax", ""
        case Dropout():
            return "dropout", f"{layer.rate:g}"
        case Activation():
            return layer.function, ""
        case BatchNorm():
            return "batch", "norm"
    return "average", "global"


def _shape(shape: Shape) -> str:
    return "×".join(str(size) for size in shape)


def _draw(box: _Box, kind: str, words: tuple[str, str], size: str, title: str) -> str:
    x, y = box.middle - (box.width + box.depth) / 2, GROUND - box.height
    w, h, d = box.width, box.height, box.depth
    texts = ((words[0], "name"), (words[1], "detail"), (size, "size"))
    lines = "".join(
        f'<text x="{box.middle:.1f}" y="{GROUND + 14 * row:.0f}" class="{css}">{esc(text)}</text>'
        for row, (text, css) in enumerate(texts, 1)
        if text
    )
    return (
        f'<g class="l-{kind}"><title>{esc(title)}</title>'
        f'<path class="top" d="M{x:.1f} {y:.1f}l{d:.1f} {-d:.1f}h{w:.1f}l{-d:.1f} {d:.1f}z"/>'
        f'<path class="side" d="M{x + w:.1f} {y:.1f}l{d:.1f} {-d:.1f}v{h:.1f}l{-d:.1f} {d:.1f}z"/>'
        f'<path class="front" d="M{x:.1f} {y:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}z"/>{lines}</g>'
    )


def _arc(boxes: Sequence[_Box]) -> tuple[str, float]:
    """Return a skip input, a bow from the first of `boxes` over the others, and its peak."""
    start, end = boxes[0], boxes[-1]
    y1, y2 = start.top - 3, end.top - 3
    peak = min(box.top for box in boxes) - 6 - 4 * len(boxes)
    # A cubic curve passes a quarter below its control points, at 1/8 of either end.
    pull = (peak - (y1 + y2) / 8) / 0.75
    return (
        f'<path class="skip" d="M{start.middle:.1f} {y1:.1f}'
        f'C{start.middle:.1f} {pull:.1f} {end.middle:.1f} {pull:.1f} {end.middle:.1f} {y2:.1f}"/>'
    ), peak


def _link(start: _Box, end: _Box) -> str:
    x1 = start.middle + (start.width + start.depth) / 2 + 3
    x2 = end.middle - (end.width + end.depth) / 2 - 3
    return f'<path class="link" d="M{x1:.1f} {GROUND - 4:.1f}H{max(x1, x2):.1f}"/>'


def chain_picture(spec: ChainSpec, image: tuple[int, int, int]) -> Html:
    """Return a chain as inline SVG, from the image on the left to the classifier on the right.

    Args:
        spec: The network.
        image: Height, width and channels of its input.

    Raises:
        SpecError: The image is too small for the network.
    """
    rows = chain_cost(spec, image).layers
    shapes: list[Shape] = [image, *(row.shape for row in rows)]
    slots = [SLOT, *(_slot(layer) for layer in spec.layers)]
    ends = list(accumulate(slots))
    boxes = [
        _box(end - slot / 2, shape, max(image[:2]))
        for end, slot, shape in zip(ends, slots, shapes, strict=True)
    ]
    top = min(box.top for box in boxes)
    start = "text" if spec.reads_text else "image"
    parts = [_draw(boxes[0], "image", (start, ""), _shape(image), f"{start} {_shape(image)}")]
    for index, (layer, row) in enumerate(zip(spec.layers, rows, strict=True)):
        title = f"{index}: {NAMES[layer.kind]}, output {_shape(row.shape)}, "
        title += f"{whole(row.parameters)} parameters, {whole(row.macs)} MACs"
        box = boxes[index + 1]
        size = _shape(row.shape) if slots[index + 1] == SLOT else ""
        parts.append(_draw(box, layer.kind, _words(layer), size, title))
        for source in spec.sources(index):
            if source == index - 1:
                parts.append(_link(boxes[index], box))
            else:
                bow, peak = _arc(boxes[source + 1 : index + 2])
                parts.append(bow)
                top = min(top, peak)
    return _picture(parts, top - 4, ends[-1], spec.to_text())


def _picture(parts: list[str], top: float, width: float, label: str) -> Html:
    height = GROUND + WORDS - top
    return Html(
        f'<div class="scroll"><svg class="chain" viewBox="0 {top:.0f} {width:.0f} {height:.0f}" '
        f'style="width:{width:.0f}px;min-width:{SMALLEST * width:.0f}px" role="img" '
        f'aria-label="{esc(label)}">{"".join(parts)}</svg></div>'
    )


def chain_legend(kinds: set[str]) -> Html:
    """Return the key to the colours of the layer types in `kinds`."""
    return legend((f"l-{kind}", name) for kind, name in NAMES.items() if kind in kinds)
