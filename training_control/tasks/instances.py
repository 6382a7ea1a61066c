"""Instances of generated tasks, divided by hash: meta-training, meta-validation, held out.

The problem of an instance (its kind and data seed) decides where it belongs, so no problem is seen
on two sides, whatever its network or start. Some networks occur among the held-out ones alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from nas_core.errors import UsageError
from nas_core.files import sha256_bytes
from nas_core.seeding import generator
from training_control.controls import OPTIMIZERS, Hyperparameters
from training_control.tasks.base import Task
from training_control.tasks.generated import GENERATED
from training_control.tasks.registry import make_task

# Shares of all problems, in hundredths.
SPLITS: Mapping[str, range] = MappingProxyType(
    {"meta-train": range(60), "meta-validation": range(60, 75), "held-out": range(75, 100)}
)
USUAL = {name: (model,) for name, (_, model, _) in GENERATED.items()}
HELD_OUT_MODELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"generated-digits": ("resnet18",), "generated-reviews": ("tiny-bert",)}
)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
BATCHES = (16, 32, 64)
DROPOUTS = (0.1, 0.3, 0.5)
EPOCHS = (10.0, 20.0, 40.0)


@dataclass(frozen=True)
class Instance:
    """One training to be controlled.

    Attributes:
        kind: A generated task.
        data_seed: Which problem of that kind.
        model: The network.
        start: First hyperparameters.
        epochs: Budget.
    """

    kind: str
    data_seed: int
    model: str
    start: Hyperparameters
    epochs: float

    @property
    def key(self) -> str:
        """A unique description."""
        values = " ".join(f"{name}={value}" for name, value in self.start.values().items())
        return f"{self.kind} seed={self.data_seed} {self.model} {values} epochs={self.epochs}"

    @property
    def split(self) -> str:
        """Where it belongs, by the SHA-256 of its problem."""
        digest = sha256_bytes(f"{self.kind} {self.data_seed}".encode())
        place = int(digest[:8], 16) % 100
        return next(name for name, places in SPLITS.items() if place in places)

    def task(self) -> Task:
        """Return the task."""
        made = make_task(self.kind, model=self.model, seed=self.data_seed, epochs=self.epochs)
        return replace(made, name=f"{made.name}-{self.data_seed}", start=self.start)


def instances(split: str, count: int, seed: int = 0) -> list[Instance]:
    """Return the first instances of one side, kinds in turn.

    Args:
        split: "meta-train", "meta-validation" or "held-out".
        count: How many.
        seed: Which networks, starts and budgets they get; problems do not depend on it.

    Raises:
        UsageError: An unknown split.
    """
    if split not in SPLITS:
        raise UsageError(f"expected a split among {', '.join(SPLITS)}, received {split!r}")
    found = {kind: _of_kind(kind, split, seed) for kind in GENERATED}
    kinds = list(GENERATED)
    return [next(found[kinds[number % len(kinds)]]) for number in range(count)]


def _of_kind(kind: str, split: str, seed: int) -> Iterator[Instance]:
    data_seed = 0
    while True:
        instance = _drawn(kind, data_seed, seed)
        if instance.split == split:
            held_out = HELD_OUT_MODELS.get(kind, ()) if split == "held-out" else ()
            models = (*USUAL[kind], *held_out)
            rng = generator(seed, f"model of {kind}", data_seed)
            yield replace(instance, model=models[int(rng.integers(len(models)))])
        data_seed += 1


def _drawn(kind: str, data_seed: int, seed: int) -> Instance:
    rng = generator(seed, f"instance of {kind}", data_seed)
    start = Hyperparameters(
        learning_rate=float(rng.choice(RATES)),
        dropout=float(rng.choice(DROPOUTS)),
        optimizer=str(rng.choice(OPTIMIZERS)),
        batch_size=int(rng.choice(BATCHES)),
        layers=int(rng.integers(1, 4)),
        units=int(rng.choice((32, 64))),
    )
    return Instance(kind, data_seed, USUAL[kind][0], start, float(rng.choice(EPOCHS)))
