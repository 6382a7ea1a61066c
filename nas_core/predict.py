"""Classifying a user's pictures or texts with a retrained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import DataError, UsageError
from nas_core.evaluation import check_model, load_model, probabilities
from nas_core.files import read_json


def predict(model: Path, inputs: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the most probable class of each picture, or of each line of text.

    Args:
        model: A `.keras` file; class names, and the vocabulary of a model for texts, come from the
            ``.json`` beside it.
        inputs: Pictures, or folders whose pictures are taken in order of name. For a model for
            texts, files in UTF-8 with a text in each line; blank lines are passed over.

    Returns:
        One ``{"image", "label", "probability", "probabilities"}`` per picture; of a text, ``text``
        takes the place of ``image``.

    Raises:
        UsageError: The model is missing or no Keras file.
        DataError: An input is missing or cannot be read.
    """
    check_model(model)
    described = _description(model)
    if "vocabulary" in described:
        texts = _lines(inputs)
        network = load_model(model)
        tokens = _tokens(texts, described["vocabulary"], network)
        return _rows("text", texts, network, tokens, described)
    paths = _pictures(inputs)
    network = load_model(model)
    _, height, width, channels = network.input_shape
    pixels = np.stack([_pixels(path, height, width, channels) for path in paths])  # [N, H, W, C]
    return _rows("image", [str(path) for path in paths], network, pixels, described)


def _rows(
    noun: str,
    inputs: Sequence[str],
    network: Any,
    examples: np.ndarray,
    described: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return a row for each of `inputs`, whose pixels or tokens are `examples` [N, H, W, C]."""
    found = probabilities(network, examples)  # [N, classes]
    names = [str(name) for name in described.get("classes", range(found.shape[1]))]
    return [
        {
            noun: each,
            "label": names[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(names, row.astype(float).tolist(), strict=True)),
        }
        for each, row in zip(inputs, found, strict=True)
    ]


def _description(model: Path) -> dict[str, Any]:
    """Return what is written beside the model; empty where nothing can be read."""
    try:
        described = read_json(model.with_suffix(".json"))
    except (OSError, ValueError):
        return {}
    return described if isinstance(described, dict) else {}


def _lines(inputs: Sequence[Path]) -> list[str]:
    """Return the lines of text files that are not blank."""
    lines: list[str] = []
    for path in inputs:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise DataError(
                f"expected a text file in UTF-8 with a text in each line, cannot use {path} "
                f"({error}): correct it"
            ) from error
        lines += [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("expected a text in each line, received blank files: write one")
    return lines


def _tokens(texts: Sequence[str], vocabulary: Any, network: Any) -> np.ndarray:
    """Return tokens uint16 [N, length, 1, 1], cut as `nas data import` cuts texts."""
    from nas_core.datasets.vocabulary import encode, is_vocabulary, words_of

    if not is_vocabulary(vocabulary) or network.input_shape[2:] != (1, 1):
        raise DataError(
            f"expected a model for texts and its vocabulary, received an input of "
            f"{network.input_shape}: retrain it"
        )
    return encode([words_of(text) for text in texts], vocabulary, network.input_shape[1])


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
            "expected a model of square gray or RGB images, or one for texts with its .json beside "
            f"it, received {height}x{width}x{channels}"
        )
    try:
        image = decode_image(path.read_bytes(), height)
    except (OSError, RefusedImage) as error:
        raise DataError(f"expected a picture, cannot use {path} ({error}): leave it out") from error
    if channels == 3:
        return image
    # ITU-R BT.601 luma, as Pillow's conversion to gray
    return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
