"""Processes that save one generation after another until SIGKILL comes in the middle of a save.

A program of its own, as it forks: `python saver.py FOLDER KILLS SEED` prints JSON.
"""

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_core import failpoints
from nas_core.files import read_json, write_json, write_with
from nas_core.trainer.checkpoint import Checkpoints, Snapshot

FLOATS = 500_000  # 2 MB in each of four arrays, as a network of half a million weights
ROWS = 50_000
PATIENCE = 60.0


def numbers(generation: int) -> np.ndarray:
    return np.full(FLOATS, generation, np.float32)


def save_checkpoint(folder: Path) -> Callable[[int], None]:
    kept = Checkpoints(folder / "checkpoints" / "trial", {"seed": 1})
    kept.load()

    def save(generation: int) -> None:
        arrays = {"model": [numbers(generation)] * 2, "loop": [numbers(generation)] * 2}
        kept.save(lambda: Snapshot(arrays, {"generation": generation}))

    return save


def load_checkpoint(folder: Path) -> int:
    found = Checkpoints(folder / "checkpoints" / "trial", {"seed": 1}).load()
    if found is None:
        raise ValueError("no generation is left")
    values = {
        float(v) for group in found.arrays.values() for a in group for v in (a.min(), a.max())
    }
    if values != {float(found.state["generation"])}:
        raise ValueError(f"arrays of {values} in generation {found.state['generation']}")
    return int(found.state["generation"])


def save_json(folder: Path) -> Callable[[int], None]:
    return lambda generation: write_json(folder / "a.json", [generation] * ROWS)


def load_json(folder: Path) -> int:
    value = read_json(folder / "a.json")
    if value != value[:1] * ROWS:
        raise ValueError("two generations in one file")
    return value[0]


def save_with(folder: Path) -> Callable[[int], None]:
    """Save as models are saved: by a library that insists on a path of its own."""
    return lambda generation: write_with(
        folder / "a.npy", lambda path: np.save(path, np.tile(numbers(generation), 4))
    )


def load_with(folder: Path) -> int:
    found = np.unique(np.load(folder / "a.npy", allow_pickle=False))
    if len(found) != 1:
        raise ValueError("two generations in one file")
    return int(found[0])


KINDS: dict[str, tuple[Callable[[Path], Callable[[int], None]], Callable[[Path], int]]] = {
    "checkpoint": (save_checkpoint, load_checkpoint),
    "json": (save_json, load_json),
    "with": (save_with, load_with),
}


@dataclass
class Saver:
    """A forked process that saves for ever, and says before and after each save that it does."""

    pid: int
    pipe: int
    begun: int = -1
    acknowledged: int = -1

    def read(self, seconds: float) -> None:
        ready, _, _ = select.select([self.pipe], [], [], seconds)
        for word in os.read(self.pipe, 1 << 16).split() if ready else ():
            if word.startswith(b"+"):
                self.begun = int(word)
            else:
                self.acknowledged = -int(word)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.read(0.0)
        os.close(self.pipe)


def start(kind: str, folder: Path, first: int, fault: str | None = None) -> Saver:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return Saver(pid, reader)
    try:
        save = KINDS[kind][0](folder)
        failpoints.arm(fault)
        for generation in range(first, first + 10_000):
            os.write(writer, b"+%d " % generation)
            save(generation)
            os.write(writer, b"-%d " % generation)
    finally:
        os._exit(1)


def loaded(kind: str, folder: Path) -> int | str:
    """Return the generation that is found, or what is wrong."""
    try:
        return KINDS[kind][1](folder)
    except Exception as error:
        return f"{kind}: {type(error).__name__} {error}"


def one_kill(
    kind: str, folder: Path, first: int, took: float, rng: random.Random
) -> dict[str, Any]:
    """Kill a saver somewhere in its second save, or later; look at what is left."""
    saver = start(kind, folder, first)
    wanted = first + rng.randint(1, 2)
    end = time.monotonic() + PATIENCE
    while saver.begun < wanted and time.monotonic() < end:
        saver.read(1.0)
    time.sleep(rng.random() * took)
    saver.end()
    found = loaded(kind, folder)
    bad = found if isinstance(found, str) else ""
    if not bad and found < saver.acknowledged:
        bad = f"{kind}: generation {found} after {saver.acknowledged} was acknowledged"
    return {"inside": saver.acknowledged < saver.begun, "bad": bad, "next": saver.begun + 1}


def seconds_of(kind: str, folder: Path) -> float:
    """Return how long one save takes."""
    save = KINDS[kind][0](folder)
    began = time.monotonic()
    for generation in range(3):
        save(generation)
    return (time.monotonic() - began) / 3


def random_kills(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill savers of each kind in turn until `kills` have come in the middle of a save."""
    rng = random.Random(seed)
    took = {kind: seconds_of(kind, folder) for kind in KINDS}
    following = dict.fromkeys(KINDS, 3)
    inside, bad, tried = 0, [], 0
    while inside < kills:
        kind = list(KINDS)[tried % len(KINDS)]
        outcome = one_kill(kind, folder, following[kind], took[kind], rng)
        following[kind] = outcome["next"]
        tried += 1
        inside += outcome["inside"]
        bad += [outcome["bad"]] if outcome["bad"] else []
    milliseconds = {kind: round(1000 * value, 1) for kind, value in took.items()}
    return {"inside": inside, "tried": tried, "bad": bad, "milliseconds": milliseconds}


def planted_kills(folder: Path) -> dict[str, Any]:
    """Kill a saver of checkpoints at each of its write steps; return the generation left by each."""
    found: dict[str, Any] = {}
    for point in (*failpoints.FILE_POINTS, *failpoints.CHECKPOINT_POINTS):
        for count in (1, 2) if point in failpoints.FILE_POINTS else (1,):
            place = folder / f"{point}-{count}"
            place.mkdir()
            save_checkpoint(place)(1)
            saver = start("checkpoint", place, 2, f"{point}:kill:{count}")
            died = os.waitstatus_to_exitcode(os.waitpid(saver.pid, 0)[1])
            found[f"{point}:{count}"] = [died, loaded("checkpoint", place)]
    return found


def main() -> None:
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    action = planted_kills(folder) if kills == 0 else random_kills(folder, kills, seed)
    print(json.dumps(action))


if __name__ == "__main__":
    main()
