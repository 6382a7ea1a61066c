"""What `make bench` prints: speed side by side in one run, on this machine.

    python benchmarks/speed.py [--repeats 3] [--children 100]

1. milliseconds per MetaQNN architecture, suggested and observed, with 100 replayed sequences;
2. a whole short child (build, trace, epochs, evaluate): the project's trainer beside a
   hand-written TensorFlow loop and `model.fit` with its defaults, alternated, each in a fresh
   process of one thread;
3. `nas --help` beside an empty Python;
4. the driver's memory over different children in processes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from metaqnn.agent import QUICK, MetaQNN
from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.agent import Scored
from nas_core.datasets import Split, load_split, write_dataset
from nas_core.datasets.names import resolve
from nas_core.space import sample, spec_of
from nas_core.trainer.base import Job, Status
from nas_core.trainer.mock import MockTrainer

SPACE = MetaQNNSpace(QUICK_SPACE, (32, 32, 3), 10)
HERE = Path(__file__).parent


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    print(f"\n{title}\n")
    print(f"| {' | '.join(header)} |")
    print("|" + "---|" * len(header))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def milliseconds_per_architecture() -> None:
    agent = MetaQNN(SPACE, 0, replace(QUICK, schedule=((1.0, 200), (0.1, 300)), replay=100))
    trainer, times = MockTrainer((32, 32, 3), 10), []
    for trial in range(500):
        started = time.perf_counter()
        (proposal,) = agent.suggest(1)
        suggested = time.perf_counter()
        result = trainer.score(proposal.spec, Job(trial, trial))
        reward = 0.0 if result.score is None else result.score
        scored = Scored(proposal, reward, result)
        again = time.perf_counter()
        agent.observe([scored])
        times.append((suggested - started + time.perf_counter() - again) * 1e3)
    late = times[100:]
    table(
        "MetaQNN, suggest and observe, 100 replayed sequences (400 proposals after 100)",
        ["median ms", "90th percentile ms"],
        [[f"{statistics.median(late):.2f}", f"{np.percentile(late, 90):.2f}"]],
    )


def small_data(folder: Path) -> Path:
    """Write the leaves at 32x32 once, so that all three ways read the same pixels."""
    info, splits = resolve("leaves", Path("data")), {}
    for name in ("train", "validation"):
        split = load_split(info, name)
        pixels = np.asarray(split.images, np.uint16)
        blocks = pixels.reshape(-1, 32, 2, 32, 2, 3).sum(axis=(2, 4))  # [N, 32, 32, 3]
        splits[name] = Split(((blocks + 2) // 4).astype(np.uint8), np.asarray(split.labels))
    splits["test"] = splits["validation"]  # never read here
    write_dataset(folder, splits, info.classes, source="benchmark")
    return folder


def child_seconds(way: str, net: str, folder: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, str(HERE / "one_child.py"), way, net, str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["seconds"], found["accuracy"]


def whole_children(repeats: int, folder: Path) -> None:
    rows = []
    for net in ("chain", "nasnet"):
        times: dict[str, list[float]] = {"ours": [], "loop": [], "fit": []}
        scores: dict[str, list[float]] = {"ours": [], "loop": [], "fit": []}
        for _ in range(repeats):
            for way, seen in times.items():
                seconds, score = child_seconds(way, net, folder)
                seen.append(seconds)
                scores[way].append(score)
        reference = statistics.median(times["loop"])
        for way, label in (("ours", "this project"), ("loop", "hand-written loop"),
                           ("fit", "model.fit, defaults")):  # fmt: skip
            median = statistics.median(times[way])
            rows.append(
                [net, label, f"{median:.2f}", f"{min(times[way]):.2f}", f"{median / reference:.2f}",
                 f"{statistics.fmean(scores[way]):.3f}"]
            )  # fmt: skip
    table(
        f"A whole child, 32x32 leaves, chain 3 epochs, nasnet 1, one thread, {repeats} runs each",
        ["net", "how", "median s", "least s", "against the loop", "validation accuracy"],
        rows,
    )


def seconds_of(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def start_of_help() -> None:
    nas = str(Path(sys.executable).with_name("nas"))
    empty, shown = [], []
    for _ in range(7):
        empty.append(seconds_of([sys.executable, "-c", "pass"]))
        shown.append(seconds_of([nas, "--help"]))
    table(
        "Start, median of 7 alternated",
        ["empty Python s", "nas --help s"],
        [[f"{statistics.median(empty):.2f}", f"{statistics.median(shown):.2f}"]],
    )


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def driver_growth(children: int, folder: Path) -> None:
    from nas_core.executors.process import ProcessExecutor
    from nas_core.trainer.keras_trainer import KerasTrainer
    from nas_core.trainer.recipe import QUICK as QUICK_RECIPE

    recipe = replace(QUICK_RECIPE, epochs=1, restarts=0, image_size=8)
    trainer = KerasTrainer(folder, recipe, data_fraction=0.05)
    executor = ProcessExecutor(trainer, 2)
    done, first, started, ok = 0, 0.0, time.perf_counter(), 0
    waiting = [sample(SPACE, np.random.default_rng(number)) for number in range(children)]
    running = 0
    while waiting or running:
        while waiting and running < executor.slots:
            executor.submit(spec_of(SPACE, waiting.pop()), Job(len(waiting), 1))
            running += 1
        for item in executor.poll(1.0):
            running, done = running - 1, done + 1
            ok += item.result.status is Status.OK
            if done == min(10, children):
                first = resident_mb()
    executor.close()
    table(
        f"The driver over {children} real children in processes of their own",
        ["ok", "RSS after 10, MB", "RSS at the end, MB", "s per child, two at a time"],
        [[str(ok), f"{first:.1f}", f"{resident_mb():.1f}",
          f"{(time.perf_counter() - started) / children:.2f}"]],
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--children", type=int, default=100)
    given = options.parse_args()
    parts: list[Callable[[Path], None]] = [
        lambda folder: milliseconds_per_architecture(),
        lambda folder: start_of_help(),
        lambda folder: whole_children(given.repeats, small_data(folder / "small")),
        lambda folder: driver_growth(given.children, folder / "small"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            part(Path(folder))


if __name__ == "__main__":
    main()
