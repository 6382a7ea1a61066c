"""MetaQNN's space, as the command line offers it."""

from metaqnn.config import PAPER_SPACE, QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.registry import SpaceEntry, check_preset
from nas_core.trainer.recipe import PAPER, QUICK, Recipe


def _build(preset: str, image_shape: tuple[int, int, int], classes: int) -> MetaQNNSpace:
    config = PAPER_SPACE if check_preset(preset) == "paper" else QUICK_SPACE
    return MetaQNNSpace(config, image_shape, classes)


def _recipe(preset: str) -> Recipe:
    return PAPER if check_preset(preset) == "paper" else QUICK


ENTRY = SpaceEntry(
    default_agent="metaqnn",
    build=_build,
    recipe=_recipe,
    trials={"quick": 32, "paper": 3000},
)
