"""Classifying a user's pictures with a retrained model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import DataError, UsageError
from nas_core.evaluation import check_model, load_model, probabilities


def predict(model: Path, images: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the most probable class of each picture.

    Args:
        model: A `.keras` file; class names come from the ``.json`` beside it, if there is one.
        images: Pictures, or folders whose pictures are taken in order of name.

    Returns:
        One ``{"image", "label", "probability", "probabilities"}`` per picture.

    Raises:
        UsageError: The model is missing or no Keras file.
        DataError: A picture is missing or cannot be read.
    """
    check_model(model)
    paths = _pictures(images)
    network = load_model(model)
    _, height, width, channels = network.input_shape
    pixels = np.stack([_pixels(path, height, width, channels) for path in paths])  # [N, H, W, C]
    found = probabilities(network, pixels)  # [N, classes]
    names = _class_names(model, found.shape[1])
    return [
        {
            "image": str(path),
            "label": names[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(names, row.astype(float).tolist(), strict=True)),
        }
        for path, row in zip(paths, found, strict=True)
    ]


def _pictures(images: Sequence[Path]) -> list[Path]:
    from nas_core.datasets.decoding import SUFFIXES

    paths: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError(f"expected pictures in {path}, found none: name a picture")
            paths.extend(inside)
        elif path.is_file():
            paths.append(path)
        else:
            raise DataError(f"expected a picture or a folder, {path} does not exist: correct it")
    return paths


def _pixels(path: Path, height: int, width: int, channels: int) -> np.ndarray:
    """Return uint8 [H, W, C], treated as `nas data import` treats pictures."""
    from nas_core.datasets.decoding import RefusedImage, decode_image

    if height != width or channels not in (1, 3):
        raise UsageError(
            f"expected a model of square gray or RGB images, received {height}x{width}x{channels}"
        )
    try:
        image = decode_image(path.read_bytes(), height)
    except (OSError, RefusedImage) as error:
        raise DataError(f"expected a picture, cannot use {path} ({error}): leave it out") from error
    if channels == 3:
        return image
    # ITU-R BT.601 luma, as Pillow's conversion to gray
    return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]


def _class_names(model: Path, classes: int) -> list[str]:
    """Return the names beside the model, or numbers where there are none."""
    try:
        names = json.loads(model.with_suffix(".json").read_text())["classes"]
    except (OSError, ValueError, KeyError):
        return [str(number) for number in range(classes)]
    return [str(name) for name in names]
