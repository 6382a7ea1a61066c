"""A training's state on disk, so that a killed one goes on where it was. No Keras here.

A generation is two files: the arrays (`.npz`, never pickled) and, written last, a manifest
(`.json`) with their SHA-256, its own SHA-256, and everything that is not an array. Each appears
whole or not at all, and the generation before is kept until the next one is complete.
"""

import errno
import io
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.errors import UsageError
from nas_core.failpoints import reach
from nas_core.files import atomic_open, read_json, sha256_bytes, write_bytes

FORMAT = 1
CHECKPOINTS = "checkpoints"  # folder in a run's folder: one folder for each training
GENERATIONS = 2
VARIABLE = "NAS_CHECKPOINT_SECONDS"  # least seconds between two checkpoints, instead of the rule
FIRST_SECONDS = 5.0  # a child that is done by then needs none
SHARE = 0.02  # of a training's time that its checkpoints may take

Arrays = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Snapshot:
    """A training between two epochs.

    Attributes:
        arrays: Lists of arrays by name (weights, optimizer, ...).
        state: JSON values.
    """

    arrays: Arrays
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training.

    Attributes:
        warnings: One line about each thing that went wrong and did not stop the training.
        seconds_before: What earlier processes spent on the training, up to the checkpoint.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        """Look at nothing yet.

        Args:
            folder: For this training alone; made at the first save, if its parent's parent exists.
            identity: JSON values that the training depends on. Checkpoints of another are not seen.

        Raises:
            UsageError: `NAS_CHECKPOINT_SECONDS` is no number.
        """
        self._folder = folder
        self._identity = json.dumps(identity, sort_keys=True)
        self._name = sha256_bytes(self._identity.encode())[:12]
        self._least = _least_seconds()
        self._began = self._last = time.monotonic()
        self._cost = 0.0
        self._number = 0
        self.warnings: list[str] = []
        self.seconds_before = 0.0

    def load(self) -> Snapshot | None:
        """Return the newest intact generation, or None; a broken one leaves a warning."""
        manifests = sorted(self._folder.glob(f"{self._name}-*.json"), reverse=True)
        if manifests:
            self._number = int(manifests[0].stem.rpartition("-")[2])
        for path in manifests:
            try:
                snapshot = self._read(path)
            except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
                self._warn(f"checkpoint {path} is damaged ({error}): the one before is used")
                continue
            self.seconds_before = float(snapshot.state["seconds"])
            self._last -= FIRST_SECONDS  # a long training: what it does next is kept soon
            return snapshot
        return None

    def _read(self, path: Path) -> Snapshot:
        manifest = read_json(path)
        seal = manifest.pop("seal")
        if seal != _seal(manifest) or manifest["identity"] != self._identity:
            raise ValueError("its manifest has changed")
        data = path.with_suffix(".npz").read_bytes()
        if sha256_bytes(data) != manifest["sha256"]:
            raise ValueError("its arrays have changed")
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {
                name: [stored[f"{name}.{place}"] for place in range(count)]
                for name, count in manifest["arrays"].items()
            }
        return Snapshot(arrays, manifest["state"])

    def due(self) -> bool:
        """Return whether enough time has passed since the last save for another one."""
        since = time.monotonic() - self._last
        if self._least is not None:
            return since >= self._least
        return since >= (FIRST_SECONDS if self._cost == 0.0 else self._cost / SHARE)

    def save(self, take: Callable[[], Snapshot]) -> None:
        """Write another generation, and remove those that it makes superfluous.

        What the disk refuses is not saved: the training goes on, with a warning.

        Args:
            take: Returns what to save; its time counts as the checkpoint's cost.
        """
        began = time.monotonic()
        try:
            self._write(take())
        except OSError as error:
            self._warn(f"no checkpoint in {self._folder} ({error.strerror}): the training goes on")
        self._last = time.monotonic()
        self._cost = max(self._cost, self._last - began)

    def _write(self, snapshot: Snapshot) -> None:
        reach("checkpoint.begin")
        if not self._folder.parent.parent.is_dir():  # the run is on another machine
            raise FileNotFoundError(errno.ENOENT, f"no folder {self._folder.parent.parent}")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._name}-{self._number + 1:06d}.json"
        flat = {
            f"{name}.{place}": array
            for name, arrays in snapshot.arrays.items()
            for place, array in enumerate(arrays)
        }
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **flat)
        data = packed.getvalue()
        write_bytes(path.with_suffix(".npz"), data)
        reach("checkpoint.arrays")
        seconds = self.seconds_before + time.monotonic() - self._began
        manifest = {
            "format": FORMAT,
            "identity": self._identity,
            "sha256": sha256_bytes(data),
            "arrays": {name: len(arrays) for name, arrays in snapshot.arrays.items()},
            "state": {**snapshot.state, "seconds": seconds},
        }
        with atomic_open(path) as file:
            file.write(json.dumps({**manifest, "seal": _seal(manifest)}).encode())
        reach("checkpoint.manifest")
        self._number += 1
        self._prune()
        reach("checkpoint.done")

    def _prune(self) -> None:
        """Remove all but the newest generations, and what a killed process left half written."""
        kept = [f"{self._name}-{self._number - age:06d}" for age in range(GENERATIONS)]
        for path in self._folder.iterdir():
            if path.stem not in kept and path.name.startswith((self._name, ".")):
                path.unlink(missing_ok=True)

    def _warn(self, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)
            print(f"nas: {line}", file=sys.stderr)  # into the child's log


def _seal(manifest: dict[str, Any]) -> str:
    return sha256_bytes(json.dumps(manifest, sort_keys=True).encode())


def _least_seconds() -> float | None:
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"expected {VARIABLE} as seconds, received {text!r}: unset it") from error


def remove(folder: Path | None) -> None:
    """Remove a training's checkpoints, if there are any: its result is committed.

    What cannot be removed is left: it costs space, and a finished training never reads it.
    """
    if folder is None or not folder.is_dir():
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another training's are still there
        folder.parent.rmdir()
