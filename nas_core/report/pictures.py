"""Architectures as pictures: each type of specification has its drawer."""

import json
from collections.abc import Callable
from typing import Any

from nas_core.errors import SpecError
from nas_core.report.cell_picture import cell_picture
from nas_core.report.chain_picture import chain_picture
from nas_core.report.markup import Html
from nas_core.spec import CellSpec, ChainSpec
from nas_core.store import TrialRow

ImageShape = tuple[int, int, int]


def _chain(value: dict[str, Any], image: ImageShape) -> Html:
    return chain_picture(ChainSpec.from_json(value), image)


def _cells(value: dict[str, Any], image: ImageShape) -> Html:
    return cell_picture(CellSpec.from_json(value), image)


# By a specification's `type`: its JSON values and the image's shape -> a picture.
DRAWERS: dict[str, Callable[[dict[str, Any], ImageShape], Html]] = {
    ChainSpec.type: _chain,
    CellSpec.type: _cells,
}


def picture(row: TrialRow, image: ImageShape) -> Html:
    """Return the drawing of a trial's architecture, or nothing where it cannot be drawn.

    Args:
        row: The trial.
        image: Height, width and channels of the images that children see.
    """
    value = json.loads(row.spec_json)
    drawer = DRAWERS.get(value.get("type"))
    if drawer is None:
        return Html("")
    try:
        return drawer(value, image)
    except SpecError:  # too small an image for this chain: its notation still says it all
        return Html("")
