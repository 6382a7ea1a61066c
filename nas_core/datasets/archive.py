"""Reading zip files that may be hostile: names, counts, sizes and ratios are limited.

Members are read into memory and never written to disk, and sizes are counted while streaming: a
header can lie.
"""

import gzip
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from nas_core.errors import DataError

MAX_MEMBERS = 1_000_000
MAX_TOTAL_BYTES = 32 << 30
MAX_RATIO = 200
RATIO_FREE_BYTES = 1 << 20
BLOCK = 1 << 16


class SafeZip:
    """A zip file whose members were checked and whose reads are bounded."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        """Check every member's name and kind.

        Raises:
            DataError: A member that leaves the folder, a link, encryption, a name twice (in any
                spelling of Unicode), members that overlap, or too many.
        """
        self._archive = archive
        self._path = path
        self._total = 0
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise DataError(
                f"expected at most {MAX_MEMBERS} files in {path}, received {len(members)}: "
                "split the archive"
            )
        for member in members:
            self._check(member)
        self.files = {member.filename: member for member in members if not member.is_dir()}
        names = {unicodedata.normalize("NFC", name) for name in self.files}
        if len(names) != sum(not member.is_dir() for member in members):
            raise DataError(
                f"expected every name once in {path}, received a name twice: make the zip again"
            )
        packed = sum(member.compress_size for member in members)
        if packed > path.stat().st_size:  # files that share their bytes inflate without end
            raise DataError(
                f"expected files side by side in {path}, received some that overlap: make the zip "
                "again"
            )

    def _check(self, member: zipfile.ZipInfo) -> None:
        # zipfile cuts a name at NUL and turns os.sep round; the raw name is the one to judge.
        name = member.orig_filename
        pure = PurePosixPath(name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if (
            pure.is_absolute()
            or ".." in pure.parts
            or "\\" in name
            or "\0" in name
            or name[1:2] == ":"
        ):
            self._refuse(member, "a name that leaves the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            self._refuse(member, "a link or special file")
        if member.flag_bits & 1:
            self._refuse(member, "an encrypted file")

    def _refuse(self, member: zipfile.ZipInfo, what: str) -> None:
        raise DataError(
            f"expected a zip of plain image files, received {what} ({member.orig_filename!r}) in "
            f"{self._path}: make the zip again from the folder of images"
        )

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a member's bytes, or None when it holds more than `limit` bytes.

        Raises:
            DataError: The member inflates more than 200 times, the archive is larger than 32 GiB,
                or its content is damaged.
        """
        member = self.files[name]
        allowed = max(RATIO_FREE_BYTES, MAX_RATIO * member.compress_size)
        blocks: list[bytes] = []
        size = 0
        for block in self._blocks(member):
            size += len(block)
            self._total += len(block)
            if size > allowed:
                self._refuse(member, f"a file that inflates more than {MAX_RATIO} times")
            if self._total > MAX_TOTAL_BYTES:
                self._refuse(member, f"more than {MAX_TOTAL_BYTES >> 30} GiB")
            if size > limit:
                return None
            blocks.append(block)
        return b"".join(blocks)

    def _blocks(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        try:
            with self._archive.open(member) as stream:
                while block := stream.read(BLOCK):
                    yield block
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise DataError(
                f"expected a whole zip, received {member.orig_filename!r} damaged in "
                f"{self._path} ({error}): make the zip again"
            ) from error


def gunzip(path: Path, limit: int) -> bytes:
    """Return what a .gz file holds.

    Args:
        path: The file.
        limit: Bytes that it may hold; it may also inflate no more than a zip's members.

    Raises:
        OSError: It cannot be read or is no gzip file.
        EOFError: It is cut off.
        zlib.error: It is damaged.
        ValueError: It holds more.
    """
    allowed = min(limit, max(16 * RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size))
    with gzip.open(path, "rb") as file:
        data = file.read(allowed + 1)
    if len(data) > allowed:
        raise ValueError(f"more than {allowed} bytes once inflated")
    return data


@contextmanager
def open_zip(path: Path) -> Iterator[SafeZip]:
    """Open a zip file for bounded reading.

    Raises:
        DataError: Not a zip, damaged, or a hostile member.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(
            f"expected a zip file, received {path} ({error}): make the zip again"
        ) from error
    with archive:
        yield SafeZip(archive, path)
