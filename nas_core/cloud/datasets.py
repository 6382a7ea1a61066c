"""Data sets in S3: the same files as on disk, the manifest written last.

An address is a whole data set once its dataset.json is there. On this machine a data set lies in a
folder that its digest names, so that it is fetched once.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas_core.cloud import objects
from nas_core.cloud.address import S3Address
from nas_core.cloud.client import s3
from nas_core.cloud.downloading import download
from nas_core.cloud.parts import Item
from nas_core.cloud.progress import TransferProgress
from nas_core.cloud.uploading import upload
from nas_core.datasets.manifest import MANIFEST, files_of, parse_manifest, read_manifest
from nas_core.datasets.store import DatasetInfo, open_dataset, require_new
from nas_core.errors import DataError
from nas_core.files import fsync_folder, write_bytes


def home(root: S3Address, info: DatasetInfo) -> S3Address:
    """Return where a data set lies below a project's prefix: a place that its digest names."""
    name = "".join(letter for letter in info.name if letter.isascii() and letter.isalnum())
    return root / "data" / f"{name or 'data'}-{info.digest[:12]}"


def push(folder: Path, address: S3Address, client: Any = None) -> dict[str, Any]:
    """Copy a data set to S3; what an interrupted call has sent is not sent again.

    Args:
        folder: A data set's folder.
        address: Its place; empty, or with the same data set.
        client: From `nas_core.cloud.client.s3`; None for one from the environment.

    Returns:
        ``address``, ``digest``, ``bytes``, and ``sent``, the number of files.

    Raises:
        DataError: The folder is no intact data set, or another one is at the address.
        CloudError: AWS refuses.
    """
    client = s3() if client is None else client
    manifest = read_manifest(folder)
    there = objects.get_json(client, address / MANIFEST)
    if there is not None and (
        not isinstance(there, dict) or there.get("digest") != manifest["digest"]
    ):
        raise DataError(
            f"expected an empty place at {address}, another data set is there: choose another"
        )
    items = [
        Item(folder / name, address / name, (folder / name).stat().st_size, manifest["files"][name])
        for name in files_of(manifest.get("words"))
    ]
    total = sum(item.size for item in items)
    with TransferProgress(str(address)) as progress:
        progress.expect(total)
        sent = upload(client, items, progress)
        if sent > 0 or there is None:
            objects.put(client, address / MANIFEST, (folder / MANIFEST).read_bytes())
    return {
        "address": str(address),
        "digest": manifest["digest"],
        "bytes": total,
        "sent": sent,
    }


def pull(address: S3Address, folder: Path, client: Any = None) -> DatasetInfo:
    """Copy a data set from S3 into a new folder, which appears whole or not at all.

    Args:
        address: Where `push` put it.
        folder: The new folder.
        client: From `nas_core.cloud.client.s3`; None for one from the environment.

    Raises:
        DataError: The folder exists, there is no data set, or one that is damaged.
        CloudError: AWS refuses; what has arrived is kept for the next call.
    """
    require_new(folder)
    client = s3() if client is None else client
    return _pull(client, address, _manifest(client, address), folder)


def fetch(address: S3Address, root: Path, client: Any = None) -> DatasetInfo:
    """Return a data set of S3 as a folder below `root`, fetched unless it is there.

    Raises:
        DataError: There is no data set, or one that is damaged.
        CloudError: AWS refuses.
    """
    client = s3() if client is None else client
    content, digest = _manifest(client, address)
    name = address.key.rpartition("/")[2] or address.bucket
    folder = root / f"{name}-{digest[:12]}"
    if (folder / MANIFEST).is_file():
        return open_dataset(folder)
    return _pull(client, address, (content, digest), folder)


def _manifest(client: Any, address: S3Address) -> tuple[bytes, str]:
    """Return the manifest's bytes and the data set's digest, which `_pull` checks."""
    content = objects.get(client, address / MANIFEST)
    if content is None:
        raise DataError(
            f"expected a data set at {address}, found no {MANIFEST} there: push one with "
            f"'nas data push FOLDER {address}'"
        )
    try:
        digest = json.loads(content)["digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        digest = None
    if not (isinstance(digest, str) and digest.isalnum() and len(digest) == 64):
        raise DataError(
            f"expected a whole manifest in {address / MANIFEST}, found another file: push the data "
            "set again"
        )
    return content, digest


def _pull(client: Any, address: S3Address, found: tuple[bytes, str], folder: Path) -> DatasetInfo:
    content, digest = found
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.parent / f".{folder.name}.{digest[:16]}.pull"
    with _locked(partial.with_suffix(".lock")):
        if (folder / MANIFEST).is_file():  # another process was quicker
            return open_dataset(folder)
        partial.mkdir(exist_ok=True)
        write_bytes(partial / MANIFEST, content)
        items = _items(client, address, partial)
        with TransferProgress(str(address)) as progress:
            progress.expect(sum(item.size for item in items))
            download(client, items, progress)
        partial.rename(folder)
        fsync_folder(folder.parent)
    return open_dataset(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on fetching one data set; others wait, then find the data set."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        path.unlink(missing_ok=True)  # only after success: who waits on it finds the data set


def _items(client: Any, address: S3Address, partial: Path) -> list[Item]:
    """Return the files to fetch.

    Raises:
        DataError: The manifest is damaged, files are missing, or they do not fit on the disk.
    """
    manifest = parse_manifest(partial)
    sizes = dict(objects.sizes(client, address))
    items = []
    for name in files_of(manifest.get("words")):
        if address / name not in sizes:
            raise DataError(
                f"expected {address / name}, found no such object: push the data set again"
            )
        size = sizes[address / name]
        items.append(Item(partial / name, address / name, size, manifest["files"][name]))
    total = sum(item.size for item in items)
    free = shutil.disk_usage(partial).free
    if total > free + sum(path.stat().st_size for path in partial.iterdir()):
        raise DataError(
            f"expected {total >> 20} MiB of free disk for {address}, found {free >> 20}: make room"
        )
    return items
