"""Regressions on a table of numbers: an .npz with x and y, or keras:NAME."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from nas_core.errors import DataError, UsageError
from training_control.data import Examples, TrainingData, assembled
from training_control.tasks.remote import is_remote
from training_control.tasks.sizes import UNKNOWN, Sizes, choose

KERAS = ("california_housing", "boston_housing")


def load_numbers(data: str, sizes: Sizes, seed: int) -> TrainingData:
    """Return inputs float32 [N, features] and targets float32 [N], both standardised.

    Means and deviations are those of the training examples.

    Args:
        data: An .npz file with x [N, features] and y [N], or keras:california_housing or
            keras:boston_housing.
        sizes: Examples at most.
        seed: Which ones.

    Raises:
        UsageError: Another data set of Keras, or one of another library.
        DataError: It cannot be read or fetched, or holds other shapes.
    """
    if is_remote(data) and not data.startswith("keras:"):
        raise UsageError(
            f"expected an .npz file with x and y, or keras:{KERAS[0]}, received {data}: libraries "
            "have no common name for what is to be predicted; save their columns as x and y"
        )
    x, y = _fetched(data) if data.startswith("keras:") else _read(Path(data))
    chosen = choose(np.full(len(y), UNKNOWN), sizes, seed)
    inputs, targets = _standardised(x, chosen[0]), _standardised(y, chosen[0])
    return assembled((Examples(inputs[p], targets[p]) for p in chosen), classes=None)


def _standardised(values: np.ndarray, training: np.ndarray) -> np.ndarray:
    known = values[training]
    scale = known.std(0)
    scaled: np.ndarray = (values - known.mean(0)) / np.where(scale > 0, scale, 1.0)
    return scaled.astype(np.float32)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = (np.asarray(file[name], np.float64) for name in ("x", "y"))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"expected an .npz with the numbers x and y, received {error}: check {path}"
        ) from error
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise DataError(
            f"expected x [N, features] and y [N] in {path}, received {list(x.shape)} and "
            f"{list(y.shape)}: reshape them"
        )
    return x, y


def _fetched(data: str) -> tuple[np.ndarray, np.ndarray]:
    name = data.removeprefix("keras:")
    if name not in KERAS:
        raise UsageError(f"expected one of {', '.join(KERAS)} after keras:, received {name!r}")
    import keras

    try:
        with redirect_stdout(sys.stderr):  # Keras prints its progress on stdout
            (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises plain Exception when a download fails
        raise DataError(
            f"expected to fetch {data}, received {str(error).splitlines()[0]}: "
            "give an .npz file with x and y"
        ) from error
    return np.concatenate([x, x_test]), np.concatenate([y, y_test])
