"""The learning rate of each epoch, and of each restart of MetaQNN's ladder: pure functions."""

import math

from nas_core.trainer.recipe import Recipe


def rate_at(recipe: Recipe, epoch: int, start: float) -> float:
    """Return the learning rate of one epoch.

    Args:
        recipe: Its schedule: "step" is MetaQNN's decay (Baker et al. 2017, section 5).
        epoch: From 0.
        start: The rate of epoch 0, which the ladder may have lowered.
    """
    match recipe.schedule:
        case "step":
            return start * recipe.decay_factor ** (epoch // recipe.decay_every)
        case "cosine":
            return start * 0.5 * (1.0 + math.cos(math.pi * epoch / recipe.epochs))
    return start


def ladder_rates(recipe: Recipe) -> tuple[float, ...]:
    """Return the starting rates to be tried, in order (Baker et al. 2017, section 5).

    One more than `recipe.restarts`: 1e-3, 4e-4, 1.6e-4, 6.4e-5, 2.56e-5, 1.024e-5 as published.
    """
    return tuple(
        recipe.learning_rate * recipe.restart_factor**number
        for number in range(recipe.restarts + 1)
    )


def better_than_random(accuracy: float, classes: int, margin: float) -> bool:
    """Return whether an accuracy in [0, 1] is above chance by the margin (see `Recipe`)."""
    chance = 1.0 / classes
    return accuracy > chance + margin * (1.0 - chance)
