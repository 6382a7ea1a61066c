"""From a folder with a subfolder of images per class, or a zip of one, to images of one size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from nas_core.datasets.archive import open_zip
from nas_core.datasets.decoding import MAX_FILE_BYTES, SUFFIXES, RefusedImage, decode_image
from nas_core.datasets.pool import Dropped, Pool, require_classes
from nas_core.errors import DataError

SPLIT_FOLDERS = {
    "train": 0, "training": 0,
    "val": 1, "valid": 1, "validation": 1,
    "test": 2, "testing": 2,
}  # fmt: skip

Read = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Item:
    """One image file: its path inside the folder, its class and, if supplied, its split's code."""

    path: str
    label: str
    split: int | None


def read_folder(folder: Path, size: int, dropped: Dropped) -> Pool:
    """Read a folder with a subfolder for each class (or train/, val/, test/ with those inside).

    Args:
        folder: The folder; hidden files are ignored.
        size: Side of the square images in the result, in pixels.
        dropped: Receives what is left out.

    Raises:
        DataError: No image, one class, most images unreadable, a class without a readable image.
    """
    paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return _decode_all(_place(paths, str(folder), dropped), _folder_reader(folder), size,
                       str(folder), dropped)  # fmt: skip


def read_zip(path: Path, size: int, dropped: Dropped) -> Pool:
    """Read a zip of such a folder; see `read_folder`. A folder around it all is looked through.

    Raises:
        DataError: As `read_folder`, and hostile archives (see `archive`).
    """
    with open_zip(path) as archive:
        prefix, paths = _unwrap(sorted(archive.files))
        items = _place(paths, str(path), dropped)
        return _decode_all(
            items,
            lambda name: archive.read(prefix + name, MAX_FILE_BYTES),
            size,
            str(path),
            dropped,
        )


def _folder_reader(folder: Path) -> Read:
    def read(name: str) -> bytes | None:
        path = folder / name
        try:
            return path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
        except OSError:
            return b""

    return read


def image_paths(folder: Path) -> list[str]:
    """Return the paths inside `folder` of the image files that an import considers, sorted."""
    files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(path for path in files if _visible(path) and path.lower().endswith(SUFFIXES))


def _visible(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _unwrap(paths: list[str]) -> tuple[str, list[str]]:
    """Take away the folders that every visible file shares, while two levels stay below them."""
    paths = [path for path in paths if _visible(path)]
    prefix = ""
    while paths:
        first = paths[0].split("/", 1)[0] + "/"
        if not all(path.startswith(first) and path.count("/") >= 2 for path in paths):
            break
        prefix += first
        paths = [path[len(first) :] for path in paths]
    return prefix, paths


def _place(paths: list[str], where: str, dropped: Dropped) -> list[Item]:
    """Give every image file its class, and its split where the folders name one."""
    images = []
    for path in filter(_visible, paths):
        if not path.lower().endswith(SUFFIXES):
            dropped.add("not a PNG, JPEG, BMP or WEBP file", path)
        elif "/" not in path:
            dropped.add("not in a class folder", path)
        else:
            images.append(path)
    if not images:
        raise DataError(
            f"expected a subfolder of PNG, JPEG, BMP or WEBP images for each class in {where}, "
            "received no image: name the folder that holds the class folders"
        )
    parts = [path.split("/") for path in images]
    if all(len(part) >= 3 and part[0].lower() in SPLIT_FOLDERS for part in parts):
        return [
            Item(path, part[1], SPLIT_FOLDERS[part[0].lower()])
            for path, part in zip(images, parts, strict=True)
        ]
    return [Item(path, part[0], None) for path, part in zip(images, parts, strict=True)]


def _decode_all(items: list[Item], read: Read, size: int, where: str, dropped: Dropped) -> Pool:
    classes = tuple(sorted({item.label for item in items}))
    require_classes(classes, where)
    kept: list[Item] = []
    images: list[np.ndarray] = []
    for item, image in _decoded(items, read, size, dropped):
        kept.append(item)
        images.append(image)
    _check_survivors(items, kept, classes, where)
    index = {name: number for number, name in enumerate(classes)}
    codes = [item.split for item in kept if item.split is not None]
    return Pool(
        images=np.stack(images),  # [N, size, size, 3]
        labels=np.array([index[item.label] for item in kept], np.int64),
        classes=classes,
        names=[item.path for item in kept],
        split=np.array(codes, np.uint8) if codes else None,
    )


def _decoded(
    items: list[Item], read: Read, size: int, dropped: Dropped
) -> Iterator[tuple[Item, np.ndarray]]:
    for item in items:
        data = read(item.path)
        if data is None:
            dropped.add(f"larger than {MAX_FILE_BYTES >> 20} MiB", item.path)
            continue
        try:
            yield item, decode_image(data, size)
        except RefusedImage as error:
            dropped.add(str(error), item.path)


def _check_survivors(
    items: list[Item], kept: list[Item], classes: tuple[str, ...], where: str
) -> None:
    lost = len(items) - len(kept)
    if 2 * lost > len(items):
        raise DataError(
            f"expected readable images in {where}, received {lost} of {len(items)} that cannot be "
            "used: check that they are whole PNG, JPEG, BMP or WEBP files of at most 64 megapixels"
        )
    left = {item.label for item in kept}
    emptied = [name for name in classes if name not in left]
    if emptied:
        raise DataError(
            f"expected at least one readable image of class {emptied[0]!r} in {where}, received "
            "none: replace its images or take its folder away"
        )
