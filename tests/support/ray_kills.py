"""A search on two Ray nodes whose worker process, node and head are killed mid-child in turn."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray_cluster import Cluster, Node, cluster

import nas_core.api
from nas_core.errors import RunError
from nas_core.executors import tree
from nas_core.kinds import IMAGE
from nas_core.spec import Spec
from nas_core.store import RunStore
from nas_core.trainer.base import Job, Result
from nas_core.trainer.mock import MockTrainer

PATIENCE = 120.0
WORKER = "ray::Node"  # how Ray names the process of our actor
DEEP = 0.3  # seconds into a child


@dataclass(frozen=True)
class Paced:
    """The mock's answers after some seconds; leaves a file named after each child's pid."""

    folder: Path
    seconds: float
    name: str = "paced"

    def score(self, spec: Spec, job: Job) -> Result:
        (self.folder / str(os.getpid())).touch()
        time.sleep(self.seconds)
        return MockTrainer(IMAGE.mock_shape, IMAGE.mock_classes).score(spec, job)

    def config(self) -> dict[str, Any]:
        return {"trainer": self.name}


@dataclass
class Outcome:
    """What became of the search.

    Attributes:
        killed: What was killed while a child ran on it, in order.
        lost: Trials without a result, or with another one than the uninterrupted search has.
        doubled: Results that were committed more than once.
        message: What the search said when the head was gone.
        used_later: Whether the node that joined in between had a child.
    """

    killed: list[str] = field(default_factory=list)
    lost: int = -1
    doubled: int = -1
    message: str = ""
    used_later: bool = False


class Killer(threading.Thread):
    """Kills in turn; the search goes on in the main thread meanwhile."""

    def __init__(self, nodes: Cluster, second: Node, marks: Path, outcome: Outcome) -> None:
        super().__init__(daemon=True)
        self._cluster, self._second, self._marks, self._outcome = nodes, second, marks, outcome
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._kill_all()
        except BaseException as error:
            self.error = error

    def _kill_all(self) -> None:
        head = self._cluster.head
        self._await("a child on the second node", lambda: self._child_below(self._second))
        self._await("a child on the head", lambda: self._child_below(head))
        time.sleep(DEEP)
        tree.kill(*head.below(WORKER))
        self._outcome.killed.append("worker process")
        self._await("a child after the worker", lambda: self._child_below(head))
        self._await("a child on the second node", lambda: self._child_below(self._second))
        time.sleep(DEEP)
        self._second.kill()
        self._outcome.killed.append("node")
        third = self._cluster.add(1)
        self._await("a child on the node that joined", lambda: self._child_below(third))
        self._outcome.used_later = True
        self._await("a child on the head", lambda: self._child_below(head))
        head.kill()
        self._outcome.killed.append("head")

    def _child_below(self, node: Node) -> bool:
        """Whether a child sleeps below a node."""
        running = {int(path.name) for path in self._marks.iterdir()}
        return not running.isdisjoint(tree.descendants(node.process.pid))

    def _await(self, what: str, happens: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not happens():
            if time.monotonic() > end:
                raise TimeoutError(f"never saw {what}")
            time.sleep(0.05)


def ray_kills(folder: Path, trials: int = 60, seconds: float = 2.0) -> Outcome:
    """Kill worker process, node and head in turn; resume on a new cluster; compare.

    Args:
        folder: For two runs.
        trials: Proposals of the search, more than can end before the head does.
        seconds: Of one child.
    """
    marks = folder / "marks"
    marks.mkdir()
    options: dict[str, Any] = {"agent": "metaqnn", "trials": trials, "seed": 5, "workers": 2}
    whole = folder / "whole"
    nas_core.api.search(
        "metaqnn", trainer=Paced(marks, 0.0), executor="inline", run=whole, **options
    )
    outcome, commits = Outcome(), Counter[int]()

    def on_trial(plan: Any, row: Any) -> None:
        commits[row.number] += 1

    trainer, run = Paced(marks, seconds), folder / "run"
    with cluster(1, 1) as nodes:
        killer = Killer(nodes, nodes.nodes[1], marks, outcome)
        killer.start()
        try:
            nas_core.api.search(
                "metaqnn", trainer=trainer, executor="ray", address=nodes.address, run=run,
                on_trial=on_trial, **options,
            )  # fmt: skip
        except RunError as error:
            outcome.message = str(error)
        killer.join(PATIENCE)
        if killer.error is not None:
            raise killer.error
    with cluster(2) as nodes:
        nas_core.api.resume(
            run, trainer=Paced(marks, 0.0), address=nodes.address, on_trial=on_trial
        )
    expected, found = rows_of(whole), rows_of(run)
    outcome.lost = sum(found.get(number) != row for number, row in expected.items())
    outcome.doubled = sum(commits.values()) - len(commits) + len(set(found) - set(expected))
    return outcome


def rows_of(run: Path) -> dict[int, Any]:
    """Return what every trial of a run was and how it ended; seconds are the machine's."""
    with RunStore.open(run) as store:
        return {
            row.number: (row.digest, row.status, row.score, row.reward, row.credited_from)
            for row in store.trials()
        }
