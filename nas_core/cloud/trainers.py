"""A trainer as JSON values, for a job that has the same code but not this process."""

import importlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from nas_core.errors import UsageError
from nas_core.trainer.base import Trainer
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import Recipe

REAL = "real"


def encode_trainer(trainer: Trainer) -> dict[str, Any]:
    """Return JSON values from which `decode_trainer` makes an equal trainer in a job.

    Args:
        trainer: The Keras trainer, or a dataclass of JSON values whose module the job can import:
            from this project, or from an image of your own.

    Raises:
        UsageError: It cannot travel so.
    """
    if isinstance(trainer, KerasTrainer):
        build = trainer.build
        return {
            "class": REAL,
            "recipe": trainer.recipe.to_json(),
            "data_fraction": trainer.data_fraction,
            "build": None if build is None else f"{build.__module__}:{build.__qualname__}",
        }
    kind = type(trainer)
    if kind.__module__ == "__main__" or "<" in kind.__qualname__ or not is_dataclass(trainer):
        raise _unsendable(trainer)
    values = {item.name: getattr(trainer, item.name) for item in fields(trainer) if item.init}
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):
        raise _unsendable(trainer) from None
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": json.loads(text)}


def _unsendable(trainer: Trainer) -> UsageError:
    return UsageError(
        "expected --trainer real or mock, or a dataclass of JSON values in a module of its own, "
        f"for training jobs, received {type(trainer).__name__}: use --executor process"
    )


def decode_trainer(value: dict[str, Any], data: Path | None) -> Trainer:
    """Return the trainer that `encode_trainer` was given.

    Args:
        value: JSON values.
        data: Folder of the job's data set; None without one.

    Raises:
        UsageError: It needs data and there is none, or the job's code does not know it.
    """
    if value["class"] == REAL:
        if data is None:
            raise UsageError("expected the channel 'data' for real training, the job has none")
        build = value["build"]
        return KerasTrainer(
            data,
            Recipe.from_json(value["recipe"]),
            data_fraction=value["data_fraction"],
            build=None if build is None else _found(build),
        )
    trainer: Trainer = _found(value["class"])(**_with_tuples(value["fields"]))
    return trainer


def _found(name: str) -> Any:
    module, _, inside = name.partition(":")
    try:
        found = importlib.import_module(module)
        for part in inside.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"expected {name} in the job's code or image, received {error}: use an image that "
            "holds your module (--image)"
        ) from error
    return found


def _with_tuples(value: Any) -> Any:
    # JSON has no tuples, and dataclasses that can be compared and hashed hold no lists.
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return value
