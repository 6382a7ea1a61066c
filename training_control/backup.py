"""What a controller goes on from after an interruption: a JSON state, and weights beside it.

    controller.json            the state, with the name and SHA-256 of the weights' file
    controller.json.0.npz      weights and optimizer slots; .1.npz takes turns with it

The arrays are written first and the state last, each atomically, so a crash leaves a whole pair.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas_core.datasets.arrays import check_npz
from nas_core.errors import DataError, RunError
from nas_core.files import atomic_open, read_json, sha256_file, write_json

PLAIN = "biuf"  # kinds of dtypes that .npz knows; bfloat16 and its like are kept as float32
WEIGHTS = "weights"  # key of the state under which the arrays' file is named


class Backup:
    """A controller's state on disk, with the weights that it would go back to."""

    def __init__(self, path: Path) -> None:
        """Name the state's file."""
        self._path = path
        self._turn = 0

    def write(self, state: dict[str, Any], weights: Sequence[np.ndarray] | None) -> None:
        """Write a state, JSON values but for NaN and infinity, which become None.

        Raises:
            OSError: The place cannot be written; what was there before is still whole.
        """
        named = None if weights is None else self._write_weights(weights)
        write_json(self._path, {**finite_json(state), WEIGHTS: named})
        self._turn = 1 - self._turn

    def _write_weights(self, weights: Sequence[np.ndarray]) -> dict[str, str]:
        path = self._places()[self._turn]
        with atomic_open(path) as file:
            np.savez(
                file, allow_pickle=False, **{f"a{i}": _plain(a) for i, a in enumerate(weights)}
            )
        return {"name": path.name, "sha256": sha256_file(path)}

    def _places(self) -> tuple[Path, Path]:
        one, other = (self._path.with_name(f"{self._path.name}.{turn}.npz") for turn in (0, 1))
        return one, other

    def read(self) -> tuple[dict[str, Any], list[np.ndarray] | None] | None:
        """Return the state and the weights; None if there is no backup.

        Raises:
            RunError: It cannot be read, or is damaged.
        """
        if not self._path.exists():
            return None
        try:
            state = read_json(self._path)
            named = state.pop(WEIGHTS)
            return state, None if named is None else self._read_weights(named)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            raise RunError(self.refusal(error)) from error

    def refusal(self, error: Exception) -> str:
        """Return a line on a backup that cannot be used."""
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return (
            f"expected the state of a controller of this training in {self._path}, received "
            f"something else ({reason}): delete it to start without, or name another backup"
        )

    def _read_weights(self, named: dict[str, str]) -> list[np.ndarray]:
        """Return the arrays.

        Raises:
            ValueError: They are not those that the state was written with.
        """
        places = {path.name: path for path in self._places()}
        path = places[named["name"]]
        if sha256_file(path) != named["sha256"]:
            raise ValueError(f"{path.name} is not as it was written")
        check_npz(path)
        self._turn = 1 - list(places).index(path.name)
        with np.load(path, allow_pickle=False) as file:
            return [file[f"a{number}"] for number in range(len(file.files))]

    def remove(self) -> None:
        """Delete the files."""
        for path in (self._path, *self._places()):
            path.unlink(missing_ok=True)


def _plain(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind in PLAIN else array.astype(np.float32)


def finite_json(value: Any) -> Any:
    """Return JSON values with None for numbers that JSON has no name for."""
    if isinstance(value, dict):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
