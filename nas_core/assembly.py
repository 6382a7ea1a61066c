"""From a plan to the parts of a search: space, agent, trainer and executor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.agent import Agent
from nas_core.errors import UsageError
from nas_core.executors.base import Executor
from nas_core.kinds import IMAGE, KINDS, check_kind, check_recipe
from nas_core.plan import CUSTOM, Plan
from nas_core.registry import agent_entry, build_space, space_entry
from nas_core.space import SearchSpace
from nas_core.trainer.base import Trainer
from nas_core.trainer.control import check_controller
from nas_core.trainer.recipe import QUICK, Recipe

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
    entry = None if plan.space == CUSTOM else space_entry(plan.space)
    if entry is not None and plan.trainer not in (*entry.trainers, CUSTOM):
        raise UsageError(
            f"expected --trainer {' or '.join(entry.trainers)} for the space {plan.space}, "
            f"received {plan.trainer}"
            + (": give --table FILE" if "table" in entry.trainers else "")
        )
    trainer, seen = _trainer(plan, own)
    space = own.space
    if space is None:
        space = seen.space
    if space is None:
        space = build_space(plan.space, plan.preset, seen.shape, seen.classes, seen.words)
    agent = own.agent
    if agent is None:
        agent = agent_of(plan, space)
    return Parts(space, agent, trainer, seen.digest)


def agent_of(plan: Plan, space: SearchSpace[Any]) -> Agent:
    """Return the plan's registered agent, fresh, with the settings that the space asks for."""
    named = None if plan.space == CUSTOM else space_entry(plan.space).agent_preset
    preset = plan.preset if named is None else named
    return agent_entry(plan.agent).build(space, plan.seed, plan.schedule_trials, preset)


@dataclass(frozen=True)
class _Seen:
    """The examples that networks see: shape, classes, vocabulary, digest; a table's own space."""

    shape: tuple[int, int, int]
    classes: int
    words: int | None = None
    digest: str | None = None
    space: SearchSpace[Any] | None = None


def _kind(plan: Plan) -> str | None:
    """Return the kind of data that the plan's space is for; None where only its owner knows."""
    return None if plan.space == CUSTOM else space_entry(plan.space).kind


def _trainer(plan: Plan, own: Own) -> tuple[Trainer, _Seen]:
    """Return the trainer, and the examples that the space is built for."""
    if plan.trainer == "table":
        from nas_core.tables.assembly import open_table, plan_of, table_trainer

        wanted = plan_of(plan)
        table = table_trainer(open_table(plan.space, wanted.path), wanted)
        space = table.space
        return table, _Seen(space.image_shape, IMAGE.mock_classes, None, table.source, space)
    if plan.trainer != "real":
        kind = KINDS[_kind(plan) or IMAGE.name]
        seen = _Seen(kind.mock_shape, kind.mock_classes, kind.mock_words)
        if own.trainer is not None:
            return own.trainer, seen
        from nas_core.trainer.mock import MockTrainer

        return MockTrainer(seen.shape, seen.classes), seen
    from nas_core.datasets import resolve
    from nas_core.trainer.keras_trainer import KerasTrainer

    if plan.data is None:
        raise UsageError("expected a data set for real training: --data leaves, or a folder")
    recipe = recipe_of(plan)
    check_controller(recipe.controller, recipe.learning_rate, recipe.optimizer)
    info = resolve(plan.data, DATA_ROOT)
    check_kind(_kind(plan) or info.kind, info.kind, plan.data)
    check_recipe(info.kind, recipe)
    trainer = KerasTrainer(
        info.path.resolve(), recipe, data_fraction=plan.data_fraction, build=own.build
    )
    height, width, channels = info.image_shape
    if recipe.image_size is not None:
        height = width = recipe.image_size
    return trainer, _Seen((height, width, channels), len(info.classes), info.words, info.digest)


def executor_for(plan: Plan, trainer: Trainer) -> Executor:
    """Return the executor of a plan; the caller closes it.

    Raises:
        UsageError: The machine has too little memory for the workers.
    """
    if plan.executor == "inline":
        from nas_core.executors.inline import InlineExecutor

        return InlineExecutor(trainer)
    if plan.executor == "simulated":
        from nas_core.executors.simulated import SimulatedExecutor

        return SimulatedExecutor(trainer, plan.workers)
    memory = None if plan.trial_memory_gb is None else int(plan.trial_memory_gb * GIB)
    if plan.executor == "sagemaker":
        from nas_core.cloud.driver import executor_of

        return executor_of(
            plan.cloud,
            trainer,
            plan.workers,
            data=plan.data,
            seconds_limit=plan.trial_seconds,
            memory_limit_bytes=memory,
        )
    if plan.executor == "ray":
        from nas_core.executors.ray.executor import RayExecutor

        return RayExecutor(
            trainer,
            plan.workers,
            address=plan.address,
            threads=plan.threads,
            gpu_share=plan.gpu_share,
            seconds_limit=plan.trial_seconds,
            memory_limit_bytes=memory,
        )
    from nas_core.executors.process import ProcessExecutor

    return ProcessExecutor(
        trainer,
        plan.workers,
        seconds_limit=plan.trial_seconds,
        memory_limit_bytes=memory,
        threads=plan.threads,
    )
