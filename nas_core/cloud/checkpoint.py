"""A run inside a job, copied to a folder that SageMaker syncs to S3, and found again there.

The service copies files one by one, in any order, at any moment, and deletions too. So a generation
is files named by their SHA-256 and a manifest that lists them, written last. A manifest whose files
are not all there is ignored, and an older generation stays until newer ones had time to be synced.
"""

import re
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from nas_core.database import DATABASE
from nas_core.files import (
    read_json,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
)

FORMAT = 1
DATABASES = (DATABASE, f"control/{DATABASE}")
PATTERNS = (
    "models/*.keras", "models/*.json", "retrain.json", "test_openings.jsonl", "table.json",
    "checkpoints/*/*", "control/checkpoints/*/*",
)  # fmt: skip
LEAST_SECONDS = 1.0  # between two generations: a search on the mock commits hundreds a second
SYNC_SECONDS = 60.0  # a generation is kept so long after two newer ones
KEPT = 2
_MANIFEST = re.compile(r"manifest-(\d{8})\.json")


class Checkpoint:
    """Generations of one run in one folder.

    Args:
        folder: Synced to S3 by the service (/opt/ml/checkpoints).
        run: The run's folder, elsewhere: a database in use must not be synced.
    """

    def __init__(self, folder: Path, run: Path) -> None:
        self._folder, self._run = folder, run
        self._saved = 0.0
        self._hashes: dict[Path, tuple[tuple[int, int], str]] = {}

    def restore(self) -> bool:
        """Put the newest whole generation in the run's place; return whether there is one."""
        for _, manifest in sorted(self._manifests(), reverse=True):
            files = self._whole(manifest)
            if files is None:
                continue
            for name, digest in files.items():
                write_bytes(self._run / name, (self._folder / digest).read_bytes())
            return True
        return False

    def save(self, *, at_once: bool = False) -> None:
        """Write a generation of what is committed, unless the last one is very recent.

        Args:
            at_once: However recent it is: at the end, and after what took long.
        """
        now = time.monotonic()
        if not (self._run / DATABASE).is_file() or (
            not at_once and self._saved and now - self._saved < LEAST_SECONDS
        ):
            return
        files = {name: self._database(name) for name in DATABASES if (self._run / name).is_file()}
        for pattern in PATTERNS:
            for path in sorted(self._run.glob(pattern)):
                with suppress(FileNotFoundError):  # a child has just replaced its checkpoint
                    files[str(path.relative_to(self._run))] = self._file(path)
        newest = max((generation for generation, _ in self._manifests()), default=0)
        manifest = {"format": FORMAT, "files": files}
        write_json(self._folder / f"manifest-{newest + 1:08d}.json", manifest)
        self._saved = now
        self._prune()

    def _manifests(self) -> list[tuple[int, Path]]:
        found = [(_MANIFEST.fullmatch(path.name), path) for path in self._folder.glob("*.json")]
        return [(int(match[1]), path) for match, path in found if match is not None]

    def _whole(self, manifest: Path) -> dict[str, str] | None:
        """Return a generation's files by name; None when any is missing or damaged."""
        files = _files(manifest)
        try:
            whole = all(sha256_file(self._folder / digest) == digest for digest in files.values())
        except OSError:
            return None
        return files if whole and DATABASE in files else None

    def _database(self, name: str) -> str:
        """Copy a database that may be in use, as it is after the last commit."""
        with tempfile.TemporaryDirectory(dir=self._run.parent) as folder:
            copy = Path(folder) / "copy.sqlite"
            source = f"{(self._run / name).resolve().as_uri()}?mode=ro"
            with (
                closing(sqlite3.connect(source, uri=True, timeout=60)) as database,
                closing(sqlite3.connect(copy)) as target,
            ):
                database.backup(target)
            return self._keep(copy.read_bytes())

    def _file(self, path: Path) -> str:
        about = path.stat()
        key = about.st_size, about.st_mtime_ns
        known = self._hashes.get(path)
        if known is None or known[0] != key:
            self._hashes[path] = known = key, self._keep(path.read_bytes())
        return known[1]

    def _keep(self, data: bytes) -> str:
        digest = sha256_bytes(data)
        if not (self._folder / digest).is_file():
            write_bytes(self._folder / digest, data)
        return digest

    def _prune(self) -> None:
        """Drop generations that two newer ones have replaced for long enough, then their files."""
        order = sorted(self._manifests())
        # What is seen of a generation's age is that of the second newer one.
        for (_, old), (_, newer) in zip(order, order[KEPT:], strict=False):
            if time.time() - newer.stat().st_mtime > SYNC_SECONDS:
                old.unlink()
        used: set[str] = set()
        for _, path in self._manifests():
            used |= set(_files(path).values())
        for path in self._folder.iterdir():
            if re.fullmatch(r"[0-9a-f]{64}", path.name) and path.name not in used:
                path.unlink()


def _files(manifest: Path) -> dict[str, str]:
    """Return the SHA-256 of a generation's files by name; nothing for a damaged manifest."""
    try:
        value: dict[str, Any] = read_json(manifest)
        if value["format"] != FORMAT:
            return {}
        return {str(name): str(digest) for name, digest in value["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
