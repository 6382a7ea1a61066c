"""How a network is trained: one frozen record, checked on construction, with named presets."""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from nas_core.errors import UsageError

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "step", "cosine")
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
AUGMENTATIONS = ("none", "mirror", "full", "leaf")
SCORES = ("best", "last")
INITIALISERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal")
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but the network, the data and the seed.

    The defaults are MetaQNN's (Baker et al. 2017, section 5 and the authors' code).

    Attributes:
        epochs: Passes over the training split, at least 1.
        batch_size: Images per step, at least 1; the images left over at the end of an epoch wait
            for another order. Halved once when memory runs out.
        optimizer: "adam", "adamw" or "sgd" (with Nesterov's momentum).
        learning_rate: At the start, above 0; restarts of the ladder lower it.
        schedule: "constant", "step" (times `decay_factor` every `decay_every` epochs) or "cosine"
            (from `learning_rate` towards 0 over all epochs). Constant within an epoch.
        decay_factor: Of the step schedule, in (0, 1].
        decay_every: Epochs between two steps of the step schedule, at least 1.
        momentum: Of "sgd", in [0, 1).
        beta_1: Adam's decay of the first moment, in [0, 1).
        beta_2: Adam's decay of the second moment, in [0, 1).
        epsilon: Adam's term in the denominator, above 0.
        weight_decay: At least 0; of kernels, never of biases or normalisations. Added to the
            gradient as the derivative of 0.5 * weight_decay * w^2 ("adam", "sgd"); taken from the
            weight apart from the gradient for "adamw".
        precision: "float32", "mixed_bfloat16" or "auto": the latter where the processor computes
            in bfloat16 and no convolution is separable or depthwise (those are slower in it).
        image_size: Side in pixels that images are resized to before training; None keeps theirs.
        augmentation: "none", "mirror" (left and right, every other image), "full" (mirror, and
            shifts of up to an eighth of the side), "leaf" (full, and quarter turns: for pictures
            without an up and down).
        score: Which validation accuracies count: the "best" or the "last" of the epochs.
        score_epochs: How many of them are averaged to the score, from 1 to `epochs`.
        restarts: Times that training starts afresh at a lower rate when it is not better than
            random after one epoch, at least 0. Still random after the last: the child failed.
            0 leaves the first epoch unchecked.
        restart_factor: Of the learning rate at each restart, in (0, 1).
        random_margin: What "better than random" means: validation accuracy above
            c + random_margin * (1 - c), where c = 1 / classes. 1/18 is the authors' 0.15 for ten.
        initialiser: Of kernels: "glorot_uniform" (Xavier), "glorot_normal", "he_uniform" or
            "he_normal".
        controller: Brain that decides on the learning rate after each epoch, in place of the
            schedule: "default" or a folder (see training_control); None for none.

    Raises:
        UsageError: On construction, if a value is outside its range.
    """

    epochs: int = 20
    batch_size: int = 128
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "step"
    decay_factor: float = 0.2
    decay_every: int = 5
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 5e-4
    precision: str = "auto"
    image_size: int | None = None
    augmentation: str = "mirror"
    score: str = "best"
    score_epochs: int = 1
    restarts: int = 5
    restart_factor: float = 0.4
    random_margin: float = 1 / 18
    initialiser: str = "glorot_uniform"
    controller: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            _check(self, name, getattr(self, name) in allowed, f"one of {', '.join(allowed)}")
        for name, (low, high) in _WHOLE.items():
            if name != "image_size" or self.image_size is not None:
                _check(self, name, _is_whole(getattr(self, name), low, high), f"{low} to {high}")
        for name, interval in _NUMBERS.items():
            _check(self, name, _is_inside(getattr(self, name), interval), f"a number in {interval}")
            object.__setattr__(self, name, float(getattr(self, name)))
        named = self.controller is None or (
            isinstance(self.controller, str) and self.controller.strip() != ""
        )
        _check(self, "controller", named, "the name or folder of a brain")
        _check(self, "score_epochs", self.score_epochs <= self.epochs, f"at most {self.epochs}")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that `from_json` reads back to an equal recipe.

        Without a controller there is no such key, as in runs from before there were any.
        """
        values = asdict(self)
        return values if self.controller is not None else _without(values, "controller")

    @classmethod
    def from_json(cls, value: Any) -> "Recipe":
        """Read a recipe; what is left out takes its default.

        Raises:
            UsageError: An unknown key, or a value outside its range.
        """
        return cls().changed(value)

    def changed(self, value: Any) -> "Recipe":
        """Return this recipe with some fields changed.

        Args:
            value: Fields by name, as from a configuration file.

        Raises:
            UsageError: An unknown key, or a value outside its range.
        """
        known = [item.name for item in fields(self)]
        if not isinstance(value, dict):
            raise UsageError(f"expected the recipe's fields by name, received {value!r}")
        unknown = [key for key in value if key not in known]
        if unknown:
            raise UsageError(
                f"expected recipe fields among {', '.join(known)}, received {unknown[0]!r}: "
                "correct the name"
            )
        return replace(self, **value)


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


_CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "augmentation": AUGMENTATIONS,
    "score": SCORES,
    "initialiser": INITIALISERS,
}
_WHOLE = {
    "epochs": (1, 100_000),
    "batch_size": (1, 1 << 20),
    "decay_every": (1, 100_000),
    "score_epochs": (1, 100_000),
    "restarts": (0, 100),
    "image_size": (1, LARGEST_SIDE),
}
_NUMBERS = {
    "learning_rate": "(0, inf)",
    "decay_factor": "(0, 1]",
    "momentum": "[0, 1)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "epsilon": "(0, 1]",
    "weight_decay": "[0, inf)",
    "restart_factor": "(0, 1)",
    "random_margin": "[0, 1)",
}


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_inside(value: Any, interval: str) -> bool:
    """Return whether `value` is a finite number in an interval such as "(0, 1]"."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value > low or (interval[0] == "[" and value == low)
    return above and (value < high or (interval[-1] == "]" and value == high))


def _check(recipe: Recipe, name: str, fine: bool, wanted: str) -> None:
    if not fine:
        raise UsageError(
            f"expected the recipe's {name} as {wanted}, received {getattr(recipe, name)!r}: "
            "change it"
        )


# As published, but for the data set.
PAPER = Recipe()

# Seconds a child on one thread. Small batches and He's initialisation, as four epochs are few
# steps; a slow starter is not restarted at a rate that would slow it further (`random_margin`).
QUICK = Recipe(
    epochs=4,
    batch_size=32,
    learning_rate=2e-3,
    schedule="cosine",
    weight_decay=0.0,
    image_size=32,
    restarts=1,
    random_margin=0.02,
    initialiser="he_uniform",
)

# A long training of what a search has found: quarter turns keep 50 epochs from overfitting.
FINAL = Recipe(
    epochs=50,
    batch_size=32,
    learning_rate=2e-3,
    schedule="cosine",
    weight_decay=0.0,
    image_size=32,
    augmentation="leaf",
    restarts=3,
    random_margin=0.02,
    initialiser="he_uniform",
)
