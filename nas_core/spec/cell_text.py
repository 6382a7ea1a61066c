"""The one-line notation of cell networks: NASNet's decisions as tokens, then the network's fields.

``normal 0 1 sep5 sep3 add, 2 0 avg3 identity add > 1 3; reduction ...; repeats 6 6 6; filters 32``:
each block is its two hidden states, its two operations and how they are joined; the states behind
``>`` form the output (left out: every block that no other block reads). Fields that have their
usual value are left out, except the three that people look for.
"""

import json
from dataclasses import fields
from typing import Any

from nas_core.errors import SpecError
from nas_core.spec.cell import CellSpec
from nas_core.spec.cell_blocks import Block, Cell

EXAMPLE = "normal 0 1 sep3 avg3 add; reduction 0 1 max3 sep3 add; repeats 2 2 2; filters 32"
LONGEST = 20_000
_ALWAYS = ("repeats", "filters", "classes")


def _fail(text: str, why: str) -> SpecError:
    return SpecError(f"expected cells such as '{EXAMPLE}', received {text[:80]!r} ({why})")


def cell_to_text(cell: Cell) -> str:
    """Return a cell's blocks and, where it is written out, its output."""
    blocks = ", ".join(
        f"{b.input_1} {b.input_2} {b.op_1} {b.op_2} {b.combine}" for b in cell.blocks
    )
    return blocks if cell.concat is None else f"{blocks} > {' '.join(map(str, cell.concat))}"


def cell_spec_to_text(spec: CellSpec) -> str:
    """Return one line that `cell_spec_from_text` reads back to an equal specification."""
    parts = [f"normal {cell_to_text(spec.normal)}", f"reduction {cell_to_text(spec.reduction)}"]
    values: dict[str, Any] = {
        item.name: getattr(spec, item.name)
        for item in fields(spec)[2:]
        if item.name in _ALWAYS or getattr(spec, item.name) != item.default
    }
    values["repeats"] = " ".join(map(str, spec.stacks))
    for name, value in values.items():
        parts.append(f"{name} {value if isinstance(value, str) else json.dumps(value)}")
    return "; ".join(parts)


def _number(text: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 7):
        raise _fail(text, f"{word!r} is not a whole number")
    return int(word)


def cell_from_text(text: str) -> Cell:
    """Read the notation of `cell_to_text`.

    Raises:
        SpecError: A block does not have five words, or the blocks form no cell.
    """
    body, arrow, output = text.partition(">")
    blocks = []
    for part in body.split(","):
        words = part.split()
        if len(words) != 5:
            raise _fail(text, "a block is two states, two operations and add or concat")
        blocks.append(Block(_number(text, words[0]), _number(text, words[1]), *words[2:]))
    concat = tuple(_number(text, word) for word in output.split()) if arrow else None
    return Cell(tuple(blocks), concat)


def _value(text: str, name: str, words: str) -> Any:
    if name == "stem":
        return words
    if name == "repeats":
        return tuple(_number(text, word) for word in words.split())
    try:
        return json.loads(words)
    except ValueError:
        raise _fail(text, f"{words!r} is no value for {name}") from None


def cell_spec_from_text(text: str) -> CellSpec:
    """Read one cell network.

    Raises:
        SpecError: The text is not in the notation, or a value is out of range.
    """
    if len(text) > LONGEST:
        raise _fail(text, f"longer than {LONGEST} characters")
    given: dict[str, Any] = {}
    for clause in text.split(";"):
        name, _, words = clause.strip().partition(" ")
        if name in given or name not in {item.name for item in fields(CellSpec)}:
            raise _fail(text, f"{name!r} is unknown or written twice")
        is_cell = name in ("normal", "reduction")
        given[name] = cell_from_text(words) if is_cell else _value(text, name, words.strip())
    if not {"normal", "reduction"} <= set(given):
        raise _fail(text, "both a normal and a reduction cell are needed")
    return CellSpec(**given)
