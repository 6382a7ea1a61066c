"""The NASNet, chain and text spaces, as the command line offers them."""

from dataclasses import replace

from nas_core.registry import SpaceEntry, check_preset
from nas_core.trainer.recipe import PAPER, QUICK, Recipe
from nas_net_architecture.cell_space import PAPER_CELLS, QUICK_CELLS, CellSpace
from nas_net_architecture.chain_config import PAPER_CHAIN, QUICK_CHAIN
from nas_net_architecture.chain_space import ChainSpace
from nas_net_architecture.text_config import QUICK_TEXT
from nas_net_architecture.text_space import TextSpace

ImageShape = tuple[int, int, int]

# Zoph et al. 2018: 20 epochs, SGD with momentum, one cosine, L2. The rate is that of the authors'
# code for final training, as the paper's text gives none for the search.
NASNET_CHILD = replace(
    PAPER,
    epochs=20,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.025,
    schedule="cosine",
    restarts=0,
    augmentation="full",
    score="last",
)
# Zoph & Le 2017: 50 epochs with Nesterov's momentum, rate 0.1, weight decay 1e-4; the reward takes
# the best of the last five epochs from the curve.
CHAIN_CHILD = replace(
    NASNET_CHILD, epochs=50, batch_size=128, learning_rate=0.1, weight_decay=1e-4, score="best"
)

# Sentences: seconds a child. The embedding learns fast and overfits within a few epochs; a network
# that is no better than chance after one epoch often only starts slowly.
TEXT_CHILD = replace(
    QUICK,
    epochs=4,
    batch_size=64,
    learning_rate=3e-3,
    image_size=None,
    augmentation="none",
    precision="float32",
    restarts=0,
    initialiser="glorot_uniform",
)


def _cells(preset: str, image_shape: ImageShape, classes: int) -> CellSpace:
    config = PAPER_CELLS if check_preset(preset) == "paper" else QUICK_CELLS
    return CellSpace(config, image_shape, classes)


def _chain(preset: str, image_shape: ImageShape, classes: int) -> ChainSpace:
    config = PAPER_CHAIN if check_preset(preset) == "paper" else QUICK_CHAIN
    return ChainSpace(config, image_shape, classes)


def _cell_recipe(preset: str) -> Recipe:
    return NASNET_CHILD if check_preset(preset) == "paper" else QUICK


def _chain_recipe(preset: str) -> Recipe:
    return CHAIN_CHILD if check_preset(preset) == "paper" else QUICK


def _text(preset: str, image_shape: ImageShape, classes: int, words: int) -> TextSpace:
    check_preset(preset)  # no paper: the agents' settings alone differ
    return TextSpace(QUICK_TEXT, image_shape, classes, words)


def _text_recipe(preset: str) -> Recipe:
    return TEXT_CHILD.changed({"epochs": 10}) if check_preset(preset) == "paper" else TEXT_CHILD


NASNET = SpaceEntry("reinforce", _cells, _cell_recipe, {"quick": 32, "paper": 20_000})
CHAIN = SpaceEntry("reinforce-lstm2", _chain, _chain_recipe, {"quick": 32, "paper": 12_800})
TEXT = SpaceEntry("reinforce", _text, _text_recipe, {"quick": 32, "paper": 2_000}, kind="text")
