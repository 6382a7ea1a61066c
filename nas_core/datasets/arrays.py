"""An .npz file of images and labels to a pool, with every wrong array refused by name."""

import math
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_core.datasets.archive import MAX_RATIO, RATIO_FREE_BYTES, open_zip
from nas_core.datasets.pool import Pool, require_classes
from nas_core.errors import DataError

MAX_BYTES = 16 << 30
MAX_SIDE = 4096
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
    SyntaxError,  # NumPy reads a header as a Python literal
    tokenize.TokenError,
)
PAIRS = (("images", "labels"), ("train_images", "train_labels"), ("x_train", "y_train"))
# Names of the arrays that go with each form of the training pair: (code, images, labels).
OTHERS = {
    "images": (),
    "train_images": (
        (1, "validation_images", "validation_labels"),
        (1, "val_images", "val_labels"),
        (2, "test_images", "test_labels"),
    ),
    "x_train": ((1, "x_val", "y_val"), (2, "x_test", "y_test")),
}


@dataclass(frozen=True)
class _Part:
    """One pair of arrays: its split's code (None: not told) and the names they have in the file."""

    code: int | None
    images: str
    labels: str


def read_npz(path: Path) -> Pool:
    """Read `images, labels[, split, class_names]`, or train_/test_ pairs, or x_train, y_train, ...

    Images are [N, H, W], [N, H, W, 1] or [N, H, W, 3], whole numbers 0 to 255 or floats in [0, 1]
    or [0, 255]; grayscale keeps one channel. Labels are integers from 0. Split codes: 0 train,
    1 validation, 2 test.

    Raises:
        DataError: A missing array, a wrong dtype, shape or length, NaN, labels out of range, Python
            objects, one class, or an archive that inflates beyond measure.
    """
    arrays = _load(path)
    parts = _parts(arrays, path)
    images = _to_uint8([arrays[part.images] for part in parts], parts, path)
    labels = np.concatenate([_labels(arrays, part, path) for part in parts])
    classes = _classes(arrays, labels, path)
    names = [f"{part.images}[{i}]" for part in parts for i in range(len(arrays[part.images]))]
    return Pool(images, labels, classes, names, _split(arrays, parts, len(labels), path))


def _load(path: Path) -> dict[str, np.ndarray]:
    check_npz(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if _wanted(name)}
    except _UNREADABLE as error:
        raise _no_arrays(path, error) from error


def check_npz(path: Path) -> None:
    """Refuse an .npz file that is damaged, or would fill the memory when it is read.

    Raises:
        DataError: A hostile archive, an array that inflates beyond measure or is cut off.
    """
    _check_sizes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _check_header(archive, member, path)
    except _UNREADABLE as error:
        raise _no_arrays(path, error) from error


def _no_arrays(path: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):  # which is a ValueError too
        return error
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(
        f"expected plain arrays in {path}, received {reason}: save them with numpy.savez and "
        "without Python objects"
    )


