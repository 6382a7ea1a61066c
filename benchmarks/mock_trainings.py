"""Real trainings of random architectures on leaves: what the mock is calibrated with.

    python benchmarks/mock_trainings.py --specs 210 --retests 40

Draws uniformly legal decisions in each image space, trains every different architecture once with
the space's quick recipe, and some of them again with another seed. One JSON line for each goes to
FOLDER/SPACE.jsonl; what is there already is not trained again. About an hour on two cores;
`benchmarks/mock_calibration.py` fits the mock to the lines.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from nas_core.datasets import resolve
from nas_core.executors.process import ProcessExecutor
from nas_core.registry import space_entry
from nas_core.seeding import derived_seed, generator
from nas_core.space import sample, spec_of
from nas_core.spec import Spec
from nas_core.trainer.base import Job, Result
from nas_core.trainer.keras_trainer import KerasTrainer

SPACES = ("metaqnn", "chain", "nasnet")


@dataclass(frozen=True)
class TimedTrainer(KerasTrainer):
    """Notes a child's processor seconds: what it takes where nothing else runs."""

    def score(self, spec: Spec, job: Job) -> Result:
        started = time.process_time()
        result = super().score(spec, job)
        spent = time.process_time() - started
        known = {} if result.details is None else result.details
        return replace(result, details={**known, "cpu_seconds": spent})


def specs(space_name: str, count: int) -> list[Spec]:
    """Return `count` different random architectures of a space, always the same ones."""
    space = space_entry(space_name).build("quick", (32, 32, 3), 10)
    found: dict[str, Spec] = {}
    number = 0
    while len(found) < count:
        spec = spec_of(space, sample(space, generator(0, f"calibration {space_name}", number)))
        found.setdefault(spec.digest, spec)
        number += 1
    return list(found.values())


def waiting(path: Path, drawn: list[Spec], retests: int) -> Iterator[tuple[Spec, int]]:
    """Yield (architecture, repeat) pairs that have no line yet."""
    lines = path.read_text().splitlines() if path.exists() else []
    done = {(row["digest"], row["repeat"]) for row in map(json.loads, lines)}
    pairs = [(spec, 0) for spec in drawn] + [(spec, 1) for spec in drawn[-retests:]]
    return (pair for pair in pairs if (pair[0].digest, pair[1]) not in done)


def collect(space_name: str, folder: Path, count: int, retests: int, workers: int) -> None:
    info, entry = resolve("leaves", Path("data")), space_entry(space_name)
    trainer = TimedTrainer(info.path.resolve(), entry.recipe("quick"))
    path = folder / f"{space_name}.jsonl"
    todo = list(waiting(path, specs(space_name, count), retests))
    started, done = time.monotonic(), 0
    with closing(ProcessExecutor(trainer, workers)) as executor, path.open("a") as file:
        queue, running = list(enumerate(todo)), 0
        while queue or running:
            while queue and running < executor.slots:
                number, (spec, repeat) = queue.pop(0)
                seed = derived_seed(0, f"calibration child {spec.digest}", repeat)
                executor.submit(spec, Job(number, seed))
                running += 1
            for item in executor.poll(1.0):
                spec, repeat = todo[item.trial]
                row = {"digest": spec.digest, "repeat": repeat, "spec": spec.to_json(),
                       "result": item.result.to_json()}  # fmt: skip
                file.write(json.dumps(row) + "\n")
                file.flush()
                running, done = running - 1, done + 1
                left = (time.monotonic() - started) / done * (len(todo) - done)
                print(f"{space_name} {done}/{len(todo)}  {left / 60:.0f} min left", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("benchmarks/trainings"))
    options.add_argument("--spaces", default=",".join(SPACES))
    options.add_argument("--specs", type=int, default=210)
    options.add_argument("--retests", type=int, default=40)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for space_name in given.spaces.split(","):
        collect(space_name, given.out, given.specs, given.retests, given.workers)


if __name__ == "__main__":  # children are processes: they import this file
    main()
