"""Recipes: the published values, JSON, and refusals."""

import pytest

from nas_core.errors import UsageError
from nas_core.trainer.recipe import FINAL, PAPER, QUICK, Recipe


def test_the_paper_preset_is_the_published_one():
    # Baker et al. 2017, section 5, and the authors' solver settings
    assert (PAPER.epochs, PAPER.batch_size, PAPER.optimizer, PAPER.learning_rate) == (
        20, 128, "adam", 0.001,
    )  # fmt: skip
    assert (PAPER.beta_1, PAPER.beta_2, PAPER.epsilon) == (0.9, 0.999, 1e-8)
    assert (PAPER.schedule, PAPER.decay_factor, PAPER.decay_every) == ("step", 0.2, 5)
    assert (PAPER.restarts, PAPER.restart_factor, PAPER.weight_decay) == (5, 0.4, 5e-4)
    assert (PAPER.augmentation, PAPER.score, PAPER.score_epochs) == ("mirror", "best", 1)
    assert PAPER.initialiser.startswith("glorot")
    assert PAPER.image_size is None


@pytest.mark.parametrize("recipe", [PAPER, QUICK, FINAL])
def test_json_round_trip(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_whole_numbers_stand_for_decimals():
    changed = QUICK.changed({"learning_rate": 1, "weight_decay": 0})
    assert (changed.learning_rate, changed.weight_decay) == (1.0, 0.0)
    assert changed.epochs == QUICK.epochs


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0), ("epochs", 2.0), ("epochs", True), ("batch_size", -1),
        ("optimizer", "lion"), ("learning_rate", 0.0), ("learning_rate", float("nan")),
        ("learning_rate", "fast"), ("learning_rate", True), ("schedule", "linear"),
        ("decay_factor", 1.1), ("decay_every", 0), ("momentum", 1.0), ("beta_1", 1.0),
        ("epsilon", 0.0), ("weight_decay", -1e-9), ("weight_decay", float("inf")),
        ("precision", "float16"), ("image_size", 0), ("image_size", 1 << 20),
        ("augmentation", "rotate"), ("score", "mean"), ("score_epochs", 0), ("restarts", -1),
        ("restart_factor", 1.0), ("random_margin", 1.0), ("initialiser", "zeros"),
        ("optimizer", ["adam"]),
    ],
)  # fmt: skip
def test_values_outside_their_range_are_refused_in_one_line(field, value):
    with pytest.raises(UsageError, match=field) as caught:
        QUICK.changed({field: value})
    assert "expected" in str(caught.value)
    assert "received" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_scored_epochs_than_epochs_are_refused():
    with pytest.raises(UsageError, match="score_epochs"):
        Recipe(epochs=2, score_epochs=3)


@pytest.mark.parametrize("value", [{"epoch": 3}, ["epochs"], None])
def test_unknown_keys_are_refused(value):
    with pytest.raises(UsageError, match="fields"):
        Recipe.from_json(value)
