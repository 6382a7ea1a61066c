"""Well-known data sets through keras.datasets, which downloads them and checks their hashes."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets.pool import Dropped, Pool
from nas_core.datasets.splitting import TEST, TRAIN, divide
from nas_core.datasets.store import DatasetInfo, write_dataset
from nas_core.errors import DataError

BUILTIN: dict[str, tuple[str, ...]] = {
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
    "mnist": tuple(str(digit) for digit in range(10)),
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot",
    ),
}  # fmt: skip


def fetch_builtin(name: str, out: Path) -> DatasetInfo:
    """Fetch one of `BUILTIN` (Keras keeps the download in its cache) and write it to `out`.

    The supplied test split is kept; validation is carved out of train, stratified.

    Raises:
        DataError: It cannot be fetched, or `out` exists.
    """
    (train_images, train_labels), (test_images, test_labels) = _download(name, out)
    images = np.concatenate([train_images, test_images])
    images = images[..., None] if images.ndim == 3 else images  # [N, H, W, C]
    labels = np.concatenate([train_labels.ravel(), test_labels.ravel()]).astype(np.int64)
    codes = np.repeat([TRAIN, TEST], [len(train_images), len(test_images)]).astype(np.uint8)
    names = [str(number) for number in range(len(labels))]
    divided = divide(Pool(images, labels, BUILTIN[name], names, codes), 0, Dropped())
    return write_dataset(out, divided.splits, BUILTIN[name], f"keras.datasets.{name}", name)


def _download(name: str, out: Path) -> Any:
    import keras

    try:
        # Keras prints its progress on stdout, which is for results.
        with redirect_stdout(sys.stderr):
            return getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises plain Exception when a download fails.
        raise DataError(
            f"expected to fetch {name} through keras.datasets, received {_first_line(error)}: "
            f"import a local copy with 'nas data import FILE.npz --out {out}'"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
