"""Image tasks: arrays from a file, a data set of `nas data`, Keras, TFDS or Hugging Face."""

import itertools
from pathlib import Path

import numpy as np

from nas_core.datasets import load_split, resolve
from nas_core.datasets.arrays import read_npz
from nas_core.datasets.decoding import RefusedImage, decode_image
from nas_core.errors import DataError
from training_control.data import Examples, TrainingData, assembled
from training_control.tasks.remote import fetch, is_remote
from training_control.tasks.sizes import TEST, TRAIN, Sizes, choose
from training_control.tasks.source import Source

CHUNK = 512


def load_images(data: str, sizes: Sizes, seed: int, side: int | None) -> TrainingData:
    """Return the images and labels of a task.

    Args:
        data: An .npz file (arrays, or JPEG bytes with offsets), a data set's name or path as
            `nas search --data` takes it, or keras:NAME, tfds:NAME, hf:NAME.
        sizes: Examples at most.
        seed: Which ones.
        side: Larger images are resized to this height and width in pixels; None for none.

    Raises:
        DataError: The source cannot be used.
    """
    source = _open(data)
    parts = []
    for places in choose(source.codes, sizes, seed):
        images = _resized(source.pick(places), side)
        parts.append(Examples(images, source.targets[places].astype(np.int32)))
    return assembled(parts, classes=source.classes)


def _open(data: str) -> Source:
    if is_remote(data):
        return fetch(data, "image")
    path = Path(data)
    if path.suffix == ".npz" and path.is_file():
        return _jpeg(path) or _arrays(path)
    info = resolve(data)
    if info.kind != "image":
        raise DataError(f"expected images in {data}, received texts: choose a text task")
    # The data set's own test split stays closed: it belongs to searches. Validation plays its part.
    splits = [load_split(info, "train"), load_split(info, "validation")]
    codes = np.repeat([TRAIN, TEST], [len(split.labels) for split in splits])
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    return Source(labels, codes, len(info.classes), lambda places: images[places])


def _arrays(path: Path) -> Source:
    pool = read_npz(path)
    codes = np.full(len(pool.labels), -1) if pool.split is None else pool.split.astype(int)
    return Source(pool.labels, codes, len(pool.classes), lambda places: pool.images[places])


def _jpeg(path: Path) -> Source | None:
    """Open train_jpeg, train_offsets, train_labels and test_...; None where there are none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if "train_jpeg" not in file.files:
                return None
            parts = [
                [file[f"{split}_{name}"] for name in ("jpeg", "offsets", "labels")]
                for split in ("train", "test")
            ]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"expected JPEG bytes, offsets and labels in {path}, received {error}: save it again"
        ) from error
    blobs = [
        jpeg[start:stop].tobytes()
        for jpeg, offsets, _ in parts
        for start, stop in itertools.pairwise(offsets)
    ]
    labels = np.concatenate([part[2] for part in parts]).astype(np.int64)
    if len(blobs) != len(labels):
        raise DataError(
            f"expected a label for each image in {path}, received {len(blobs)} images and "
            f"{len(labels)} labels: save it again"
        )
    codes = np.repeat([TRAIN, TEST], [len(part[2]) for part in parts])
    size = decode_side(blobs[0])
    return Source(
        labels,
        codes,
        int(labels.max()) + 1,
        lambda p: np.stack([_decoded(blobs[i], size) for i in p]),
    )


def decode_side(data: bytes) -> int:
    """Return the shorter side of an image file's content in pixels.

    Raises:
        DataError: It is no image.
    """
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            return min(image.size)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"expected a JPEG, received {error}: save the file again") from error


def _decoded(data: bytes, size: int) -> np.ndarray:
    try:
        return decode_image(data, size)
    except RefusedImage as error:
        raise DataError(
            f"expected a readable JPEG, received {error}: save the file again"
        ) from error


def _resized(images: np.ndarray, side: int | None) -> np.ndarray:
    """Return uint8 [N, H, W, C], resized where they are larger than `side`."""
    images = images[..., None] if images.ndim == 3 else images
    if side is None or max(images.shape[1:3]) <= side:
        return np.ascontiguousarray(images)
    from nas_core.trainer.build import resizing

    layer = resizing((side, side, images.shape[3]))
    parts = [
        np.asarray(layer(images[start : start + CHUNK])) for start in range(0, len(images), CHUNK)
    ]
    return np.clip(np.rint(np.concatenate(parts)), 0, 255).astype(np.uint8)
