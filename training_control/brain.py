"""A brain on disk: a folder with a manifest, npz arrays and their SHA-256. Nothing is executed.

    manifest.json             the current generation: schema, state, files with their SHA-256
    manifest.previous.json    the generation before
    policy-000007.npz         the frozen policy; all that a controller needs
    learner-000007.npz        what learning goes on from: weights, optimizer slots, experience
    best/                     the generation with the best score, in the same form

Arrays are written first and the manifest last, each atomically, so a crash leaves a whole brain.
"""

import hashlib
import io
import json
import re
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets.arrays import check_npz
from nas_core.errors import RunError
from nas_core.files import read_json, sha256_bytes, write_bytes, write_json

FORMAT = 1
MANIFEST, PREVIOUS, BEST = "manifest.json", "manifest.previous.json", "best"
PARTS = ("policy", "learner")
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Brain:
    """What an agent has learned.

    Attributes:
        kind: "ppo", "dqn" or "tabular".
        schema: What it sees and does: JSON values under "observation" and "actions".
        config: Of the frozen policy, as `FrozenPolicy.config` gives it.
        policy: Arrays of the frozen policy.
        learner: Arrays that learning goes on from; empty in a brain that only acts.
        state: Counters, normalisers and states of random generators, JSON values.
        generation: Number of times that it was saved, from 1; 0 before.
        score: How good it is, higher is better; None if it was not measured.
    """

    kind: str
    schema: dict[str, Any]
    config: dict[str, Any]
    policy: Arrays
    learner: Arrays = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    generation: int = 0
    score: float | None = None


def schema_digest(schema: dict[str, Any]) -> str:
    """Return the SHA-256 of a schema's canonical JSON."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def save(folder: Path, brain: Brain) -> Brain:
    """Write a brain as the next generation; the one before stays, older ones go.

    Args:
        folder: Of the brain; made if it is missing.
        brain: If its score is above that of `folder/best`, it is written there too.

    Returns:
        The brain with its generation's number.

    Raises:
        RunError: The folder holds a brain with another schema.
        OSError: The disk is full or the folder cannot be written; the last brain is unharmed.
    """
    present = _manifest(folder) if (folder / MANIFEST).exists() else None
    if present is not None:
        _check_schema(folder, present, brain.schema)
    brain = replace(brain, generation=1 if present is None else present["generation"] + 1)
    _write(folder, brain, present)
    if brain.score is not None and _is_best(folder / BEST, brain.score):
        held = (folder / BEST / MANIFEST).exists()
        _write(folder / BEST, brain, _manifest(folder / BEST) if held else None)
    return brain


def load(folder: Path, schema: dict[str, Any] | None = None) -> Brain:
    """Read a brain.

    Args:
        folder: Of the brain.
        schema: What it has to see and do; None takes any.

    Raises:
        RunError: There is none, it has another schema, or a file is missing or changed.
    """
    manifest = _manifest(folder)
    if schema is not None:
        _check_schema(folder, manifest, schema)
    read: dict[str, Any] = {part: _read_arrays(folder, manifest, part) for part in PARTS}
    keys = ("kind", "schema", "config", "state", "generation", "score")
    return Brain(**{key: manifest[key] for key in keys}, **read)


def exists(folder: Path) -> bool:
    """Return whether a folder holds a brain."""
    return (folder / MANIFEST).is_file()


def restore_previous(folder: Path) -> None:
    """Make the generation before the current one current again.

    Raises:
        RunError: There is none.
    """
    if not (folder / PREVIOUS).exists():
        raise RunError(f"expected an earlier generation in {folder}, received none: train again")
    write_bytes(folder / MANIFEST, (folder / PREVIOUS).read_bytes())


def frozen(brain: Brain) -> Brain:
    """Return a brain without what learning goes on from: it only acts, and is small.

    The scale of its rewards learns nothing more either.
    """
    kept = {
        key: value for key, value in brain.state.items() if key in ("config", "counters", "scale")
    }
    if kept.get("scale") is not None:
        kept["scale"] = {**kept["scale"], "return": 0.0, "frozen": True}  # no episode is under way
    return replace(brain, learner={}, state=kept)


def _write(folder: Path, brain: Brain, present: dict[str, Any] | None) -> None:
    files = {}
    for part in PARTS:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **getattr(brain, part))
        name = f"{part}-{brain.generation:06d}.npz"
        write_bytes(folder / name, buffer.getvalue())
        files[part] = {"name": name, "sha256": sha256_bytes(buffer.getvalue())}
    if present is not None:
        write_bytes(folder / PREVIOUS, (folder / MANIFEST).read_bytes())
    manifest = {
        "format": FORMAT,
        "kind": brain.kind,
        "schema": brain.schema,
        "schema_sha256": schema_digest(brain.schema),
        "generation": brain.generation,
        "score": brain.score,
        "config": brain.config,
        "state": brain.state,
        "files": files,
    }
    write_json(folder / MANIFEST, {**manifest, "sha256": schema_digest(manifest)})
    _remove_older(folder, [files, {} if present is None else present["files"]])


def _remove_older(folder: Path, kept: list[dict[str, Any]]) -> None:
    names = {item["name"] for files in kept for item in files.values()}
    for part in PARTS:
        for path in folder.glob(f"{part}-*.npz"):
            if path.name not in names:
                path.unlink(missing_ok=True)


def _is_best(folder: Path, score: float) -> bool:
    if not (folder / MANIFEST).exists():
        return True
    best = _manifest(folder)["score"]
    return best is None or score > best


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = read_json(path)
        digest = manifest.pop("sha256")
        good = manifest["format"] == FORMAT and digest == schema_digest(manifest)
        good = good and _is_whole(manifest)
    except FileNotFoundError:
        raise RunError(
            f"expected a brain in {folder}, received no {MANIFEST}: train one with `nas control "
            "train`, or use brain='default'"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        good = False
    if not good:
        raise RunError(_changed(folder, MANIFEST))
    return manifest


def _is_whole(manifest: dict[str, Any]) -> bool:
    """Return whether a manifest has what a brain needs; its files lie beside it.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type.
    """
    score, files = manifest["score"], manifest["files"]
    named = all(re.fullmatch(rf"{part}-\d{{6,}}\.npz", files[part]["name"]) for part in PARTS)
    records = all(isinstance(manifest[key], dict) for key in ("schema", "config", "state"))
    numbers = type(manifest["generation"]) is int and isinstance(score, int | float | None)
    return named and records and numbers and isinstance(manifest["kind"], str)


def _check_schema(folder: Path, manifest: dict[str, Any], schema: dict[str, Any]) -> None:
    wanted, found = schema_digest(schema), manifest["schema_sha256"]
    if wanted != found:
        raise RunError(
            f"expected a brain with the schema {wanted[:12]}, received {found[:12]} in {folder}: "
            "it sees or does other things; train one for this task, or name another folder"
        )


def _read_arrays(folder: Path, manifest: dict[str, Any], part: str) -> Arrays:
    entry = manifest["files"][part]
    try:
        data = (folder / entry["name"]).read_bytes()
        if sha256_bytes(data) != entry["sha256"]:
            raise RunError(_changed(folder, entry["name"]))
        check_npz(folder / entry["name"])
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile):
        raise RunError(_changed(folder, entry["name"])) from None


def _changed(folder: Path, name: str) -> str:
    back = f"copy {PREVIOUS} over {MANIFEST} to go back one generation"
    advice = back if (folder / PREVIOUS).exists() else "restore the folder from a copy"
    return f"expected {folder / name} as it was written, received another content or none: {advice}"
