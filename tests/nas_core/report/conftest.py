"""A run folder as a search leaves it, made of hand-written trials."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nas_core.agent import Proposal
from nas_core.spec import ChainSpec
from nas_core.store import RunStore
from nas_core.trainer.base import Epoch, Result, Status, failed

PLAN = {
    "space": "metaqnn", "agent": "metaqnn", "trainer": "real", "data": "leaves",
    "preset": "quick", "trials": 8, "schedule_trials": 8, "workers": 2, "executor": "process",
    "seed": 7, "data_fraction": 1.0, "max_hours": None, "target": None, "control": "random",
    "trial_seconds": 600.0, "trial_memory_gb": None, "recipe": None,
}  # fmt: skip
CONFIG = {
    "plan": PLAN,
    "identity": {"space": {"space": "metaqnn", "image_shape": [32, 32, 3], "classes": 10}},
    "versions": {"python": "3.11.9", "keras": "3.15.1"},
}
# (text, epsilon, result, credited from): trial n is row n; None: still running.
Trial = tuple[str, float | None, Result | None, int | None]
Write = Callable[..., Path]


def ok(score: float, curve: Sequence[float] = (), **more: Any) -> Result:
    """A scored result whose validation accuracy goes through `curve`."""
    epochs = tuple(Epoch(1.0, 0.5, 1.0, value, 1e-3) for value in curve)
    return Result(Status.OK, score, epochs, **more)


TRIALS: list[Trial] = [
    ("[C(16,3,1), P(2,2), SM(10)]", 1.0,
     ok(0.4, (0.3, 0.4), seconds=4.0, parameters=5_000, macs=1_000_000), None),
    ("[C(64,5,1), P(2,2), C(128,3,1), P(2,2), FC(128), SM(10)]", 1.0,
     ok(0.8125, (0.4, 0.7, 0.8125), seconds=12.0, parameters=640_000, macs=20_000_000), None),
    ("[C(128,5,1), SM(10)]", 1.0, failed(Status.OUT_OF_MEMORY, "asked for 9 GiB", 2.0), None),
    ("[C(32,1,1), GAP, SM(10)]", 1.0, failed(Status.DIVERGED, "loss is NaN", 3.0), None),
    ("[C(32,3,1), S(64,3,1)@-1@0, P(2,2), D(0.25), FC(64), SM(10)]", 0.1,
     ok(0.75, (0.2, math.nan, 0.75), seconds=6.0, parameters=120_000, macs=8_000_000), None),
    ("[C(64,5,1), P(2,2), C(128,3,1), P(2,2), FC(128), SM(10)]", 0.1,
     ok(0.8125, (0.4, 0.7, 0.8125), parameters=640_000, macs=20_000_000), 1),
    ("[C(32,1,1), GAP, SM(10)]", 0.1, failed(Status.DIVERGED, "loss is NaN"), 3),
    ("[C(16,5,1), SM(10)]", 0.1, None, None),
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes seconds and has tests of its own (test_report_comparison.py)."""
    monkeypatch.setattr("nas_core.report.page.comparison_of", lambda run, config: {})


@pytest.fixture
def write_run(tmp_path: Path) -> Write:
    """Return a function that makes a run folder from trials and returns it."""

    def write(
        trials: Sequence[Trial] = TRIALS,
        *,
        name: str = "run",
        config: dict[str, Any] | None = None,
        events: Sequence[tuple[str, Any]] = (("started", {"trials": 8}),),
        seconds: float | None = 21.5,
    ) -> Path:
        folder = tmp_path / name
        store = RunStore.create(folder, CONFIG if config is None else config)
        with store, store.transaction():
            _fill(store, trials)
            if seconds is not None:
                store.set_meta("seconds", seconds)
            for kind, detail in events:
                store.add_event(kind, detail)
        return folder

    return write


def _fill(store: RunStore, trials: Sequence[Trial]) -> None:
    specs = [ChainSpec.from_text(text) for text, *_ in trials]
    store.propose(
        [Proposal(number, spec, (number,), trials[number][1]) for number, spec in enumerate(specs)]
    )
    for number, (_, _, result, source) in enumerate(trials):
        if result is not None:
            store.record(number, result, source)