def _check_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Refuse an array whose header claims more bytes than the file holds: NumPy would reserve them.

    Raises:
        DataError: The header's shape and dtype do not match the member's size.
        ValueError: The member is no array.
    """
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        claimed = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and claimed != member.file_size - stream.tell():
            raise DataError(
                f"expected a whole array {member.filename!r} in {path}, received a header that "
                f"claims {claimed} bytes: save it again with numpy.savez"
            )


def _wanted(name: str) -> bool:
    names = {name for pair in PAIRS for name in pair} | {"split", "class_names"}
    names |= {name for others in OTHERS.values() for other in others for name in other[1:]}
    return name in names


def _check_sizes(path: Path) -> None:
    """Refuse, before anything is inflated, archives whose arrays cannot fit."""
    with open_zip(path) as archive:
        members = archive.files.values()
        total = sum(member.file_size for member in members)
        for member in members:
            if member.file_size > max(16 * RATIO_FREE_BYTES, MAX_RATIO * member.compress_size):
                raise DataError(
                    f"expected arrays of images in {path}, received {member.filename!r}, which "
                    f"inflates more than {MAX_RATIO} times: save it with numpy.savez"
                )
    if total > MAX_BYTES:
        raise DataError(
            f"expected at most {MAX_BYTES >> 30} GiB of arrays in {path}, received "
            f"{total / (1 << 30):.1f} GiB: import fewer or smaller images"
        )


def _parts(arrays: dict[str, np.ndarray], path: Path) -> list[_Part]:
    for images, labels in PAIRS:
        if images in arrays and labels in arrays:
            found = [
                _Part(code, x, y) for code, x, y in OTHERS[images] if x in arrays and y in arrays
            ]
            return [_Part(0 if found else None, images, labels), *found]
    raise DataError(
        f"expected the arrays 'images' and 'labels' (or train_images, train_labels, test_images, "
        f"test_labels; or x_train, y_train, x_test, y_test) in {path}, received "
        f"{', '.join(arrays) or 'none of them'}: rename the arrays"
    )


def _to_uint8(images: list[np.ndarray], parts: list[_Part], path: Path) -> np.ndarray:
    """Check and join the images: uint8 [N, H, W, C]."""
    joined: list[np.ndarray] = []
    for given, part in zip(images, parts, strict=True):
        array = given[..., None] if given.ndim == 3 else given
        if array.ndim != 4 or array.shape[3] not in (1, 3) or not len(array):
            raise DataError(
                f"expected {part.images} [N, H, W], [N, H, W, 1] or [N, H, W, 3] in {path}, "
                f"received {list(array.shape)}: reshape it"
            )
        if not all(1 <= side <= MAX_SIDE for side in array.shape[1:3]):
            raise DataError(
                f"expected images of 1 to {MAX_SIDE} pixels a side in {path}, received "
                f"{list(array.shape)}: resize them"
            )
        if joined and array.shape[1:] != joined[0].shape[1:]:
            raise DataError(
                f"expected one image size in {path}, received {list(joined[0].shape[1:])} and "
                f"{list(array.shape[1:])}: resize {part.images}"
            )
        _check_values(array, part.images, path)
        joined.append(array)
    scale = 255 if max(float(array.max()) for array in joined) <= 1 and _floats(joined) else 1
    return np.concatenate([_rounded(array, scale) for array in joined])


def _floats(arrays: list[np.ndarray]) -> bool:
    return all(array.dtype.kind == "f" for array in arrays)


def _rounded(array: np.ndarray, scale: int) -> np.ndarray:
    return array if array.dtype == np.uint8 else np.rint(array * scale).astype(np.uint8)


def _check_values(array: np.ndarray, name: str, path: Path) -> None:
    if array.dtype.kind not in "iuf":
        raise DataError(
            f"expected {name} of whole numbers or floats in {path}, received {array.dtype.name}: "
            "convert it to uint8"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).all(axis=(1, 2, 3))))
        raise DataError(
            f"expected finite pixels in {path}, received NaN or infinity in {name}[{bad}]: "
            "repair or leave out that image"
        )
    if array.min() < 0 or array.max() > 255:
        raise DataError(
            f"expected pixels from 0 to 255 (or floats from 0 to 1) in {path}, received "
            f"{array.min()} to {array.max()} in {name}: rescale it"
        )


def _labels(arrays: dict[str, np.ndarray], part: _Part, path: Path) -> np.ndarray:
    labels = arrays[part.labels]
    count = len(arrays[part.images])
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"expected integer {part.labels} in {path}, received {labels.dtype.name}: number the "
            "classes from 0 and give their names as class_names"
        )
    if labels.shape != (count,):
        raise DataError(
            f"expected {count} {part.labels}, one for each of {part.images}, in {path}, received "
            f"shape {list(labels.shape)}: supply as many labels as images"
        )
    return labels.astype(np.int64)


def _classes(arrays: dict[str, np.ndarray], labels: np.ndarray, path: Path) -> tuple[str, ...]:
    present = np.unique(labels)
    names = _names(arrays, path)
    count = len(names) if names is not None else int(present.max()) + 1
    if present.min() < 0 or present.max() >= count:
        raise DataError(
            f"expected labels from 0 to {count - 1} in {path}, received {present.min()} to "
            f"{present.max()}: number the classes from 0"
        )
    if len(present) == 1:
        require_classes((names[int(present[0])] if names else str(present[0]),), str(path))
    if len(present) < count:
        absent = next(label for label in range(count) if label not in present)
        raise DataError(
            f"expected images of every class from 0 to {count - 1} in {path}, received none of "
            f"class {absent}: number the classes from 0 without gaps"
        )
    return names if names is not None else tuple(str(label) for label in range(count))


def _names(arrays: dict[str, np.ndarray], path: Path) -> tuple[str, ...] | None:
    names = arrays.get("class_names")
    if names is None:
        return None
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    listed = tuple(str(name) for name in names.ravel())
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(listed)) != len(listed):
        raise DataError(
            f"expected class_names as a list of different strings in {path}, received "
            f"{names.dtype.name} {list(names.shape)}: save numpy.array(list of names)"
        )
    return listed


def _split(
    arrays: dict[str, np.ndarray], parts: list[_Part], count: int, path: Path
) -> np.ndarray | None:
    """Return each image's supplied code 0, 1 or 2, or None."""
    if len(parts) > 1:
        sizes = [len(arrays[part.images]) for part in parts]
        return np.repeat([part.code for part in parts], sizes).astype(np.uint8)
    split = arrays.get("split")
    if split is None:
        return None
    if split.shape != (count,) or split.dtype.kind not in "iu":
        raise DataError(
            f"expected {count} integer split codes in {path}, received {split.dtype.name} "
            f"{list(split.shape)}: supply one for each image"
        )
    if split.min() < 0 or split.max() > 2:
        raise DataError(
            f"expected split codes 0 (train), 1 (validation) and 2 (test) in {path}, received "
            f"{split.min()} to {split.max()}: change them"
        )
    return split.astype(np.uint8)
