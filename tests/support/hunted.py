"""A search on four worker processes whose driver and workers are killed again and again.

The driver is a program of its own: `python hunted.py RUN TRIALS` searches, or goes on.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resumed import facts

import nas_core
from nas_core.executors import tree
from nas_core.plan import Plan
from nas_core.spec import Spec
from nas_core.store import RunStore, TrialRow
from nas_core.trainer.base import Job, Result
from nas_core.trainer.mock import MockTrainer

WORKERS = 4
ACKNOWLEDGED = "acknowledged.txt"  # in the run's folder: a line for each trial that was committed
PATIENCE = 120.0


@dataclass(frozen=True)
class Slow:
    """The mock, after a moment that makes children of unequal length."""

    name: str = "slow mock"
    seconds: float = 0.3

    def score(self, spec: Spec, job: Job) -> Result:
        time.sleep(self.seconds * (job.seed % 100) / 100)
        return MockTrainer().score(spec, job)

    def config(self) -> dict[str, Any]:
        return MockTrainer().config()


def acknowledge(plan: Plan, row: TrialRow) -> None:
    """Note durably that somebody was told of a trial."""
    with (Path(sys.argv[1]).with_suffix(".acknowledged")).open("a") as file:
        file.write(json.dumps([row.number, row.score]) + "\n")
        file.flush()
        os.fsync(file.fileno())


def drive(run: Path, trials: int) -> None:
    """Search until there are so many trials, from wherever an earlier driver left it."""
    trainer = Slow()
    if not (run / "run.sqlite").exists():
        nas_core.search(
            "metaqnn", None, trainer=trainer, trials=trials, run=run, workers=WORKERS,
            control=None, on_trial=acknowledge,
        )  # fmt: skip
        return
    with RunStore.open(run) as store:
        more = trials - Plan.from_json(store.config["plan"]).trials
    nas_core.resume(run, more_trials=max(0, more), trainer=trainer, on_trial=acknowledge)


def reference(run: Path, first: int, trials: int) -> dict[str, Any]:
    """Return what the same search comes to in one process that is never killed."""
    nas_core.search(
        "metaqnn", None, trainer=Slow(seconds=0.0), trials=first, run=run, executor="inline",
        control=None,
    )  # fmt: skip
    nas_core.resume(run, more_trials=trials - first, trainer=Slow(seconds=0.0))
    return facts(run)


def start(run: Path, trials: int) -> "subprocess.Popen[bytes]":
    with run.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, __file__, str(run), str(trials)], stdout=log, stderr=log
        )


def workers(driver: int) -> list[int]:
    """Return the processes that a driver's fork server has forked."""
    return [pid for server in tree._children(driver) for pid in tree._children(server)]


def wait_for_worker(process: "subprocess.Popen[bytes]") -> list[int]:
    """Return the driver's workers once there are any, or nothing once it has ended."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if found := workers(process.pid):
            return found
        time.sleep(0.01)
    return []


def hunt(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill driver and workers in turn, at random moments, `kills` times in all.

    Returns:
        ``lost`` and ``doubled``: trials; ``driver`` and ``workers``: kills; ``trials``.
    """
    rng, run = random.Random(seed), folder / "hunted"
    first = trials = max(40, 6 * kills)
    done = {"driver": 0, "workers": 0}
    process = start(run, trials)
    while sum(done.values()) < kills:
        found = wait_for_worker(process)
        if not found:  # it came to its end before it was killed
            if process.wait() != 0:
                raise RuntimeError(run.with_suffix(".log").read_text()[-2000:])
            trials += first
            process = start(run, trials)
            continue
        time.sleep(0.3 * rng.random())
        if sum(done.values()) % 2 == 0:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done["driver"] += 1
            process = start(run, trials)
        elif alive := workers(process.pid):
            # Now and then the fork server itself, whose children then end without saying how.
            servers = tree._children(process.pid)
            tree.kill(rng.choice(servers if done["workers"] % 5 == 4 else alive))
            done["workers"] += 1
    if process.wait() != 0:
        raise RuntimeError(run.with_suffix(".log").read_text()[-2000:])
    return {**done, "trials": trials, **account(run, reference(folder / "whole", first, trials))}


def account(run: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Compare what was told, what is stored, and what an undisturbed search has."""
    found = facts(run)
    lines = run.with_suffix(".acknowledged").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.endswith("]")]
    scores = {row[0]: row[6] for row in found["rows"]}
    wrong = {
        *(number for number, score in told if scores.get(number, "gone") != score),
        *(a[0] for a, b in zip(wanted["rows"], found["rows"], strict=False) if a != b),
        *range(len(found["rows"]), len(wanted["rows"])),
    }
    return {
        "lost": len(wrong),
        "doubled": len(told) - len({number for number, _ in told}),
        "same_agent": found["state"] == wanted["state"],
    }


if __name__ == "__main__":
    drive(Path(sys.argv[1]), int(sys.argv[2]))
