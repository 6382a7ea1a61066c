"""Figures about where trials run: Ray kills, two workers against one, many simulated ones."""

import tempfile
import time
from pathlib import Path
from typing import Any

from figures import Figure
from ray_kills import ray_kills
from tiny_data import write_tiny

import nas_core.api
from nas_core.executors.process import ProcessExecutor
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Status
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import QUICK

CHILD = ChainSpec.from_text("[C(32,3,1), C(32,3,1), P(2,2), SM(3)]")


def figure_ray_kills(rounds: int) -> Figure:
    """Kill worker process, node and head mid-child in turn, so many times."""
    lost = doubled = kills = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            outcome = ray_kills(Path(folder))
        lost, doubled = lost + outcome.lost, doubled + outcome.doubled
        kills += len(outcome.killed)
    return Figure(
        f"Ray, two nodes: trials lost; doubled, {kills} kills of worker process, node, head",
        "",
        "0; 0",
        f"{lost}; {doubled}",
        lost == doubled == 0 and kills == 3 * rounds,
    )


def figure_two_workers(children: int, epochs: int) -> Figure:
    """Give the same real children to one and to two one-thread workers."""
    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder) / "tiny")
        recipe = QUICK.changed({"epochs": epochs, "batch_size": 16, "image_size": None})
        trainer = KerasTrainer(Path(folder) / "tiny", recipe)
        alone, together = (_seconds(trainer, workers, children) for workers in (1, 2))
    ratio = alone / together
    return Figure(
        f"2 one-thread workers against 1, {children} real children of {alone / children:.1f} s",
        "",
        ">= 1.7x",
        f"{ratio:.2f}x",
        ratio >= 1.7,
    )


def _seconds(trainer: KerasTrainer, workers: int, children: int) -> float:
    """Return the wall-clock seconds of all children, the fork server's start left out."""
    executor = ProcessExecutor(trainer, workers, threads=1, gpu="never")
    try:
        _run(executor, range(1))
        began = time.monotonic()
        _run(executor, range(1, children + 1))
        return time.monotonic() - began
    finally:
        executor.close()


def _run(executor: ProcessExecutor, trials: range) -> None:
    waiting, running = list(trials), 0
    while waiting or running:
        while waiting and running < executor.slots:
            executor.submit(CHILD, Job(waiting.pop(0), seed=1))
            running += 1
        for item in executor.poll(5.0):
            if item.result.status is not Status.OK:
                raise RuntimeError(f"expected a trained child, received {item.result.message}")
            running -= 1


def figure_simulated_workers(trials: int) -> Figure:
    """Keep 64 simulated workers busy with children of unequal durations, by arrival."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        found: dict[str, Any] = nas_core.api.search(
            "metaqnn", agent="random", trainer="mock", executor="simulated", workers=64,
            trials=trials, seed=3, asynchronous=True, control=None, run=Path(folder) / "run",
        ).summary  # fmt: skip
        driver = time.process_time() - began
    worked = 64 * found["simulated_seconds"] * found["busy"]
    share = driver / worked
    return Figure(
        f"64 simulated workers, {trials} unequal children: busy; driver CPU of their time",
        "",
        ">= 95 %; < 1 %",
        f"{100 * found['busy']:.1f} %; {100 * share:.3f} %",
        found["busy"] >= 0.95 and share < 0.01,
    )
