"""Two Ray nodes on loopback, killed in turn: nothing is lost, nothing comes twice."""

from pathlib import Path

import pytest
from ray_kills import ray_kills


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_worker_node_and_head_killed_mid_child_cost_nothing(tmp_path: Path) -> None:
    outcome = ray_kills(tmp_path)
    assert outcome.killed == ["worker process", "node", "head"]
    assert (outcome.lost, outcome.doubled) == (0, 0)
    assert outcome.used_later
    assert "nas resume RUN" in outcome.message
    assert "\n" not in outcome.message
