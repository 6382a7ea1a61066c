"""Saved models in other programs' formats."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_core.artefacts import MODELS
from nas_core.errors import RunError, UsageError
from nas_core.evaluation import check_model, load_model
from nas_core.files import read_json, write_bytes, write_with
from nas_core.retrain import OUTCOME

SUFFIXES = {"keras": ".keras", "tflite": ".tflite", "onnx": ".onnx", "saved_model": "_saved_model"}


def export(model: Path, form: str, out: Path | None = None) -> Path:
    """Write a model in another format; its inputs are still pixels in [0, 255], or tokens.

    Args:
        model: A ``.keras`` file, or the folder of a run: then its retrained model with the best
            validation accuracy.
        form: Of `SUFFIXES`. ``onnx`` needs the packages onnx and tf2onnx.
        out: File to write (a folder for ``saved_model``); None for one beside the model.

    Returns:
        What was written.

    Raises:
        UsageError: There is no such model or format, a package is missing, or `out` is taken.
        RunError: The file cannot be written.
    """
    if form not in SUFFIXES:
        raise UsageError(f"expected --format among {', '.join(SUFFIXES)}, received {form!r}")
    source = _best_of(model) if model.is_dir() else model
    check_model(source)
    target = source.with_name(source.stem + SUFFIXES[form]) if out is None else out
    if target.exists():
        raise UsageError(f"expected a new file, {target} is there already: name another with --out")
    try:
        _WRITERS[form](source, target)
    except OSError as error:
        raise RunError(f"cannot write {target} ({error.strerror})") from error
    return target


def _best_of(run: Path) -> Path:
    """Return a run's retrained model with the best validation accuracy.

    Raises:
        UsageError: Nothing was retrained.
    """
    try:
        first = read_json(run / OUTCOME)["architectures"][0]  # the best comes first
        _, path = max(zip(first["validation_accuracy"], first["model"], strict=True))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(
            f"expected a run with retrained models, received {run}: nas retrain {run} first"
        ) from error
    return run / MODELS / Path(path).name


def _copy(source: Path, target: Path) -> None:
    write_bytes(target, source.read_bytes())


def _saved_model(source: Path, target: Path) -> None:
    network = load_model(source)
    with _beside(target) as folder:
        network.export(folder, format="tf_saved_model", verbose=False)
        Path(folder).replace(target)


def _tflite(source: Path, target: Path) -> None:
    import tensorflow as tf

    network = load_model(source)
    with _beside(target) as folder:
        network.export(folder, format="tf_saved_model", verbose=False)
        write_bytes(target, tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def _onnx(source: Path, target: Path) -> None:
    network = load_model(source)
    try:
        write_with(target, lambda path: network.export(path, format="onnx", verbose=False))
    except ImportError as error:
        raise UsageError(
            f"expected the packages onnx and tf2onnx ({error}): pip install onnx tf2onnx"
        ) from error


class _beside:  # noqa: N801  (reads as the verb that it is)
    """A temporary folder on the target's file system, gone afterwards."""

    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)

    def __enter__(self) -> str:
        return self._folder

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


_WRITERS: dict[str, Callable[[Path, Path], Any]] = {
    "keras": _copy,
    "tflite": _tflite,
    "onnx": _onnx,
    "saved_model": _saved_model,
}
