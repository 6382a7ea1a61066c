import os
from pathlib import Path

import pytest

from nas_core.errors import UsageError
from nas_core.executors import limits, machine
from nas_core.executors.limits import check_workers, share_out

GB = 1_000_000_000


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a made-up tree of control groups that this process seems to be bound by."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_this_machine_has_cores_and_memory() -> None:
    assert 1 <= machine.cores() <= len(os.sched_getaffinity(0))
    free = machine.memory_available()
    assert free is not None
    assert free > 0


def test_version_2_quotas_bind(cgroups: Path) -> None:
    write(cgroups, membership="0::/user/job\n")
    write(cgroups / "user" / "job", memory__max="max\n")
    write(cgroups, cpu__max="100000 100000\n", memory__max="700000\n", memory__current="300000\n")
    (cgroups / "memory.stat").write_text("anon 5\ninactive_file 50000\n")
    assert machine.cores() == 1
    assert machine.memory_available() == 450_000
    write(cgroups, cpu__max="max 100000\n", memory__max="max\n")
    assert machine.cores() == len(os.sched_getaffinity(0))
    unbound = machine.memory_available()
    assert unbound is not None
    assert unbound > 450_000


def test_version_1_quotas_bind(cgroups: Path) -> None:
    write(cgroups, membership="7:memory:/job\n2:cpu,cpuacct:/not/visible/here\n")
    write(cgroups / "cpu,cpuacct", cpu__cfs_quota_us="150000", cpu__cfs_period_us="100000")
    write(cgroups / "memory", memory__limit_in_bytes="900", memory__usage_in_bytes="400")
    write(cgroups / "memory" / "job", memory__limit_in_bytes="700", memory__usage_in_bytes="300")
    assert machine.cores() == 1
    assert machine.memory_available() == 400


@pytest.mark.parametrize(
    ("value", "names"),
    [("", ()), ("-1", ()), ("0", ("0",)), ("2, GPU-ab", ("2", "GPU-ab")), ("1,-1,0", ("1",))],
)
def test_visible_gpus_are_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert machine.gpus() == names


def test_memory_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_available", lambda: limits.DRIVER_BYTES + 6 * GB)
    monkeypatch.setattr(limits, "cores", lambda: 8)
    shared = share_out(3)
    assert shared.memory_bytes == 2 * GB
    assert shared.threads == 2
    assert shared.seconds == 3600.0
    assert share_out(9).threads == 1
    assert share_out(2, 5.0, 3 * GB, 7) == limits.Limits(5.0, 3 * GB, 7)


def test_more_workers_than_memory_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_available", lambda: limits.DRIVER_BYTES + 6 * GB)
    check_workers(3, 2 * GB)
    with pytest.raises(UsageError, match=r"received 4 of 2\.0 GB each.*at most 3") as caught:
        check_workers(4, 2 * GB)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="at most 11"):
        share_out(12)
    monkeypatch.setattr(limits, "memory_available", lambda: None)
    check_workers(1000, 2 * GB)
    assert share_out(1000).memory_bytes is None
