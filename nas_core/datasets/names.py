"""From what a user types after --data to a data set: made, fetched or imported on first use."""

import re
import sys
from pathlib import Path

from nas_core.cloud.address import S3Address, is_address
from nas_core.datasets.builtin import BUILTIN, fetch_builtin
from nas_core.datasets.folders import image_paths
from nas_core.datasets.importing import import_dataset
from nas_core.datasets.leaves import write_leaves
from nas_core.datasets.manifest import MANIFEST
from nas_core.datasets.store import DatasetInfo, open_dataset
from nas_core.datasets.text_tables import bare_name
from nas_core.errors import DataError, UsageError
from nas_core.files import is_there, sha256_bytes, sha256_file

LEAVES = "leaves"
ROOT = Path("data")


def resolve(name_or_path: str, root: Path = ROOT) -> DatasetInfo:
    """Return the data set that a name or path means; make, fetch or import it when it is new.

    Args:
        name_or_path: "leaves" (generated); "cifar10", "mnist", "fashion_mnist" (fetched by Keras);
            the name of a folder under `root`; a data set folder; a folder with a subfolder for
            each class, a zip of one, an .npz file, or a table of texts, .csv, .tsv or with .gz
            (imported to `root`/NAME-HASH); s3://bucket/prefix (fetched to `root`/NAME-HASH).
        root: Where data sets live.

    Raises:
        UsageError: No such name and no such path.
        DataError: The source cannot be used, or cannot be fetched.
        CloudError: AWS refuses to hand the data set over.
    """
    if is_address(name_or_path):
        return _fetched(name_or_path, root)
    ready = root / name_or_path
    if name_or_path == LEAVES or name_or_path in BUILTIN:
        return _prepare(name_or_path, ready)
    path = Path(name_or_path)
    if name_or_path and is_there(path):
        return open_dataset(path) if (path / MANIFEST).is_file() else _imported(path, root)
    if is_there(ready / MANIFEST):
        return open_dataset(ready)
    raise UsageError(
        f"expected a data set's name ({', '.join(known(root))}) or the path of a data set, a "
        "folder of images, a zip, .npz, .csv or .tsv file, or s3://bucket/prefix, received "
        f"{name_or_path!r}: check the spelling"
    )


def known(root: Path = ROOT) -> list[str]:
    """Return the names that `resolve` understands without a path."""
    folders = sorted(path.parent.name for path in root.glob(f"*/{MANIFEST}"))
    builtin = [LEAVES, *BUILTIN]
    hidden = {*builtin} | {name for name in folders if name.startswith(".")}
    return builtin + [name for name in folders if name not in hidden]


def _prepare(name: str, folder: Path) -> DatasetInfo:
    if folder.exists():
        return open_dataset(folder)
    try:
        if name == LEAVES:
            _say(f"leaves: generating 4,000 images into {folder} (seconds, once)")
            return write_leaves(folder)
        _say(f"{name}: fetching through keras.datasets into {folder} (once)")
        return fetch_builtin(name, folder)
    except DataError:
        # Two processes may begin at once; the first folder to be whole serves both.
        if (folder / MANIFEST).is_file():
            return open_dataset(folder)
        raise


def _fetched(text: str, root: Path) -> DatasetInfo:
    """Fetch a data set from S3 into a folder that its digest names, or reuse that."""
    from nas_core.cloud.datasets import fetch

    return fetch(S3Address.parse(text), root)


def _imported(path: Path, root: Path) -> DatasetInfo:
    """Import a folder or file under a name that holds a hash of its content, or reuse it."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", bare_name(path.resolve()).stem).strip("_") or "data"
    folder = root / f"{stem}-{_content_hash(path)[:12]}"
    if (folder / MANIFEST).is_file():
        return open_dataset(folder)
    _say(f"{path}: importing into {folder} (once)")
    try:
        report = import_dataset(path, folder)
    except DataError:
        if (folder / MANIFEST).is_file():
            return open_dataset(folder)
        raise
    for line in report.lines():
        _say(line)
    return report.info


def _content_hash(path: Path) -> str:
    if path.is_file():
        return sha256_file(path)
    lines = [f"{name} {sha256_file(path / name)}\n" for name in image_paths(path)]
    return sha256_bytes("".join(lines).encode("utf-8", "surrogateescape"))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
