"""Data sets by name from libraries: keras:NAME, tfds:NAME, hf:NAME. Each is imported when used."""

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

import numpy as np

from nas_core.errors import DataError, UsageError
from training_control.tasks.sizes import TEST, TRAIN, UNKNOWN, VALIDATION
from training_control.tasks.source import Source

PREFIXES = ("keras", "tfds", "hf")
TEXT_COLUMNS = ("text", "sentence", "review", "content")
IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")
CODES = {"train": TRAIN, "validation": VALIDATION, "valid": VALIDATION, "test": TEST}


def is_remote(data: str) -> bool:
    """Return whether `data` names a library's data set, such as "hf:imdb"."""
    return data.split(":", 1)[0] in PREFIXES and ":" in data


def fetch(data: str, kind: str) -> Source:
    """Return a library's data set; it downloads what it does not have.

    Args:
        data: keras:NAME, tfds:NAME or hf:NAME.
        kind: "image" or "text".

    Raises:
        UsageError: The library is not installed or the name is empty.
        DataError: It cannot be had, or has no images or texts with labels.
    """
    library, name = data.split(":", 1)
    if not name:
        raise UsageError(f"expected a data set's name after {library}:, received none: add it")
    if library == "keras":
        return _keras(name, kind)
    return _from_rows(fetch_rows(data), kind, data)


def library(name: str, package: str) -> ModuleType:
    """Import an optional library.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"expected the library {name}, which is not installed: pip install {package}"
        ) from error


def _failed(data: str, error: Exception) -> DataError:
    lines = str(error).strip().splitlines()
    return DataError(
        f"expected to fetch {data}, received {lines[0] if lines else type(error).__name__}: "
        "give a local file with the data option"
    )


def _keras(name: str, kind: str) -> Source:
    import keras

    module = getattr(keras.datasets, name, None)
    if module is None or (kind == "text" and name != "imdb"):
        raise UsageError(f"expected a {kind} data set of keras.datasets, received {name!r}")
    try:
        with redirect_stdout(sys.stderr):  # Keras prints its progress on stdout
            (x, y), (x_test, y_test) = module.load_data()
            index = module.get_word_index() if kind == "text" else {}
    except Exception as error:  # Keras raises plain Exception when a download fails
        raise _failed(f"keras:{name}", error) from error
    labels = np.concatenate([np.ravel(y), np.ravel(y_test)]).astype(np.int64)
    codes = np.repeat([TRAIN, TEST], [len(y), len(y_test)])
    if kind == "image":
        images = np.concatenate([x, x_test])
        return Source(labels, codes, int(labels.max()) + 1, lambda places: images[places])
    words = {number + 3: word for word, number in index.items()}  # 0 to 2 are Keras's own marks
    rows = [*x, *x_test]

    def texts(places: np.ndarray) -> list[str]:
        return [" ".join(words.get(n, "") for n in rows[place]) for place in places]

    return Source(labels, codes, int(labels.max()) + 1, texts)


def fetch_rows(data: str) -> dict[str, list[Any]]:
    """Return the rows of each split of a library's data set, values by column.

    Args:
        data: tfds:NAME, hf:NAME or hf:NAME#CONFIG.

    Raises:
        UsageError: The library is not installed, the name is empty, or it is another library's.
        DataError: It cannot be had.
    """
    prefix, _, name = data.partition(":")
    if prefix not in ("tfds", "hf") or not name:
        raise UsageError(f"expected tfds:NAME or hf:NAME, received {data!r}: add a name")
    if prefix == "tfds":
        tfds = library("tensorflow_datasets", "tensorflow-datasets")
    else:
        datasets = library("datasets", "datasets")
    try:
        if prefix == "tfds":
            found = tfds.as_numpy(tfds.load(name))
        else:
            path, _, config = name.partition("#")
            found = datasets.load_dataset(path, config) if config else datasets.load_dataset(path)
        return {split: list(rows) for split, rows in found.items()}
    except Exception as error:  # whatever the library raises when it cannot download
        raise _failed(data, error) from error


def _from_rows(splits: Mapping[str, list[Any]], kind: str, where: str) -> Source:
    """Make a source of rows with an image or text and a label; unlabelled rows are left out."""
    rows, codes = [], []
    for split, found in splits.items():
        rows += found
        codes += [CODES.get(split, UNKNOWN)] * len(found)
    columns = {**rows[0]} if rows else {}
    wanted = TEXT_COLUMNS if kind == "text" else IMAGE_COLUMNS
    inputs = next((name for name in wanted if name in columns), None)
    target = next((name for name in LABEL_COLUMNS if name in columns), None)
    if inputs is None or target is None:
        raise DataError(
            f"expected a column among {', '.join(wanted)} and a label in {where}, received "
            f"{', '.join(columns) or 'no rows'}: save it as a file with such columns"
        )
    labels = np.array([int(row[target]) for row in rows])
    kept = np.flatnonzero((labels >= 0) & (np.array(codes) != UNKNOWN))
    known = [rows[place] for place in kept]

    def pick(places: np.ndarray) -> Any:
        values = [known[place][inputs] for place in places]
        return [_text(v) for v in values] if kind == "text" else _stacked(values, where)

    return Source(labels[kept], np.array(codes)[kept], int(labels.max()) + 1, pick)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _stacked(values: list[Any], where: str) -> np.ndarray:
    arrays = [np.asarray(value, np.uint8) for value in values]
    if len({array.shape for array in arrays}) != 1:
        raise DataError(
            f"expected images of one size in {where}, received several: import them with "
            "'nas data import' and give that data set"
        )
    return np.stack(arrays)
