"""`nas show`: the policy of a controller beside and instead of the trials."""

import json

import pytest
from typer.testing import CliRunner

from nas_core.api import search
from nas_core.cli.app import app
from nas_core.cli.policy import entropy_line
from nas_core.registry import space_entry


def show(*arguments, code=0):
    done = CliRunner().invoke(app, ["show", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "R"
    search("nasnet", trainer="mock", trials=24, seed=1, control=None, run=folder)
    return folder


def test_below_the_trials_stand_the_policy_and_its_entropy(run):
    lines = show(run).stdout.splitlines()
    assert lines[0].startswith("trial")
    assert lines[25] == ""
    assert lines[26] == "policy of reinforce after 24 trials, along its likeliest decisions"
    assert lines[28].startswith("normal h2: input 1")
    assert len(lines) == 25 + 3 + 40 + 2
    assert lines[-1].startswith("entropy over 3 updates, nats per decision: 1.")
    # More than four options: two operations of four blocks, two inputs of h5; in both cells.
    assert sum("..." in line for line in lines) == 2 * (2 * 4 + 2)


def test_alone_it_is_whole(run):
    lines = show(run, "--policy").stdout.splitlines()
    assert len(lines) == 2 + 40 + 2
    assert not any("..." in line for line in lines)
    assert all(name in lines[4] for name in ("identity", "sep3", "sep5", "avg3", "max3"))


def test_as_json_it_has_every_probability(run):
    found = json.loads(show(run, "--policy", "--json").stdout)["policy"]
    assert set(found) == {"agent", "trials", "decisions", "updates"}
    assert len(found["decisions"]) == 40
    first = found["decisions"][0]
    assert first["decision"] == "normal h2: input 1"
    assert {item["option"] for item in first["options"]} == {"h0", "h1"}
    assert sum(item["probability"] for item in first["options"]) == pytest.approx(1)
    assert [update["trial"] for update in found["updates"]] == [0, 8, 16]
    assert {"entropy", "baseline", "advantage", "reward"} <= set(found["updates"][0])


def test_the_trials_as_json_are_the_trials_alone(run):
    found = json.loads(show(run, "--json").stdout)
    assert list(found) == ["trials"]
    assert len(found["trials"]) == 24


def test_an_agent_without_a_policy_is_named(tmp_path):
    search("metaqnn", trainer="mock", trials=8, seed=1, control=None, run=tmp_path / "Q")
    assert "policy" not in show(tmp_path / "Q").output
    refused = show(tmp_path / "Q", "--policy", code=1)
    assert "expected a run of a controller such as reinforce" in refused.stderr


def test_parts_of_the_callers_own_need_python(tmp_path):
    space = space_entry("nasnet").build("quick", (32, 32, 3), 10)
    search(space, trainer="mock", agent="reinforce", trials=8, control=None, run=tmp_path / "R")
    done = show(tmp_path / "R")
    assert done.stdout.splitlines()[-1].startswith("7 ")
    assert "the policy is not shown: expected a registered space and agent" in done.stderr
    assert "from Python" in show(tmp_path / "R", "--policy", code=1).stderr


def test_one_thing_at_a_time(run):
    assert "choose one" in show(run, 3, "--policy", code=2).stderr
    assert "choose one" in show(run, "--q", "--policy", code=2).stderr


def test_the_line_of_entropies_has_its_ends():
    assert entropy_line([1.5]) == "entropy over 1 update, nats per decision: 1.50"
    assert entropy_line([2.0, 1.0]).endswith(": 2.00 1.00")
    words = entropy_line([100 - n for n in range(100)]).split(": ")[1].split()
    assert len(words) == 12
    assert (words[0], words[-1]) == ("100.00", "1.00")
