"""A trainer's data set on every node: used where it lies, else sent once and kept by its digest.

A node that has the folder at the same path (a shared disk, a second node of one machine) reads it
there. Another one receives the files as objects and unpacks them into its cache. The test split's
arrays are never sent: empty files stand in their place, so that a node could not even see it.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

from nas_core.datasets.manifest import MANIFEST, files_of, read_manifest
from nas_core.errors import DataError
from nas_core.files import fsync_folder, sha256_file
from nas_core.trainer.base import Trainer

CACHE = "NAS_CACHE"  # environment variable: the cache's folder on a node
BLOCK = 16 << 20  # bytes of one object
UNSEEN = "test_"


@dataclass(frozen=True)
class DataSet:
    """A data set that trials read.

    Attributes:
        folder: Where it lies on the driver's machine.
        digest: Of its content.
    """

    folder: Path
    digest: str


def data_of(trainer: Trainer) -> DataSet | None:
    """Return the data set that a trainer names in its attribute `data`; None without one."""
    folder = getattr(trainer, "data", None)
    if not isinstance(folder, Path) or not is_dataclass(trainer):
        return None
    if not (folder / MANIFEST).is_file():
        return None
    return DataSet(folder, read_manifest(folder)["digest"])


def cache_folder(digest: str) -> Path:
    """Return where this machine keeps a data set that was sent to it."""
    chosen = os.environ.get(CACHE)
    root = Path.home() / ".cache" / "rl-nas" if chosen is None else Path(chosen)
    return root / "data" / f"{digest}-search"


def trainer_here(trainer: Trainer, data: DataSet | None) -> Trainer | None:
    """Return the trainer with a data set that this machine has; None if it must be sent first."""
    if data is None:
        return trainer
    for folder in (data.folder, cache_folder(data.digest)):
        if _digest(folder) == data.digest:
            if folder == getattr(trainer, "data", None):
                return trainer
            return cast(Trainer, replace(cast(Any, trainer), data=folder))
    return None


def _digest(folder: Path) -> str | None:
    try:
        return str(read_manifest(folder)["digest"])
    except DataError:
        return None


def names_to_send(data: DataSet) -> tuple[str, ...]:
    """Return the names of the files that trials read."""
    names = files_of(read_manifest(data.folder).get("words"))
    return (MANIFEST, *(name for name in names if not name.startswith(UNSEEN)))


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, at most `BLOCK` at a time."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(BLOCK), b"")


def unpack(files: Mapping[str, Iterable[Any]], digest: str, fetch: Callable[[Any], bytes]) -> Path:
    """Write a data set into the cache, so that its folder appears whole, or not at all.

    Args:
        files: Of each file its parts, in order.
        digest: What the data set must have.
        fetch: Turns a part into bytes.

    Returns:
        The folder in the cache; another process of this machine may have been quicker.

    Raises:
        DataError: What arrived is not what was sent.
        OSError: The cache cannot be written.
    """
    folder = cache_folder(digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{digest[:12]}.", suffix=".tmp", dir=folder.parent))
    try:
        for name, parts in files.items():
            _write(temporary / name, parts, fetch)
        _check(temporary, digest, files)
        temporary.chmod(0o755)
        if not folder.exists():
            _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write(path: Path, parts: Iterable[Any], fetch: Callable[[Any], bytes]) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(fetch(part))
        file.flush()
        os.fsync(file.fileno())


def _check(folder: Path, digest: str, sent: Iterable[str]) -> None:
    for split_part in ("images", "labels"):
        (folder / f"{UNSEEN}{split_part}.npy").touch()
    manifest = read_manifest(folder)
    damaged = [
        name
        for name in sent
        if name != MANIFEST and sha256_file(folder / name) != manifest["files"].get(name)
    ]
    if damaged or manifest["digest"] != digest:
        raise DataError(
            f"expected the data set {digest[:12]} as it was sent, received other bytes in "
            f"{', '.join(damaged) or MANIFEST}: look at this node's disk and network"
        )


def _publish(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.exists():  # else another process has just put it there
            raise
    fsync_folder(folder.parent)
