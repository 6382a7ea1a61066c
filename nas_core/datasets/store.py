"""The data set on disk: one folder, a manifest, and one pair of array files for each split.

    dataset.json           name, classes, image shape, counts, SHA-256 of each file, digest
    train_images.npy       train_labels.npy       uint8 [N, H, W, C] and int32 [N]
    validation_images.npy  validation_labels.npy
    test_images.npy        test_labels.npy        only `test_split.open_test` reads these

A text is a map of length x 1 positions whose pixels are the numbers of its words: uint16
[N, length, 1, 1]. vocabulary.json then holds the word of each number.

The test split is a file of its own, so that a search that never opens it cannot see it.
"""

import math
import os
import shutil
import tempfile
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nas_core.datasets.manifest import (
    FORMAT,
    MANIFEST,
    SPLITS,
    VOCABULARY,
    overall_digest,
    read_manifest,
)
from nas_core.datasets.vocabulary import is_vocabulary, read_vocabulary
from nas_core.errors import DataError, UsageError
from nas_core.files import fsync_folder, sha256_file, write_json
from nas_core.seeding import generator

SearchSplit = Literal["train", "validation"]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without opening its arrays.

    Attributes:
        name: A short name, used in tables and file names.
        classes: Class names; a label is an index into them.
        image_shape: (height, width, channels); 1 channel is grayscale, 3 are RGB. Of texts:
            (length, 1, 1).
        counts: Number of examples in each split, by the split's name.
        digest: SHA-256 over the hashes of all array files: two data sets are equal when it is.
        path: The folder.
        source: Where the images came from, in words.
        words: Size of the vocabulary, padding and unknown words included; None for images.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    counts: dict[str, int]
    digest: str
    path: Path
    source: str
    words: int | None = None

    @property
    def kind(self) -> str:
        """What the examples are: "image" or "text"."""
        return "image" if self.words is None else "text"

    def vocabulary(self) -> tuple[str, ...]:
        """Read the word of each token of a data set of texts; empty for images.

        Raises:
            DataError: The file is missing or damaged.
        """
        return () if self.words is None else read_vocabulary(self.path / VOCABULARY, self.words)


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, H, W, C] (memory-mapped when read whole) and labels int32 [N].

    Of texts, tokens uint16 [N, length, 1, 1] take the images' place.
    """

    images: np.ndarray
    labels: np.ndarray


def open_dataset(path: Path | str) -> DatasetInfo:
    """Read and validate a data set's manifest; no array is opened.

    Raises:
        DataError: No data set at `path`, an unknown format, a missing array file.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    height, width, channels = manifest["image_shape"]
    return DatasetInfo(
        name=manifest["name"],
        classes=tuple(manifest["classes"]),
        image_shape=(height, width, channels),
        counts={split: manifest["counts"][split] for split in SPLITS},
        digest=manifest["digest"],
        path=folder,
        source=manifest["source"],
        words=manifest.get("words"),
    )


def load_split(info: DatasetInfo, name: SearchSplit, fraction: float = 1.0, seed: int = 0) -> Split:
    """Open the train or validation split, or a stratified part of it.

    Args:
        info: The data set.
        name: "train" or "validation"; "test" is refused, see `test_split.open_test`.
        fraction: Part of every class to keep, in (0, 1]; at least one image of each stays.
        seed: Which part: the same seed, split and fraction give the same images.

    Returns:
        Images uint8 [N, H, W, C], memory-mapped at fraction 1 and in memory below it, in the order
        of the file; labels int32 [N].

    Raises:
        UsageError: The test split, an unknown split, a fraction outside (0, 1].
        DataError: The files are damaged.
    """
    if name not in ("train", "validation"):
        raise UsageError(
            f"expected the split 'train' or 'validation', received {name!r}: the test split is "
            "opened once, after a search, by nas_core.datasets.test_split.open_test"
        )
    if not (math.isfinite(fraction) and 0.0 < fraction <= 1.0):
        raise UsageError(
            f"expected a data fraction above 0 and at most 1, received {fraction}: try 0.5"
        )
    split = _read_arrays(info, name)
    if fraction == 1.0:
        return split
    chosen = _stratified(split.labels, fraction, seed, name)
    return Split(np.asarray(split.images[chosen]), split.labels[chosen])


def _stratified(labels: np.ndarray, fraction: float, seed: int, split: str) -> np.ndarray:
    """Return the sorted indices of a stratified part; at least one of each class present."""
    parts = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        keep = max(1, round(len(members) * fraction))
        order = generator(seed, f"data fraction of {split}", int(label)).permutation(len(members))
        parts.append(members[order[:keep]])
    return np.sort(np.concatenate(parts))


def _read_arrays(info: DatasetInfo, name: str) -> Split:
    """Open one split's files; called by `load_split` and `test_split.open_test` alone."""
    shape = (info.counts[name], *info.image_shape)
    dtype = np.uint8 if info.words is None else np.uint16
    images = _open_array(info.path / f"{name}_images.npy", shape, dtype, "r")
    labels = _open_array(info.path / f"{name}_labels.npy", shape[:1], np.int32, None)
    if labels.size and (labels.min() < 0 or labels.max() >= len(info.classes)):
        raise DataError(
            f"expected labels from 0 to {len(info.classes) - 1} in {name}_labels.npy, received "
            f"{labels.min()} to {labels.max()}: import the data set again"
        )
    if info.words is not None and images.max() >= info.words:
        raise DataError(
            f"expected tokens below {info.words} in {name}_images.npy, received {images.max()}: "
            "import the data set again"
        )
    return Split(images, labels)


