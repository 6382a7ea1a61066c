"""What a comparison is: fixed before its first training, refused if it changes afterwards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from nas_core.errors import RunError, UsageError
from nas_core.files import as_read_back, read_json, sha256_bytes, write_json
from training_control.comparison.methods import BASELINES
from training_control.comparison.tuning import check_tuning
from training_control.data import TrainingData
from training_control.tasks.base import Task
from training_control.tasks.generated import GENERATED
from training_control.tasks.instances import Instance, instances
from training_control.tasks.registry import TASKS, make_task

FILE = "protocol.json"
RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
SEEN = 60  # first problems of a side of meta-training, more than any agent meets
RATE_METHODS = ("constant", "cosine", "plateau", "always-keep")


@dataclass(frozen=True)
class Protocol:
    """The settings of a comparison.

    Attributes:
        tasks: Names, "NAME" or "NAME:MODEL".
        data: Files of tasks by name.
        agents: Digest of each agent's policy by its name.
        baselines: Names.
        seeds: Compared trainings of each method on each task.
        preset: Of the tasks.
        tuning: Trainings that tune each method on each task.
        decisions: Intervals of a training.
        rates: Given initial learning rates; empty for none.
        rate_seeds: Trainings of each method at each given rate.
        epochs: Budget instead of the preset's; None for that.

    Raises:
        UsageError: On construction, for a value that cannot be.
    """

    tasks: tuple[str, ...]
    data: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    baselines: tuple[str, ...] = BASELINES
    seeds: int = 10
    preset: str = "quick"
    tuning: int = 6
    decisions: int = 30
    rates: tuple[float, ...] = RATES
    rate_seeds: int = 5
    epochs: float | None = None

    def __post_init__(self) -> None:
        check_tuning(self.tuning)
        counts = {"seeds": self.seeds, "decisions": self.decisions, "rate seeds": self.rate_seeds}
        for name, count in counts.items():
            if count < 1:
                raise UsageError(f"expected 1 or more {name}, received {count}")
        for rate in self.rates:
            if not 0.0 < rate <= 10.0:
                raise UsageError(f"expected learning rates above 0, up to 10, received {rate:g}")
        self._check_names()

    def _check_names(self) -> None:
        for names in (self.tasks, tuple(self.agents), self.baselines):
            if len(set(names)) < len(names):
                raise UsageError(f"expected each name once, received {', '.join(names)}")
        if not self.tasks:
            raise UsageError(f"expected tasks among {', '.join(TASKS)}, received none")
        tasks = tuple(task.split(":")[0] for task in self.tasks)
        known = {"baselines": (self.baselines, BASELINES), "data for tasks": (self.data, tasks)}
        for what, (given, among) in known.items():
            for name in given:
                if name not in among:
                    raise UsageError(f"expected {what} among {', '.join(among)}, received {name!r}")

    @property
    def digest(self) -> str:
        """Names the comparison."""
        return sha256_bytes(json.dumps(asdict(self), sort_keys=True).encode())[:8]

    def make_tasks(self) -> list[Task]:
        """Return the tasks; a generated one is the first held-out problem of its kind.

        Raises:
            UsageError: An unknown task or model, no data for one, or two tasks of one name.
        """
        problems = [
            held_out(kind) for task in self.tasks if (kind := task.split(":")[0]) in GENERATED
        ]
        trained = [i for split in ("meta-train", "meta-validation") for i in instances(split, SEEN)]
        check_disjoint(trained, problems)
        found = []
        for name in self.tasks:
            base, _, model = name.partition(":")
            found.append(
                make_task(
                    base,
                    data=self.data.get(base),
                    model=model or None,
                    preset=self.preset,
                    seed=held_out(base).data_seed if base in GENERATED else 0,
                    epochs=self.epochs,
                )
            )
        _check_apart(self.tasks, [task.name for task in found])
        return found


def _check_apart(given: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        alike = [text for text, other in zip(given, names, strict=True) if other == name]
        if len(alike) > 1:
            raise UsageError(
                f"expected tasks with names of their own, received {', '.join(alike)}, all of "
                f"them {name}: compare them in two commands, or rename a folder"
            )


def held_out(kind: str) -> Instance:
    """Return the first held-out problem of a generated task, which no agent has seen."""
    found = instances("held-out", len(GENERATED))
    return next(instance for instance in found if instance.kind == kind)


def check_disjoint(trained: Sequence[Instance], compared: Sequence[Instance]) -> None:
    """Refuse a comparison on problems that agents were trained on.

    Args:
        trained: Instances of meta-training.
        compared: Instances that agents are compared on.

    Raises:
        UsageError: A problem is among both.
    """
    seen = {(instance.kind, instance.data_seed) for instance in trained}
    for instance in compared:
        if (instance.kind, instance.data_seed) in seen:
            raise UsageError(
                f"expected problems that no agent was trained on, received {instance.key}: take "
                "one of the split held-out"
            )


def data_digest(data: TrainingData) -> str:
    """Return a digest of all examples."""
    parts = []
    for split in (data.train, data.validation, data.test):
        for array in (split.inputs, split.targets):
            parts.append(sha256_bytes(np.ascontiguousarray(array).tobytes()))
    return sha256_bytes("".join(parts).encode())[:24]


def settle(folder: Path, protocol: Protocol) -> None:
    """Write the protocol before the first training, or check that it is the one written.

    Raises:
        RunError: The folder holds another comparison.
    """
    path, wanted = folder / FILE, as_read_back(asdict(protocol))
    if not path.exists():
        write_json(path, wanted)
        return
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(
            f"expected a protocol in {path}, received {error}: name another --out"
        ) from error
    if found != wanted:
        differs = sorted(name for name in wanted if found.get(name) != wanted[name])
        raise RunError(
            f"expected the comparison that was begun in {folder}, received another (differs: "
            f"{', '.join(differs)}): name another --out"
        )
