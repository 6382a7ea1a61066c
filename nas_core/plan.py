"""Everything a search was asked for, as one record that is stored with the run."""

import platform
import sys
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from nas_core.errors import RunError, UsageError
from nas_core.registry import check_preset

TRAINERS = ("real", "mock", "table")
EXECUTORS = ("process", "inline", "simulated", "ray", "sagemaker")
CLUSTER_WORKERS = 64  # at most on a cluster: as many as its nodes have room for
CUSTOM = "custom"  # an object of the caller's own, which the run can name but not rebuild
PACKAGES = ("rl-nas", "tensorflow", "keras", "numpy", "gymnasium", "pillow")


@dataclass(frozen=True)
class Plan:
    """What a search was asked for.

    Attributes:
        space: Registered name, or "custom".
        agent: Registered name, or "custom".
        trainer: "real", "mock", "table", or "custom".
        data: Data set's name or path as typed; None where the trainer needs none.
        preset: "quick" or "paper".
        trials: Proposals in all, credited repeats included.
        schedule_trials: What the agent's schedules were scaled to when the run began.
        workers: Children at a time.
        executor: "process", "inline" or "simulated" (workers on a virtual clock), "ray" (nodes of
            a cluster), or "sagemaker" (training jobs).
        seed: Seed of everything.
        data_fraction: Share of the training split that the search sees, in (0, 1].
        max_hours: Wall-clock limit; None for none.
        target: Score to stop at; None for none.
        control: Agent that gets the same seed and budget beside this one; None for none.
        trial_seconds: Wall-clock limit of one child.
        trial_memory_gb: Memory limit of one child in GiB; None for a share of the machine.
        threads: Processor threads of one child; the same number gives the same weights.
        asynchronous: Whether the agent learns in the order in which children finish, so that no
            worker waits; such a run cannot be repeated exactly.
        stop_early: Whether children end after their first epochs once these show that they will
            not be among the best.
        recipe: Fields of the training recipe that differ from the preset's.
        table: File of the published table (see docs/tables.md); None without one.
        search_column: Its column that the search sees; None for the usual one.
        report_columns: Its columns to read after the search, joined by commas; None for the usual.
        seconds_column: Its column of training seconds; None for a model of them.
        reuse: Folder of an earlier run on the same space that the agent learns from first.
        cloud: Where training jobs run (see `nas_core.cloud.driver`); None for none.
        address: HOST:PORT of a Ray cluster's head; None for a cluster of this machine alone.
        gpu_share: GPUs of one child on a Ray cluster, such as 0.5 for two on each; None for a
            whole one on nodes that have any.
        max_failed: The search stops when more than this share of its trainings has failed, once
            20 have finished; 1 for never.
    """

    space: str
    agent: str
    trainer: str = "real"
    data: str | None = None
    preset: str = "quick"
    trials: int = 32
    schedule_trials: int = 32
    workers: int = 1
    executor: str = "process"
    seed: int = 0
    data_fraction: float = 1.0
    max_hours: float | None = None
    target: float | None = None
    control: str | None = None
    trial_seconds: float = 600.0
    trial_memory_gb: float | None = None
    threads: int = 1
    asynchronous: bool = False
    stop_early: bool = False
    recipe: dict[str, Any] | None = None
    table: str | None = None
    search_column: str | None = None
    report_columns: str | None = None
    seconds_column: str | None = None
    reuse: str | None = None
    cloud: dict[str, Any] | None = None
    address: str | None = None
    gpu_share: float | None = None
    max_failed: float = 0.5

    def __post_init__(self) -> None:
        check_preset(self.preset)
        _among("trainer", self.trainer, (*TRAINERS, CUSTOM))
        _among("executor", self.executor, (*EXECUTORS, CUSTOM))
        for name, value in (("address", self.address), ("gpu-share", self.gpu_share)):
            if value is not None and self.executor != "ray":
                raise UsageError(
                    f"expected --executor ray for --{name}, received --executor {self.executor}: "
                    "give both or neither"
                )
        _at_least("trials", self.trials, 1)
        _at_least("workers", self.workers, 1)
        _at_least("threads", self.threads, 1)
        _at_least("seed", self.seed, 0)
        _positive("max-hours", self.max_hours)
        _positive("trial-seconds", self.trial_seconds)
        _positive("trial-memory-gb", self.trial_memory_gb)
        if not 0.0 < self.data_fraction <= 1.0:
            raise UsageError(f"expected --data-fraction in (0, 1], received {self.data_fraction}")
        if not 0.0 < self.max_failed <= 1.0:
            raise UsageError(
                f"expected --max-failed in (0, 1], received {self.max_failed}: 0.5 is half"
            )
        if self.target is not None and not 0.0 < self.target <= 1.0:
            raise UsageError(
                f"expected --target as an accuracy in (0, 1], received {self.target}: 0.9 is 90 %"
            )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the run's database."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Plan":
        """Read `to_json`'s values back.

        Raises:
            RunError: Fields are missing or unknown (another version wrote the run).
        """
        known = {item.name for item in fields(cls)}
        if not set(value) <= known:
            unknown = ", ".join(sorted(set(value) - known))
            raise RunError(f"expected a plan of this version, found {unknown} in it: update nas")
        return cls(**value)


def _among(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"expected --{name} among {', '.join(allowed)}, received {value!r}")


def _at_least(name: str, value: int, smallest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
        raise UsageError(f"expected --{name} of {smallest} or more, received {value!r}")


def _positive(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise UsageError(f"expected --{name} above 0, received {value!r}")


def versions() -> dict[str, str]:
    """Return the versions that results may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["platform"] = sys.platform
    return found
