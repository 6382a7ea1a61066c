"""Budgets, sizes and starting points that are used together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from nas_core.errors import UsageError
from training_control.controls import Hyperparameters
from training_control.tasks.base import PUBLISHED
from training_control.tasks.sizes import QUICK, WHOLE, Sizes

SMALL: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "cnn": {"filters": 8},
        "vgg16": {"width": 0.125},
        "resnet18": {"width": 0.125},
        "bilstm": {"embedding": 32, "recurrent": 32},
    }
)


@dataclass(frozen=True)
class Preset:
    """How long and on how much a task is trained, and where it starts.

    Attributes:
        sizes: Examples at most.
        epochs: Passes over the training split.
        start: First hyperparameters.
        side: Images are made smaller to this height and width in pixels; None for as they are.
        models: Options of the networks by name.
        agent: Settings of the agent that go with it, by the names of `AgentConfig`; meta-training
            takes them if it is asked to.
    """

    sizes: Sizes
    epochs: float
    start: Hyperparameters = PUBLISHED
    side: int | None = None
    models: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    agent: Mapping[str, float] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # Seconds on a laptop.
        "quick": Preset(QUICK, 10.0, side=32, models=SMALL),
        # Adaptive hyperparameter tuning: all data, networks of full size.
        "published": Preset(WHOLE, 20.0),
        # The study of learning-rate schedulers: Adam 0.001, no decay, batch 64, 50 epochs.
        "paper": Preset(
            WHOLE,
            50.0,
            replace(PUBLISHED, batch_size=64, weight_decay=0.0, optimizer="adam"),
            agent={"learning_rate": 1e-4, "gamma": 0.99, "epsilon": 0.1, "epsilon_end": 0.01},
        ),
    }
)

# Fine-tuning BERT as published: 2e-5, 500 steps of warm-up, weight decay 0.01.
FINE_TUNING = Hyperparameters(2e-5, 0.1, 0.01, "adamw", 32)
WARM_UP_STEPS = 500
WARM_UP_SHARE = 0.1  # of a short training's steps


def get_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        UsageError: There is none.
    """
    if name not in PRESETS:
        raise UsageError(f"expected a preset among {', '.join(PRESETS)}, received {name!r}")
    return PRESETS[name]
