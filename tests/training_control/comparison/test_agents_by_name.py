"""Agents are found by name: what ships, what lies in a folder, what is neither."""

import shutil
import sys
from pathlib import Path

import pytest

from nas_core.errors import RunError, UsageError
from training_control.comparison.agents import check_apart, find, shipped, untrained_twin
from training_control.steering import BRAINS


def test_the_default_brain_is_found_under_its_kind_too():
    default = find("default", {})
    kind = "dqn" if default.policy.head == "values" else "ppo"
    twin = find(kind, {})
    assert (twin.name, twin.identity) == (kind, default.identity)
    assert default.meta_training["decisions"] > 0
    assert default.controls.names[0] == "learning_rate"


def test_a_folder_of_ones_own_has_the_name_that_it_is_given(tmp_path):
    shutil.copytree(BRAINS / "default", tmp_path / "mine")
    (tmp_path / "mine" / "cost.json").write_text('{"seconds": 33}')
    agent = find("hero", {"hero": str(tmp_path / "mine")})
    assert (agent.name, agent.meta_training["seconds"]) == ("hero", 33.0)


@pytest.mark.parametrize(
    "names",
    [
        ("ppo", "ppo"),
        ("a", "b", "a"),
        ("a", "a-untrained"),
        ("a-replay", "a"),
        ("cosine",),
    ],
)
def test_agents_have_names_of_their_own(names):
    check_apart(("default", "ppo", "mine"))
    with pytest.raises(UsageError, match=f"received {', '.join(names)}, where .* occurs twice"):
        check_apart(names)


def test_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="expected agents among default, ppo, dqn"):
        find("sac", {})
    with pytest.raises(RunError, match="expected a brain in"):
        find("mine", {"mine": str(tmp_path)})
    with pytest.raises(RunError, match="another schema"):  # the quadratic's brain sees other things
        find("quadratic", {})
    assert shipped("../brains/default") is None
    assert shipped(str(Path("nowhere"))) is None


@pytest.mark.slow
def test_an_untrained_twin_has_other_weights_and_no_past():
    pytest.importorskip("stable_baselines3")
    default = find("default", {})
    twin = untrained_twin(default)
    assert twin.name == "default-untrained"
    assert twin.identity != default.identity
    assert (dict(twin.meta_training), twin.controls) == ({}, default.controls)
    assert untrained_twin(default).identity == twin.identity


def test_without_stable_baselines_it_says_what_to_do(monkeypatch):
    default = find("default", {})
    for name in [name for name in sys.modules if name.split(".")[0] == "stable_baselines3"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "training_control.vector_env", raising=False)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(UsageError, match=r"expected Stable-Baselines3 .*, or compare with --no-un"):
        untrained_twin(default)
