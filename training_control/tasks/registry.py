"""Tasks by name: which data, which network, which metric."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from nas_core.errors import UsageError
from training_control.data import TrainingData
from training_control.tasks.base import Task
from training_control.tasks.generated import GENERATED
from training_control.tasks.presets import (
    FINE_TUNING,
    WARM_UP_SHARE,
    WARM_UP_STEPS,
    Preset,
    get_preset,
)
from training_control.tasks.sizes import Sizes

MODELS = ("mlp", "cnn", "vgg16", "resnet18", "bilstm", "tiny-bert", "bert")
OF_FAMILY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image": ("cnn", "resnet18", "vgg16"),
        "text": ("bilstm", "tiny-bert", "bert"),
        "tabular": ("mlp",),
        "regression": ("mlp",),
    }
)


@dataclass(frozen=True)
class Definition:
    """One entry of the registry.

    Attributes:
        family: "image", "text", "tabular" or "regression".
        source: Where data come from by default; "" where a user has to say.
        metric: What a comparison reports.
        length: Tokens of a text.
        words: Size of a text task's vocabulary.
        hint: What a user may give as data.
    """

    family: str
    source: str
    metric: str = "accuracy"
    length: int = 0
    words: int = 8000
    hint: str = ""


PASSENGERS = "a file titanic.csv (Kaggle's train.csv), tfds:titanic or hf:NAME"
TABLE = "a .csv or .tsv file with the columns text and label, keras:, tfds: or hf:NAME"
PICTURES = "an .npz file, a data set of 'nas data', a folder of images, keras:, tfds: or hf:NAME"
TASKS: Mapping[str, Definition] = MappingProxyType(
    {
        "leaves": Definition("image", "leaves", hint=PICTURES),
        "cifar10": Definition("image", "keras:cifar10", hint=PICTURES),
        "mnist": Definition("image", "keras:mnist", hint=PICTURES),
        "imdb": Definition("text", "keras:imdb", "accuracy", 128, hint=TABLE),
        "sst2": Definition("text", "hf:stanfordnlp/sst2", "accuracy", 32, hint=TABLE),
        "titanic": Definition("tabular", "", "f1", hint=PASSENGERS),
        "titanic-fare": Definition("regression", "", "mse", hint=PASSENGERS),
        "california": Definition(
            "regression",
            "keras:california_housing",
            "mse",
            hint="an .npz file with x and y, or keras:NAME",
        ),
        "image": Definition("image", "", hint=PICTURES),
        "text": Definition("text", "", "accuracy", 64, hint=TABLE),
        **{
            name: Definition(family, "generated", "mse" if family == "regression" else "accuracy")
            for name, (family, _, _) in GENERATED.items()
        },
    }
)


def make_task(
    name: str,
    *,
    data: str | None = None,
    model: str | None = None,
    preset: str = "quick",
    seed: int = 0,
    examples: int | None = None,
    epochs: float | None = None,
) -> Task:
    """Return a task; nothing is read before an environment opens it.

    Args:
        name: One of `TASKS`; "image" and "text" are for data of your own.
        data: A file, folder or name instead of the task's own source.
        model: One of `MODELS` that fits the task, "bert:PRESET" or "bert:FOLDER" for a pretrained
            BERT; the task's usual one when None.
        preset: "quick", "published" or "paper".
        seed: Which examples are chosen; for generated tasks, which problem.
        examples: Examples of all splits together, instead of the preset's.
        epochs: Budget instead of the preset's.

    Raises:
        UsageError: An unknown name, model or preset, a model of another family, no data.
    """
    _check_name(name)
    if name in GENERATED and data is not None:
        raise UsageError(f"expected no data for {name}, which is generated, received {data!r}")
    definition, chosen = TASKS[name], get_preset(preset)
    source = definition.source if data is None else data
    if not source:
        raise UsageError(
            f"expected data for the task {name}, received none: give {definition.hint}"
        )
    network = _model(definition, model)
    sizes = chosen.sizes if examples is None else _sizes(examples)
    load = _loader(name, definition, source, network, replace(chosen, sizes=sizes), seed)
    task = Task(
        name=name if model is None else f"{name}-{_in_a_name(model)}",
        family=definition.family,
        load=lru_cache(maxsize=1)(load),
        build=_builder(network, chosen, name in GENERATED),
        metric=definition.metric,
        epochs=chosen.epochs if epochs is None else epochs,
        start=chosen.start,
        generated=name in GENERATED,
        model=network,
    )
    return _fine_tuned(task, network, sizes)


def _check_name(name: str) -> None:
    if name in TASKS:
        return
    base, _, model = name.partition(":")
    hint = "for data of your own, take image or text and say which data"
    if base in TASKS:
        hint = f"the task is {base}, and its network is given apart (--model {model})"
    raise UsageError(f"expected a task among {', '.join(TASKS)}, received {name!r}: {hint}")


def _in_a_name(model: str) -> str:
    """Return the whole of a model's text, such that it can stand in a file's name."""
    return re.sub(r"[^\w.]+", "-", model)


def _model(definition: Definition, model: str | None) -> str:
    usual = OF_FAMILY[definition.family][0]
    network = usual if model is None else model
    base, colon, which = network.partition(":")
    if base not in OF_FAMILY[definition.family] or (colon and base != "bert"):
        raise UsageError(
            f"expected a model among {', '.join(OF_FAMILY[definition.family])}, received {model!r}"
        )
    if base == "bert" and not which.strip():
        raise UsageError(
            "expected bert:PRESET or bert:FOLDER (a preset of keras-hub, such as "
            f"bert:bert_tiny_en_uncased), received {model!r}: add which, or take tiny-bert"
        )
    return network


def _sizes(examples: int) -> Sizes:
    if examples < 10:
        raise UsageError(f"expected 10 examples or more, received {examples}: try 2000")
    part = examples // 5
    return Sizes(examples - 2 * part, part, part)


def _loader(
    name: str, definition: Definition, source: str, network: str, preset: Preset, seed: int
) -> Callable[[], TrainingData]:
    if name in GENERATED:
        return partial(GENERATED[name][2], seed)
    return lambda: _load(name, definition, source, network, preset, seed)


def _load(
    name: str, definition: Definition, source: str, network: str, preset: Preset, seed: int
) -> TrainingData:
    sizes = preset.sizes
    if definition.family == "image":
        from training_control.tasks.images import load_images

        return load_images(source, sizes, seed, preset.side)
    if definition.family == "text":
        from training_control.tasks.texts import load_texts

        own = None
        if network.startswith("bert:"):
            from training_control.tasks.bert import tokeniser

            own = tokeniser(network.partition(":")[2], definition.length)
        return load_texts(source, sizes, seed, definition.length, definition.words, own)
    if name.startswith("titanic"):
        from training_control.tasks.titanic import FARE, SURVIVED, load_titanic

        target = SURVIVED if definition.family == "tabular" else FARE
        return load_titanic(source, sizes, seed, target)
    from training_control.tasks.regression import load_numbers

    return load_numbers(source, sizes, seed)


def _builder(network: str, preset: Preset, generated: bool) -> Callable[[TrainingData], Any]:
    options: dict[str, Any] = dict(preset.models.get(network, {}))
    if generated:  # cheap: thousands of trainings are needed
        options |= {"units": 64} if network in ("mlp", "cnn", "bilstm") else {}
        options |= {"embedding": 16, "recurrent": 16} if network == "bilstm" else {}

    def build(data: TrainingData) -> Any:
        if network.startswith("bert:"):
            from training_control.tasks.bert import bert

            return bert(data, preset=network.partition(":")[2])
        from training_control.tasks import models

        return getattr(models, network.replace("-", "_"))(data, **options)

    return build


def _fine_tuned(task: Task, network: str, sizes: Sizes) -> Task:
    """Return the task as it is, or with the published start of BERT's fine-tuning."""
    if not network.startswith("bert:"):
        return task
    from training_control.tasks.bert import BACKBONE

    warm_up = WARM_UP_STEPS
    if sizes.train is not None:
        steps = task.epochs * sizes.train / FINE_TUNING.batch_size
        warm_up = min(warm_up, round(WARM_UP_SHARE * steps))
    return replace(task, start=FINE_TUNING, pretrained=(BACKBONE,), warm_up_steps=warm_up)
