"""The executor on real Ray nodes: the contract, and the process executor's results."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest
from executor_contract import ExecutorContract, Factory, collect, living_name, run, wait_for
from fault_trainers import SPEC, Echo, Faulty, Meets, Unimportable
from ray_cluster import Cluster, cluster
from ray_kills import rows_of
from tiny_data import write_tiny

import nas_core.api
from nas_core.errors import RunError, UsageError
from nas_core.executors import tree
from nas_core.executors.base import Describes, Executor
from nas_core.executors.process import ProcessExecutor
from nas_core.executors.ray import executor as executor_module
from nas_core.executors.ray.executor import RayExecutor
from nas_core.executors.ray.shared_data import CACHE
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Result, Status
from nas_core.trainer.keras_trainer import KerasTrainer
from nas_core.trainer.recipe import QUICK

pytestmark = pytest.mark.slow

Make = Callable[..., RayExecutor]
LOCAL = """
from pathlib import Path
from fault_trainers import SPEC, Lingerer
from nas_core.executors.ray.executor import RayExecutor
from nas_core.trainer.base import Job
import sys
if __name__ == "__main__":
    executor = RayExecutor(Lingerer(Path(sys.argv[1]), ("sleep_forever",)), 1)
    executor.submit(SPEC, Job(0, 0))
    executor.poll(1000.0)
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        with cluster(2) as made:
            yield made


@pytest.fixture
def make(nodes: Cluster) -> Iterator[Make]:
    made: list[RayExecutor] = []

    def build(trainer: Any, workers: int = 2, **options: Any) -> RayExecutor:
        made.append(RayExecutor(trainer, workers, address=nodes.address, **options))
        return made[-1]

    yield build
    for executor in made:
        executor.close()


class TestRay(ExecutorContract):
    @pytest.fixture
    def executor_factory(self, make: Make) -> Factory:
        return make


def test_is_an_executor_with_words(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    executor = make(Echo(), workers=5)
    assert isinstance(executor, Executor)
    assert isinstance(executor, Describes)
    assert executor.slots == 2  # what there is room for
    assert executor.state() == "1 node, 0/2 busy"
    results = run(executor, 4)
    assert len({result.details["pid"] for result in results.values()}) == 4  # fresh processes
    executor.close()
    with pytest.raises(RunError, match="close"):
        executor.submit(SPEC, Job(0, 0))
    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_trials_run_at_once_and_bad_ones_cost_themselves(make: Make, tmp_path: Path) -> None:
    with closing(make(Meets(tmp_path, 2))) as executor:
        results = run(executor, 2)
    assert [result.status for result in results.values()] == [Status.OK] * 2
    with closing(make(Faulty("sleep_forever"), seconds_limit=1.0)) as executor:
        results = run(executor, 2)
    assert [results[trial].status for trial in range(2)] == [Status.TIMEOUT, Status.OK]


def test_closing_ends_the_children_and_frees_the_nodes(nodes: Cluster, make: Make) -> None:
    executor = make(Faulty("sleep_forever"), 1)
    executor.submit(SPEC, Job(0, 0))
    assert executor.poll(1.0) == []
    children = [pid for actor in nodes.head.below("ray::Node") for pid in tree.descendants(actor)]
    assert children
    executor.close()
    wait_for(lambda: not any(living_name(pid) for pid in children), 10.0)
    assert make(Echo()).slots == 2


def test_no_node_can_load_it(make: Make) -> None:
    executor = make(Unimportable())
    executor.submit(SPEC, Job(0, 0))
    with pytest.raises(UsageError, match=r"no_such_module_anywhere.*on the node"):
        collect(executor, 1)


def test_nodes_that_are_too_small_are_named(make: Make) -> None:
    with pytest.raises(UsageError, match=r"4 CPU\(s\).*1 node\(s\) of at most 2"):
        make(Echo(), threads=4)


def test_the_wrong_token_is_told_in_one_line(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("f" * 64)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(
        UsageError, match=r"accepts this machine's token.*RAY_AUTH_TOKEN_PATH"
    ) as caught:
        make(Echo())
    assert "\n" not in str(caught.value)


def test_a_search_has_the_process_executors_trials(nodes: Cluster, tmp_path: Path) -> None:
    options = {"trainer": "mock", "trials": 20, "seed": 3, "workers": 2, "control": None}
    for name in ("process", "ray"):
        where = {"address": nodes.address} if name == "ray" else {}
        nas_core.api.search(
            "metaqnn", executor=name, run=tmp_path / name, **options, **where
        )  # fmt: skip
    rows = rows_of(tmp_path / "ray")
    assert len(rows) == 20
    assert rows == rows_of(tmp_path / "process")


def test_real_children_are_the_process_executors_to_the_last_digit(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data set's path means nothing on the node: it is sent, once."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / "tiny")
    recipe = QUICK.changed({"epochs": 2, "batch_size": 16, "image_size": None})
    trainer = KerasTrainer(Path("tiny"), recipe)
    texts = ("[C(8,3,1), GAP, SM(3)]", "[C(4,3,1), P(2,2), SM(3)]", "[P(5,5), P(5,5), SM(3)]")
    specs = [ChainSpec.from_text(text) for text in texts]
    here, there = ProcessExecutor(trainer, 1, threads=1), make(trainer)
    try:
        answers = [answered(executor, specs) for executor in (here, there)]
    finally:
        here.close()
    assert answers[0] == answers[1]
    assert {status for status, *_ in answers[0]} >= {Status.OK, Status.INVALID}
    cached = list((Path(os.environ[CACHE]) / "data").iterdir())
    assert len(cached) == 1


def answered(executor: Executor, specs: list[ChainSpec]) -> list[tuple[Any, ...]]:
    """Return what trials of fixed seeds answer, but for their seconds."""
    found: dict[int, Result] = {}
    for trial, spec in enumerate(specs):
        executor.submit(spec, Job(trial, seed=10 + trial))
        found |= collect(executor, 1)
    return [
        (r.status, r.score, r.curve, r.parameters, r.macs, r.message, r.attempts)
        for r in (found[trial] for trial in range(len(specs)))
    ]


def test_a_killed_driver_leaves_no_process_of_a_local_cluster(tmp_path: Path) -> None:
    script = tmp_path / "local.py"
    script.write_text(LOCAL)
    driver = subprocess.Popen(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    wait_for((tmp_path / "0-child.pid").exists, 120.0)
    below = tree.descendants(driver.pid)
    child = int((tmp_path / "0-child.pid").read_text())
    assert child in below
    driver.kill()
    driver.wait()
    wait_for(lambda: not any(living_name(pid) for pid in below), 30.0)


def test_a_local_cluster_serves_and_ends() -> None:
    resource_tracker.ensure_running()
    before = set(tree.descendants(os.getpid()))
    executor = RayExecutor(Echo(), 3)  # as the process executor: more workers than cores
    try:
        assert executor.slots == 3
        below = set(tree.descendants(os.getpid())) - before
        assert any(living_name(pid) == "raylet" for pid in below)
        assert len(run(executor, 4)) == 4
    finally:
        executor.close()
    wait_for(lambda: not any(living_name(pid) for pid in below), 10.0)


def test_missing_ray_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install '\.\[ray\]'"):
        RayExecutor(Echo(), 1)
