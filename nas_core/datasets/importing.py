"""Importing: a folder, zip or .npz of images, or a table of texts, becomes a data set, reported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nas_core.datasets.arrays import read_npz
from nas_core.datasets.folders import read_folder, read_zip
from nas_core.datasets.pool import Dropped, Pool, printable
from nas_core.datasets.splitting import divide
from nas_core.datasets.store import DatasetInfo, require_new, write_dataset
from nas_core.datasets.text_tables import is_text_table
from nas_core.datasets.texts import TextOptions, import_texts
from nas_core.errors import DataError, UsageError

FOLDER_SIZE = 64
SMALLEST, LARGEST = 8, 1024


@dataclass(frozen=True)
class ImportReport:
    """What an import found, left out and wrote.

    Attributes:
        info: The new data set.
        found: Images or texts considered, the dropped ones included.
        dropped: {reason: {"count": n, "examples": [up to 5 names]}}.
        notes: What else the user should know, one sentence each.
    """

    info: DatasetInfo
    found: int
    dropped: dict[str, Any]
    notes: list[str]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        counts = ", ".join(f"{count} {name}" for name, count in self.info.counts.items())
        lines = [f"{self.info.path}: {_contents(self.info)} ({counts})"]
        for reason, entry in self.dropped.items():
            examples = ", ".join(printable(name) for name in entry["examples"])
            more = ", ..." if entry["count"] > len(entry["examples"]) else ""
            lines.append(f"dropped {entry['count']}: {reason} ({examples}{more})")
        return lines + [f"note: {note}" for note in self.notes]


def _contents(info: DatasetInfo) -> str:
    total, classes = sum(info.counts.values()), f"{len(info.classes)} classes"
    height, width, channels = info.image_shape
    if info.words is not None:
        return f"{total} texts of {height} of {info.words} words, {classes}"
    return f"{total} images {height}x{width}x{channels}, {classes}"


def import_dataset(
    source: Path | str,
    out: Path | str,
    image_size: int | None = None,
    name: str | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
) -> ImportReport:
    """Import images or texts into a new data set folder.

    Args:
        source: A folder with a subfolder for each class (with train/, val/, test/ around them if
            you wish), a zip of one, an .npz file (see `arrays.read_npz`), or a table of texts (see
            `text_tables.read_text_table`).
        out: The new data set's folder.
        image_size: Side of the square images in pixels, 8 to 1024; None keeps the size of an .npz
            and takes 64 for files.
        name: The data set's name; `out`'s last part when None.
        seed: Which 70/15/15 division; a supplied split is kept.
        text: How texts become tokens; None for the defaults.

    Raises:
        DataError: The source is missing or cannot be used, or `out` exists.
        UsageError: The image size is out of range, or an option is for the other kind of data.
    """
    source, out = Path(source), Path(out)
    if image_size is not None and not SMALLEST <= image_size <= LARGEST:
        raise UsageError(
            f"expected an image size from {SMALLEST} to {LARGEST} pixels, received {image_size}: "
            "choose such as 64"
        )
    require_new(out)
    dropped = Dropped()
    if source.is_file() and is_text_table(source):
        _refuse("--image-size", "texts", image_size is not None)
        options = TextOptions() if text is None else text
        info, rows = import_texts(source, out, options, name, seed, dropped)
        return ImportReport(info, rows, dropped.summary(), [])
    _refuse("--words and --length", "images", text is not None)
    pool = _read(source, image_size, dropped)
    found = len(pool.labels) + sum(dropped.counts.values())
    divided = divide(pool, seed, dropped)
    info = write_dataset(
        out, divided.splits, pool.classes, f"imported from {source.name}", name, dropped.summary()
    )
    return ImportReport(info, found, dropped.summary(), divided.notes)


def _refuse(options: str, what: str, given: bool) -> None:
    if given:
        raise UsageError(f"expected no {options} for {what}, received a value: leave it out")


def _read(source: Path, image_size: int | None, dropped: Dropped) -> Pool:
    size = FOLDER_SIZE if image_size is None else image_size
    if source.is_dir():
        return read_folder(source, size, dropped)
    if not source.is_file():
        raise DataError(
            f"expected a folder of images, a zip, .npz, .csv or .tsv file, received {source}, "
            "which does not exist: check the path"
        )
    if source.suffix.lower() == ".npz":
        return _resized(read_npz(source), image_size)
    if source.suffix.lower() == ".zip":
        return read_zip(source, size, dropped)
    raise DataError(
        f"expected a folder of images, a zip, .npz, .csv or .tsv file, received {source.name!r}: "
        "put images into a folder with a subfolder for each class, texts into a table"
    )


def _resized(pool: Pool, size: int | None) -> Pool:
    """Resize [N, H, W, C] to size x size with Lanczos, as image files are."""
    if size is None or pool.images.shape[1:3] == (size, size):
        return pool
    images = np.empty((len(pool.images), size, size, pool.images.shape[3]), np.uint8)
    for number, image in enumerate(pool.images):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        resized = np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
        images[number] = resized.reshape(size, size, -1)
    return Pool(images, pool.labels, pool.classes, pool.names, pool.split)
