"""From a plan to the parts of a search: space, agent, trainer and executor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.agent import Agent
from nas_core.errors import UsageError
from nas_core.executors.base import Executor
from nas_core.plan import CUSTOM, Plan
from nas_core.registry import agent_entry, space_entry
from nas_core.space import SearchSpace
from nas_core.trainer.base import Trainer
from nas_core.trainer.recipe import QUICK, Recipe

# What the mock pretends to see: the leaves at the quick recipe's size.
MOCK_IMAGE = (32, 32, 3)
MOCK_CLASSES = 10
GIB = 1 << 30
DATA_ROOT = Path("data")


@dataclass(frozen=True)
class Own:
    """The caller's own parts; None means the plan names a registered one.

    Attributes:
        space: A search space.
        agent: An agent over that space.
        trainer: A trainer.
        build: A function (spec, image_shape, classes) -> keras.Model for the Keras trainer.
    """

    space: SearchSpace[Any] | None = None
    agent: Agent | None = None
    trainer: Trainer | None = None
    build: Callable[..., Any] | None = None

    def check(self, plan: Plan) -> None:
        """Refuse a plan whose own parts were not handed over.

        Raises:
            UsageError: The plan says "custom" and there is no object.
        """
        for name in ("space", "agent", "trainer"):
            if getattr(plan, name) == CUSTOM and getattr(self, name) is None:
                raise UsageError(
                    f"expected the {name} object that this run began with: "
                    f"resume it from Python, nas_core.resume(run, {name}=...)"
                )


@dataclass(frozen=True)
class Parts:
    """What a loop needs.

    Attributes:
        space: Where decisions are made.
        agent: Fresh.
        trainer: Scores children.
        data_digest: Digest of the data set; None without one.
    """

    space: SearchSpace[Any]
    agent: Agent
    trainer: Trainer
    data_digest: str | None

    def identity(self) -> dict[str, Any]:
        """Return JSON values that results depend on, for the run's record and for resuming."""
        return {
            "space": self.space.config(),
            "trainer": self.trainer.config(),
            "data_digest": self.data_digest,
        }


def recipe_of(plan: Plan) -> Recipe:
    """Return the plan's training recipe: the preset's with the plan's changes."""
    base = QUICK if plan.space == CUSTOM else space_entry(plan.space).recipe(plan.preset)
    return base if plan.recipe is None else base.changed(plan.recipe)


def assemble(plan: Plan, own: Own) -> Parts:
    """Build the parts of a search.

    Raises:
        UsageError: A name is unknown, data cannot be used, or an own object is missing.
    """
    own.check(plan)
    trainer, shape, classes, digest = _trainer(plan, own)
    space = own.space
    if space is None:
        space = space_entry(plan.space).build(plan.preset, shape, classes)
    agent = own.agent
    if agent is None:
        build = agent_entry(plan.agent).build
        agent = build(space, plan.seed, plan.schedule_trials, plan.preset)
    return Parts(space, agent, trainer, digest)


def _trainer(plan: Plan, own: Own) -> tuple[Trainer, tuple[int, int, int], int, str | None]:
    """Return the trainer, and the image shape and classes that the space is built for."""
    if plan.trainer != "real":
        if own.trainer is not None:
            return own.trainer, MOCK_IMAGE, MOCK_CLASSES, None
        from nas_core.trainer.mock import MockTrainer

        return MockTrainer(MOCK_IMAGE, MOCK_CLASSES), MOCK_IMAGE, MOCK_CLASSES, None
    from nas_core.datasets import resolve
    from nas_core.trainer.keras_trainer import KerasTrainer

    if plan.data is None:
        raise UsageError("expected a data set for real training: --data leaves, or a folder")
    info = resolve(plan.data, DATA_ROOT)
    recipe = recipe_of(plan)
    trainer = KerasTrainer(
        info.path.resolve(), recipe, data_fraction=plan.data_fraction, build=own.build
    )
    height, width, channels = info.image_shape
    if recipe.image_size is not None:
        height = width = recipe.image_size
    return trainer, (height, width, channels), len(info.classes), info.digest


def executor_for(plan: Plan, trainer: Trainer) -> Executor:
    """Return the executor of a plan; the caller closes it.

    Raises:
        UsageError: The machine has too little memory for the workers.
    """
    if plan.executor == "inline":
        from nas_core.executors.inline import InlineExecutor

        return InlineExecutor(trainer)
    from nas_core.executors.process import ProcessExecutor

    memory = None if plan.trial_memory_gb is None else int(plan.trial_memory_gb * GIB)
    return ProcessExecutor(
        trainer,
        plan.workers,
        seconds_limit=plan.trial_seconds,
        memory_limit_bytes=memory,
        threads=plan.threads,
    )
