"""The source that jobs run: an allow-listed tarball, the same bytes for the same source.

It holds the packages of this distribution, their entry points, the container's entry script and
the requirements that AWS's TensorFlow image lacks. Nothing else of a repository or of a working
folder can get into it.
"""

import gzip
import io
import re
import tarfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nas_core.cloud.objects import put_once
from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError
from nas_core.files import sha256_bytes

DISTRIBUTION = "rl-nas"
SUFFIXES = (".py", ".json")  # of files that a package needs to run
LEFT_TO_IMAGE = ("tensorflow", "protobuf")
ENTRY_NAME = "train-entry.py"
REQUIREMENTS = "requirements.txt"
WHEELS = "wheels"
# The same file as sagemaker/train-entry.py, which an installed package does not have.
ENTRY = '''"""What a training job runs (`exec python3 train-entry.py`); the logic is in nas_core.cloud."""

import sys
from pathlib import Path

if __name__ == "__main__":  # children are processes: they import this file
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # the bundle, before the image
    from nas_core.cloud.container import main

    sys.exit(main())
'''  # noqa: E501  (a line of that file)


@dataclass(frozen=True)
class Bundle:
    """A source tarball.

    Attributes:
        data: Its bytes, .tar.gz.
    """

    data: bytes

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the bytes: its name in S3."""
        return sha256_bytes(self.data)

    def names(self) -> list[str]:
        """Return the members' names, sorted."""
        with tarfile.open(fileobj=io.BytesIO(self.data)) as archive:
            return sorted(archive.getnames())


def build(wheels: Path | None = None) -> Bundle:
    """Pack the installed source.

    Args:
        wheels: Folder of .whl files for jobs without the internet; None for PyPI.

    Raises:
        UsageError: The package is not installed, or the folder has no wheels.
    """
    ours = _installed()
    members = {ENTRY_NAME: ENTRY.encode(), **_metadata(ours), **_wheels(wheels)}
    for package in (ours.read_text("top_level.txt") or "").split():
        members |= _sources(package)
    members[REQUIREMENTS] = _requirements(ours, offline=wheels is not None)
    return Bundle(_packed(members))


def send(client: Any, cloud: Cloud, bundle: Bundle) -> str:
    """Write a bundle to S3 unless it is there; return its address.

    Raises:
        CloudError: AWS refuses.
    """
    address = cloud.code(bundle.digest)
    put_once(client, address, bundle.data)
    return str(address)


def _installed() -> Distribution:
    try:
        return distribution(DISTRIBUTION)
    except PackageNotFoundError as error:
        raise UsageError(
            f"expected {DISTRIBUTION} to be installed, so that jobs get its source: pip install ."
        ) from error


def _metadata(ours: Distribution) -> dict[str, bytes]:
    """Return what makes Python find the entry points: spaces and agents are registered there."""
    folder = f"rl_nas-{ours.version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {ours.version}\n"
    return {
        f"{folder}/METADATA": about.encode(),
        f"{folder}/entry_points.txt": (ours.read_text("entry_points.txt") or "").encode(),
    }


def _sources(package: str) -> dict[str, bytes]:
    """Return a package's files by their names in the tarball."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UsageError(f"expected the package {package} to be installed: pip install .")
    root = Path(found.submodule_search_locations[0])
    return {
        f"{package}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and not path.is_symlink()
    }


def _wheels(folder: Path | None) -> dict[str, bytes]:
    if folder is None:
        return {}
    found = {f"{WHEELS}/{path.name}": path.read_bytes() for path in folder.glob("*.whl")}
    if not found:
        raise UsageError(
            f"expected .whl files in {folder}, found none: pip download -d {folder} gymnasium ..."
        )
    return found


def _requirements(ours: Distribution, *, offline: bool) -> bytes:
    """Return what the image may lack, as pip reads it; offline from the bundle's own folder."""
    wanted = [
        line
        for line in ours.requires or []
        if ";" not in line and re.split(r"[^\w.-]", line, maxsplit=1)[0] not in LEFT_TO_IMAGE
    ]
    first = ["--no-index", f"--find-links {WHEELS}"] if offline else []
    return ("\n".join([*first, *sorted(wanted)]) + "\n").encode()


def _packed(members: dict[str, bytes]) -> bytes:
    """Return a .tar.gz without times, owners or the order of a file system."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(members):
            about = tarfile.TarInfo(name)
            about.size = len(members[name])
            about.mode = 0o644
            archive.addfile(about, io.BytesIO(members[name]))
    return packed.getvalue()
