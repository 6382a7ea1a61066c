"""The manifest `dataset.json`: what it holds, and its validation without opening an array."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_core.datasets.vocabulary import MOST_WORDS, SPECIAL
from nas_core.errors import DataError
from nas_core.files import read_json, sha256_bytes

FORMAT = 1
MANIFEST = "dataset.json"
SPLITS = ("train", "validation", "test")
FILES = tuple(f"{split}_{part}.npy" for split in SPLITS for part in ("images", "labels"))
VOCABULARY = "vocabulary.json"  # beside the arrays of a data set of texts
MAX_BYTES = 1 << 24


def files_of(words: int | None) -> tuple[str, ...]:
    """Return the names of a data set's files, the manifest left out; texts have words."""
    return FILES if words is None else (*FILES, VOCABULARY)


def overall_digest(hashes: Mapping[str, str]) -> str:
    """Return the SHA-256 over the hashes of all files, in the order of `files_of`."""
    names = [name for name in (*FILES, VOCABULARY) if name in hashes]
    return sha256_bytes("".join(f"{name} {hashes[name]}\n" for name in names).encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and validate `folder`/dataset.json.

    Returns:
        The manifest: format, name, classes, image_shape, counts, class_counts (by split, then by
        class), files (SHA-256 by name), digest, source, dropped; of texts also words, the size
        of the vocabulary.

    Raises:
        DataError: It is missing, damaged, of another format, or an array file is absent.
    """
    manifest = parse_manifest(folder)
    missing = [name for name in files_of(manifest.get("words")) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"expected {missing[0]} in {folder}, received no such file: import the data set again"
        )
    return manifest


def parse_manifest(folder: Path) -> dict[str, Any]:
    """Read and validate `folder`/dataset.json; the array files may still be on their way.

    Raises:
        DataError: It is missing, damaged or of another format.
    """
    manifest = _parse(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"expected data set format {FORMAT} in {folder}, received {manifest.get('format')!r}: "
            "import the data set again with this version"
        )
    _check_fields(folder, manifest)
    return manifest


def _parse(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(
            f"expected a data set folder with {MANIFEST}, received {path.parent}, which has none: "
            "make one with 'nas data leaves' or 'nas data import'"
        )
    try:
        manifest = read_json(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(
            f"expected a readable manifest in {path}, received {error}: import the data set again"
        ) from error
    if not isinstance(manifest, dict):
        raise DataError(
            f"expected a JSON object in {path}, received {type(manifest).__name__}: "
            "import the data set again"
        )
    return manifest


def _check_fields(folder: Path, manifest: Mapping[str, Any]) -> None:
    problem = _problem(manifest)
    if problem is not None:
        raise DataError(
            f"expected a whole manifest in {folder / MANIFEST}, received {problem}: "
            "import the data set again"
        )


def _problem(manifest: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the manifest's fields, or None."""
    classes, counts = manifest.get("classes"), manifest.get("counts")
    if not _classes(classes):
        return f"classes {classes!r}"
    if not _shape(manifest.get("image_shape")):
        return f"image_shape {manifest.get('image_shape')!r}"
    if not (isinstance(counts, dict) and all(_natural(counts.get(split)) for split in SPLITS)):
        return f"counts {counts!r}"
    per_class = manifest.get("class_counts")
    if not (isinstance(per_class, dict) and all(_sums(per_class, counts, s) for s in SPLITS)):
        return "class_counts that do not sum to the counts"
    files = manifest.get("files")
    words = manifest.get("words")
    if words is not None and not (_natural(words) and len(SPECIAL) < words <= MOST_WORDS):
        return f"words {words!r}"
    names = set(files_of(words))
    if not (isinstance(files, dict) and all(isinstance(files.get(name), str) for name in names)):
        return "no hash for some files"
    if manifest.get("digest") != overall_digest(files):
        return "a digest that does not belong to the files' hashes"
    if not (isinstance(manifest.get("name"), str) and isinstance(manifest.get("source"), str)):
        return "no name or no source"
    return None


def _classes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(item, str) for item in value)
        and len(set(value)) == len(value) >= 2
    )


def _natural(value: Any) -> bool:
    return type(value) is int and value > 0


def _shape(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_natural(item) for item in value)
        and value[2] in (1, 3)
    )


def _sums(per_class: Mapping[str, Any], counts: Mapping[str, int], split: str) -> bool:
    values = per_class.get(split)
    return (
        isinstance(values, list)
        and all(type(value) is int for value in values)
        and sum(values) == counts[split]
    )
