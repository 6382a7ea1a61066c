"""Learning rates: over the epochs, and down the ladder of restarts. Pure functions."""

import math

from nas_core.trainer.recipe import Recipe


def learning_rate_at(recipe: Recipe, initial: float, epoch: int) -> float:
    """Return the learning rate of an epoch.

    Args:
        recipe: Names the schedule.
        initial: Rate of the first epoch.
        epoch: Number of the epoch, from 0.
    """
    if recipe.schedule == "step":  # Baker et al. 2017, section 5: x 0.2 every 5 epochs
        return initial * recipe.decay_factor ** (epoch // recipe.decay_every)
    if recipe.schedule == "cosine":
        return initial * 0.5 * (1.0 + math.cos(math.pi * epoch / recipe.epochs))
    return initial


def ladder(recipe: Recipe) -> list[float]:
    """Return the initial rates to try in turn (Baker et al. 2017, section 5: x 0.4 each)."""
    return [
        recipe.learning_rate * recipe.restart_factor**rung for rung in range(recipe.restarts + 1)
    ]


def random_accuracy(classes: int, margin: float) -> float:
    """Return the accuracy above which a child is better than a random predictor.

    Args:
        classes: Chance is 1 / classes.
        margin: Share of the way from chance to 1; 1/18 gives the authors' 0.15 for ten classes.
    """
    chance = 1.0 / classes
    return chance + margin * (1.0 - chance)


def score_of(accuracies: list[float], score: str, epochs: int) -> float:
    """Return the mean of the best or last `epochs` validation accuracies (fewer if there are).

    Args:
        accuracies: One per epoch, at least one.
        score: "best" or "last".
        epochs: How many are averaged.
    """
    ordered = sorted(accuracies) if score == "best" else accuracies
    chosen = ordered[-epochs:]
    return math.fsum(chosen) / len(chosen)
