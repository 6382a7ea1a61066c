"""Figures about kills, exact resume, throughput and long runs. Each function measures its own."""

import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import hunted
import interrupted
import soak
from command_line import nas
from figures import Figure
from many_trials import write_run
from programs import program
from resumed import FAULTS
from tiny_tables import macro_npz

from nas_core import failpoints
from nas_core.registry import names

SEED = 1
MEGABYTE = 1e6
DESCRIPTORS_OF_A_CHILD = 6  # of the driver: three pipes, the process's own
EXTRA_CASES: tuple[dict[str, Any], ...] = (
    {"space": "nasnet", "agent": "ppo"},
    {"space": "chain", "agent": "reinforce"},
    {"agent": "metaqnn", "workers": 3},  # simulated: several results in one commit
    {"agent": "metaqnn", "control": "random"},
    {"agent": "metaqnn", "stop_early": True},
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nas-faults-") as name:
        yield Path(name)


def figure_saves(kills: int) -> Figure:
    """Kills in the middle of a save of a checkpoint, a JSON file, a file written by a library."""
    with folder() as place:
        found = program("saver", place, kills, SEED)[0]
    bad = len(found["bad"])
    return Figure(
        f"unloadable artefacts, {found['inside']} SIGKILLs inside a save",
        "Keras 40/40, SB3 39/40",
        "0",
        f"{bad}" + (f" ({found['bad'][0]})" if bad else ""),
        bad == 0 and found["inside"] >= kills,
    )


def figure_planted(cases: list[dict[str, Any]] | None = None) -> Figure:
    """Kills at every write step of a search, for every agent; and of a checkpoint."""
    with folder() as place:
        table = {"space": "nasbench_macro", "trainer": "table", "agent": "evolution",
                 "table": str(macro_npz(place / "macro.npz"))}  # fmt: skip
        if cases is None:
            cases = [{"agent": name} for name in names("nas.agents")]
            cases += [*EXTRA_CASES, table]
        searches = program("resumed", place, given=json.dumps(cases))
        (place / "saves").mkdir()
        saves = program("saver", place / "saves", 0, SEED)[0]
    wrong = [
        item["case"] for item in searches
        if item["different"] or not item["died"] or not item["ended"]
    ]  # fmt: skip
    wrong += [point for point, (died, left) in saves.items() if died != -9 or left not in (1, 2)]
    steps = len(FAULTS) + len(failpoints.FILE_POINTS) + len(failpoints.CHECKPOINT_POINTS)
    return Figure(
        f"a kill at each of {steps} write steps, {len(cases)} searches: runs that differ",
        "not tested",
        "0",
        f"{len(wrong)}" + (f" ({wrong[0]})" if wrong else ""),
        not wrong,
    )


def figure_kills(kills: int) -> Figure:
    """Random kills of the driver, its fork server and its four workers."""
    with folder() as place:
        found = hunted.hunt(place, kills, SEED)
    return Figure(
        f"results lost / doubled, {found['driver']} kills of the driver, {found['workers']} of "
        f"workers, 4 workers, {found['trials']} trials",
        "zombies for ever (Optuna)",
        "0 / 0",
        f"{found['lost']} / {found['doubled']}"
        + ("" if found["same_agent"] else ", agent differs"),
        found["lost"] == found["doubled"] == 0 and found["same_agent"],
    )


def _epochs_for(place: Path, seconds: float) -> int:
    """Return how many epochs make a retraining of two networks at least so long, and not much."""
    few = 12
    nas(*interrupted.command("trial", few)[3:], cwd=place, timeout=600)
    models = (place / "trial" / "models").glob("*.json")
    took = sum(json.loads(model.read_text())["result"]["seconds"] for model in models)
    return int(few * seconds / took)


def figures_interrupted(kills: int, seconds: float, per_class: int = 400) -> list[Figure]:
    """Kill a long retraining's whole process group again and again, beside one left alone."""
    with folder() as place:
        interrupted.prepare(place, per_class, ("whole", "parts", "trial"))
        epochs = _epochs_for(place, 1.25 * seconds)
        moments = interrupted.spread(kills, 1.1 * seconds, SEED)
        whole, parts = interrupted.race(place, epochs, moments)
        largest = interrupted.difference(place)
    ratio = parts.seconds / whole.seconds
    return [
        Figure(
            f"total time of a run of {whole.seconds / 60:.1f} min with {parts.kills} SIGKILLs of "
            "its process group",
            "Ray 1.5x, polite signals",
            "<= 1.2x",
            f"{ratio:.2f}x",
            ratio <= 1.2 and whole.seconds >= seconds and parts.kills == kills,
        ),
        Figure(
            f"resume against uninterrupted, {parts.kills} kills, {parts.kept} resumed from a "
            "checkpoint: largest difference of a weight, score or curve",
            "3.4e-3, 5.3e-3",
            "0.0",
            f"{largest:.1e}" if largest else "0.0",
            largest == 0.0 and 2 * parts.kept > parts.kills,
        ),
    ]


def figure_commits(trials: int) -> Figure:
    """Results from four workers that answer at once, each commit flushed to disk."""
    with folder() as place:
        found = program("throughput", place, trials)[0]
    return Figure(
        "committed trials per second, four workers, one writer, synchronous=FULL",
        "21.7 (Optuna SQLite)",
        ">= 100",
        f"{found['per_second']:.0f}",
        found["per_second"] >= 100,
    )


def figure_soak_mock(trials: int) -> Figure:
    """A long search on the mock: what each thousand trials cost the process."""
    with folder() as place:
        found = program("soak", "mock", place / "run", trials, "metaqnn")[0]
    return _soaked(
        f"soak, {trials} mock trials: RSS per 1,000; descriptors, threads gained",
        "< 10 MB (what a search remembers)", soak.growth(found["samples"], 1000), 0,
    )  # fmt: skip


def figure_soak_real(trials: int) -> Figure:
    """Real children, one process each: what each hundred cost the driver."""
    with folder() as place:
        found = program("soak", "real", place / "run", trials)[0]
    return _soaked(
        f"soak, {trials} real children: the driver's RSS per 100; descriptors, threads gained",
        "< 10 MB", soak.growth(found["samples"], 100), DESCRIPTORS_OF_A_CHILD,
    )  # fmt: skip


def _soaked(name: str, memory: str, grown: dict[str, float], spare: int) -> Figure:
    """Return a figure; `spare` descriptors belong to a child that one half may never be without."""
    gained = {key: max(0, round(grown[key])) for key in ("descriptors", "threads")}
    return Figure(
        name,
        "keras-tuner#395: 1 GB per 20",
        f"{memory}; {f'<= {spare}' if spare else '0'}, 0",
        f"{grown['bytes'] / MEGABYTE:.1f} MB; {gained['descriptors']}, {gained['threads']}",
        grown["bytes"] < 10 * MEGABYTE and gained["descriptors"] <= spare and not gained["threads"],
    )


def figures_listing(trials: int) -> list[Figure]:
    """List a run of many trials; and see what a trial costs on disk."""
    with folder() as place:
        run = place / "runs" / "many"
        write_run(run, trials)
        took = {words: _quickest(place, words) for words in (("show", run), ("runs",))}
        each = overhead(run, trials)
    shown = ", ".join(f"nas {words[0]} {value:.2f} s" for words, value in took.items())
    return [
        Figure(
            f"list of {trials} trials, from the start of the command", "", "< 1 s", shown,
            max(took.values()) < 1.0,
        ),
        Figure(
            f"database of {trials} trials, bytes a trial beside specification and result",
            "", "< 1024", f"{each:.0f}", each < 1024,
        ),
    ]  # fmt: skip


def _quickest(place: Path, words: tuple[object, ...]) -> float:
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        nas(*words, cwd=place)
        seconds.append(time.monotonic() - began)
    return min(seconds)


def overhead(run: Path, trials: int) -> float:
    """Return the bytes that a trial takes in the database beside its payload."""
    with closing(sqlite3.connect(run / "run.sqlite")) as database:
        payload = "SELECT sum(length(spec) + length(coalesce(result, ''))) FROM trials"
        states = "SELECT coalesce(sum(length(state)), 0) FROM agent"
        beside = sum(database.execute(query).fetchone()[0] for query in (payload, states))
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        size = pages * database.execute("PRAGMA page_size").fetchone()[0]
    return (size - beside) / trials
