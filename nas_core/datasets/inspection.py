"""Looking at a data set: training images or texts, and a check of everything written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nas_core.datasets.manifest import SPLITS, read_manifest
from nas_core.datasets.pool import printable
from nas_core.datasets.store import DatasetInfo, load_split
from nas_core.datasets.test_split import image_digests, verify_dataset
from nas_core.datasets.texts import token_statistics
from nas_core.datasets.vocabulary import decode
from nas_core.errors import UsageError
from nas_core.files import write_with

GAP = 4
LINE = 18
LEAST_SIDE = 64


def contact_sheet(info: DatasetInfo, out: Path | str, per_class: int = 10) -> Path:
    """Write a PNG with the first training images of every class, one class a row, named.

    Args:
        info: The data set; only its train split is opened.
        out: The PNG file.
        per_class: Images in a row, 1 or more.

    Raises:
        UsageError: `per_class` below 1, or another suffix than .png.
        DataError: The files are damaged.
    """
    path = Path(out)
    if per_class < 1 or path.suffix.lower() != ".png":
        raise UsageError(
            f"expected a .png file and at least one image of each class, received {path} and "
            f"{per_class}: such as --out sheet.png"
        )
    split = load_split(info, "train")
    cell = max(LEAST_SIDE, *info.image_shape[:2])
    row = cell + LINE + GAP
    size = (GAP + per_class * (cell + GAP), GAP + len(info.classes) * row)
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for label, name in enumerate(info.classes):
        top = GAP + label * row
        draw.text((GAP, top), printable(name)[:60], fill=(0, 0, 0), font=font)
        members = np.flatnonzero(split.labels == label)[:per_class].tolist()
        for column, number in enumerate(members):
            picture = _enlarged(np.asarray(split.images[number]), cell)
            sheet.paste(picture, (GAP + column * (cell + GAP), top + LINE))
    write_with(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return path


def sample_texts(info: DatasetInfo, per_class: int = 10) -> list[dict[str, str]]:
    """Return the first training texts of every class as networks see them.

    Args:
        info: A data set of texts; only its train split is opened.
        per_class: Texts of each class, 1 or more.

    Returns:
        One {"class", "text"} for each; unknown words are ``<unknown>``.

    Raises:
        UsageError: `per_class` below 1.
        DataError: The files are damaged.
    """
    if per_class < 1:
        raise UsageError(f"expected at least one text of each class, received {per_class}")
    split, vocabulary = load_split(info, "train"), info.vocabulary()
    return [
        {"class": name, "text": decode(split.images[number], vocabulary)}
        for label, name in enumerate(info.classes)
        for number in np.flatnonzero(split.labels == label)[:per_class].tolist()
    ]


def _enlarged(image: np.ndarray, cell: int) -> Image.Image:
    """Turn [H, W, C] into a picture that fills a cell, enlarged a whole number of times."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("RGB")
    times = max(1, cell // max(picture.size))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def check_dataset(info: DatasetInfo) -> dict[str, Any]:
    """Check a data set's files and describe it; test images are hashed, never looked at.

    Returns:
        name, path, digest, classes, image_shape; counts {split: {class: n}}; mean and std of each
        channel of train, in [0, 1] (of texts: words, mean_length, unknown);
        damaged: files whose SHA-256 is not the manifest's;
        duplicates: exact copies within and across splits {"train": n, "train+test": n, ...};
        dropped: what the import left out; ok: no damaged file and no copy across splits.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    manifest = read_manifest(info.path)
    damaged = verify_dataset(info)
    train = load_split(info, "train").images
    if info.words is None:
        mean, std = _channel_statistics(train)
        statistics: Mapping[str, Any] = {"mean": mean, "std": std}
    else:
        statistics = token_statistics(train, info.words)
    duplicates = _copies({name: image_digests(info, name) for name in SPLITS})
    return {
        "name": info.name,
        "path": str(info.path),
        "source": info.source,
        "digest": info.digest,
        "classes": list(info.classes),
        "image_shape": list(info.image_shape),
        "counts": {
            split: dict(zip(info.classes, manifest["class_counts"][split], strict=True))
            for split in SPLITS
        },
        **statistics,
        "damaged": damaged,
        "duplicates": duplicates,
        "dropped": manifest.get("dropped", {}),
        "ok": not damaged and not any(count for key, count in duplicates.items() if "+" in key),
    }


def _channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of every channel of uint8 [N, H, W, C], in [0, 1]."""
    pixels = images.shape[0] * images.shape[1] * images.shape[2]
    counts = [
        np.bincount(images[..., c].reshape(-1), minlength=256) for c in range(images.shape[3])
    ]
    levels = np.arange(256) / 255
    means = [float(count @ levels / pixels) for count in counts]
    deviations = [
        float(np.sqrt(count @ (levels - mean) ** 2 / pixels))
        for count, mean in zip(counts, means, strict=True)
    ]
    return means, deviations


def _copies(digests: dict[str, list[str]]) -> dict[str, int]:
    """Count exact copies: within a split, and images of one split that occur in another."""
    found = {name: len(hashes) - len(set(hashes)) for name, hashes in digests.items()}
    names = list(digests)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            found[f"{one}+{other}"] = len(set(digests[one]) & set(digests[other]))
    return found