def _open_array(
    path: Path, shape: tuple[int, ...], dtype: type, mmap_mode: Literal["r"] | None
) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError) as error:
        raise DataError(
            f"expected a readable array in {path}, received {error}: import the data set again"
        ) from error
    if array.shape != shape or array.dtype != dtype:
        raise DataError(
            f"expected {np.dtype(dtype).name} {shape} in {path}, received {array.dtype.name} "
            f"{array.shape}: import the data set again"
        )
    return array


def require_new(folder: Path) -> None:
    """Refuse a data set folder that exists.

    Raises:
        DataError: Something is there.
    """
    if folder.exists():
        raise DataError(
            f"expected a new folder for the data set, received {folder}, which exists: "
            "name another or delete it"
        )


def write_dataset(
    path: Path | str,
    splits: Mapping[str, Split],
    classes: Sequence[str],
    source: str,
    name: str | None = None,
    dropped: Mapping[str, Any] | None = None,
    vocabulary: Sequence[str] | None = None,
) -> DatasetInfo:
    """Write a data set so that its folder appears whole, or not at all.

    Args:
        path: The new folder.
        splits: "train", "validation" and "test": images uint8 [N, H, W, C], integer labels [N].
        classes: At least two class names; labels are indices into them.
        source: Where the images came from, in words.
        name: A short name; the folder's name when None.
        dropped: What an import left out and why, kept in the manifest.
        vocabulary: The word of each token, for a data set of texts: its "images" are tokens uint16
            [N, length, 1, 1]. None for images.

    Raises:
        DataError: The folder exists, or the arrays do not fit one another.
        OSError: The disk is full; nothing is left behind.
    """
    folder = Path(path)
    require_new(folder)
    _check_splits(splits, classes, vocabulary)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        hashes = _write_arrays(temporary, splits)
        words = {}
        if vocabulary is not None:
            write_json(temporary / VOCABULARY, list(vocabulary))
            hashes[VOCABULARY] = sha256_file(temporary / VOCABULARY)
            words = {"words": len(vocabulary)}
        manifest = {
            "format": FORMAT,
            "name": folder.resolve().name if name is None else name,
            "classes": list(classes),
            "image_shape": list(splits["train"].images.shape[1:]),
            **words,
            "counts": {split: len(splits[split].labels) for split in SPLITS},
            "class_counts": {
                split: np.bincount(splits[split].labels, minlength=len(classes)).tolist()
                for split in SPLITS
            },
            "files": hashes,
            "digest": overall_digest(hashes),
            "source": source,
            "dropped": dict(dropped) if dropped is not None else {},
        }
        write_json(temporary / MANIFEST, manifest)
        temporary.chmod(0o755)
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return open_dataset(folder)


def _publish(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError as error:
        if folder.exists():
            raise DataError(
                f"expected a new folder for the data set, received {folder}, which another process "
                "has just written: use it, or delete it and try again"
            ) from error
        raise
    fsync_folder(folder.parent)


def _write_arrays(folder: Path, splits: Mapping[str, Split]) -> dict[str, str]:
    """Save every array, flushed to disk, and return the SHA-256 of each file by its name."""
    hashes = {}
    for name in SPLITS:
        arrays = {
            f"{name}_images.npy": np.ascontiguousarray(splits[name].images),
            f"{name}_labels.npy": np.ascontiguousarray(splits[name].labels, dtype=np.int32),
        }
        for file_name, array in arrays.items():
            with (folder / file_name).open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            hashes[file_name] = sha256_file(folder / file_name)
    return hashes


def _check_splits(
    splits: Mapping[str, Split], classes: Sequence[str], vocabulary: Sequence[str] | None
) -> None:
    if set(splits) != set(SPLITS):
        raise DataError(
            f"expected the splits {', '.join(SPLITS)}, received {', '.join(splits)}: give all"
        )
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise DataError(
            f"expected at least two different class names, received {list(classes)}: rename them"
        )
    if vocabulary is not None and not is_vocabulary(list(vocabulary)):
        raise DataError("expected different words after <padding> and <unknown>: correct them")
    shape = splits["train"].images.shape[1:]
    for name in SPLITS:
        if vocabulary is None:
            _check_images(name, splits[name].images)
        else:
            _check_tokens(name, splits[name].images, len(vocabulary))
        _check_split(name, splits[name], shape, len(classes))


def _check_tokens(name: str, tokens: np.ndarray, words: int) -> None:
    if tokens.dtype != np.uint16 or tokens.ndim != 4 or tokens.shape[2:] != (1, 1):
        raise DataError(
            f"expected {name} tokens uint16 [N, length, 1, 1], received {tokens.dtype.name} "
            f"{list(tokens.shape)}: convert them"
        )
    if tokens.size and tokens.max() >= words:
        raise DataError(
            f"expected {name} tokens below {words}, received {tokens.max()}: give all words"
        )


def _check_images(name: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise DataError(
            f"expected {name} images uint8 [N, H, W, 1 or 3], received {images.dtype.name} "
            f"{list(images.shape)}: convert them"
        )


def _check_split(name: str, split: Split, shape: tuple[int, ...], classes: int) -> None:
    images, labels = split.images, split.labels
    if images.shape[1:] != shape or not len(images):
        raise DataError(
            f"expected at least one {name} image of shape {list(shape)}, received "
            f"{list(images.shape)}: give every split images of one size"
        )
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"expected {len(images)} integer {name} labels, received {labels.dtype.name} "
            f"{list(labels.shape)}: supply one for each image"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"expected {name} labels from 0 to {classes - 1}, received {labels.min()} to "
            f"{labels.max()}: number the classes from 0"
        )
