"""Which features and controls an episode of meta-training leaves to the agent.

Users' models differ in what can be measured and turned; an agent that has met such gaps in its
training can work with them.
"""

from collections.abc import Sequence

import numpy as np

from training_control.observations import SOURCES

ALWAYS = ("learning_rate", "validation_loss", "interventions", "progress")
# What a plain `model.fit` does not tell a callback.
UNMEASURED = ("gradient_norm", "update_ratio", "dropout", "batch_size", "layers", "units")
PLAIN = 0.5  # share of episodes that look like a plain `model.fit`
HIDDEN = 0.3  # chance of each other source and control to be missing


def draw_masks(
    rng: np.random.Generator, offered: Sequence[str], wanted: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sources to hide and the controls that act.

    Args:
        rng: Two draws are taken from it for each source and control, and one more.
        offered: Controls that the model offers.
        wanted: Controls that the agent turns; one of them acts at least, if the model offers one.
    """
    plain = rng.random() < PLAIN
    optional = [source for source in SOURCES if source not in ALWAYS]
    drawn = dict(zip(optional, rng.random(len(optional)) < HIDDEN, strict=True))
    if plain:
        drawn |= dict.fromkeys(UNMEASURED, True)
    hidden = tuple(source for source in optional if drawn[source])
    both = [name for name in wanted if name in offered]
    kept = rng.random(len(wanted)) >= HIDDEN
    acting = [name for name, keep in zip(wanted, kept, strict=True) if keep and name in both]
    if plain:
        acting = [name for name in acting if name not in UNMEASURED]
    return hidden, tuple(acting) if acting else tuple(both[:1])
