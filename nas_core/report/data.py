"""All that a report shows, read once from a run folder; nothing is written there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas_core.database import DATABASE
from nas_core.datasets.test_split import read_openings
from nas_core.errors import RunError
from nas_core.files import read_json
from nas_core.store import RunStore, TrialRow

CONTROL = "control"  # folder, inside the run's, of random search with the same seed and budget
RETRAINING = "retrain.json"
SCORE = "validation accuracy"  # what every score of a trial is
USUAL_IMAGE = (32, 32, 3)

Event = tuple[float, str, Any]


@dataclass(frozen=True)
class ReportData:
    """One run as it stands.

    Attributes:
        run: The run's folder.
        config: What the run was started with.
        rows: Trials in the order of proposing.
        events: (unix time, kind, detail), oldest first.
        seconds: Wall-clock seconds over all sittings; None before the first commit.
        control: Trials of the control beside it; None where there is no such run.
        control_agent: The control's name.
        retraining: What retraining found; empty before it.
        openings: Recorded openings of the test split, oldest first.
        notices: What could not be read, one line each.
        comparison: The agent beside others over many seeds (see `nas_core.compare.of_run`); empty
            where it was not asked for.
    """

    run: Path
    config: dict[str, Any]
    rows: list[TrialRow]
    events: list[Event]
    seconds: float | None
    control: list[TrialRow] | None
    control_agent: str
    retraining: dict[str, Any]
    openings: list[dict[str, Any]]
    notices: tuple[str, ...]
    comparison: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> dict[str, Any]:
        """What the search was asked for (see `nas_core.plan.Plan`); empty where not recorded."""
        return _section(self.config, "plan")

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels that children see; 32x32 colour where none is recorded."""
        space = _section(_section(self.config, "identity"), "space")
        shape = space.get("image_shape")
        if isinstance(shape, list) and len(shape) == 3:
            return (int(shape[0]), int(shape[1]), int(shape[2]))
        return USUAL_IMAGE


def _section(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def load(run: Path) -> ReportData:
    """Read a run folder, which a search may be writing at the same time.

    Raises:
        RunError: The folder holds no run, or its database is damaged.
    """
    notices: list[str] = []
    with RunStore.open(run) as store, store.snapshot():
        rows, events = store.trials(), store.events()
        config, seconds = store.config, store.meta("seconds")
    control, control_agent = _control(run / CONTROL, notices)
    return ReportData(
        run=run,
        config=config,
        rows=rows,
        events=events,
        seconds=seconds,
        control=control,
        control_agent=control_agent,
        retraining=_retraining(run / RETRAINING, notices),
        openings=[line for line in read_openings(run) if isinstance(line, dict)],
        notices=tuple(notices),
    )


def _control(folder: Path, notices: list[str]) -> tuple[list[TrialRow] | None, str]:
    if not (folder / DATABASE).is_file():
        return None, ""
    try:
        with RunStore.open(folder) as store:
            return store.trials(), str(_section(store.config, "plan").get("agent", "random"))
    except RunError as error:
        notices.append(f"The control run could not be read: {error}")
        return None, ""


def _retraining(path: Path, notices: list[str]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = read_json(path)
    except (OSError, ValueError) as error:
        notices.append(f"{path.name} could not be read: {error}")
        return {}
    return value if isinstance(value, dict) else {}
