"""An agent rebuilt from its run's folder says what the agent itself would have said."""

import json
import shutil

import pytest

from nas_core.agent import Scored
from nas_core.api import search
from nas_core.database import DATABASE
from nas_core.errors import RunError
from nas_core.inspection import policy_of
from nas_core.registry import agent_entry, space_entry
from nas_core.store import RunStore


def mock_search(folder, space="nasnet", **options):
    search(space, trainer="mock", trials=24, seed=5, workers=1, control=None, run=folder, **options)
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return mock_search(tmp_path_factory.mktemp("inspection") / "R")


@pytest.fixture
def run(searched, tmp_path):
    """Return a copy of a finished run, to be changed."""
    return shutil.copytree(searched, tmp_path / "R")


def policy(folder):
    with RunStore.open(folder) as store:
        return policy_of(store)


def change_config(folder, change):
    with RunStore.open(folder, write=True) as store, store.transaction():
        config = store.config
        change(config)
        store.set_meta("config", config)


@pytest.mark.parametrize(
    ("space", "agent"),
    [
        ("nasnet", "reinforce"),
        pytest.param("nasnet", "ppo", marks=pytest.mark.slow),
        ("chain", "reinforce-lstm2"),
    ],
)
def test_the_rebuilt_agent_is_the_one_that_searched(tmp_path, space, agent):
    folder = mock_search(tmp_path / "R", space, agent=agent)
    itself = agent_entry(agent).build(
        space_entry(space).build("quick", (32, 32, 3), 10), 5, 24, "quick"
    )
    with RunStore.open(folder) as store:
        rows = store.trials()
    for start in range(0, 24, itself.batch):
        group = rows[start : start + itself.batch]
        assert [p.actions for p in itself.suggest(len(group))] == [row.actions for row in group]
        itself.observe([Scored(row.proposal, row.reward, row.result) for row in group])
    found = policy(folder)
    assert list(found.decisions) == itself.preferences()
    assert (found.agent, found.trials) == (agent, 24)
    assert len(found.entropies) == 24 // itself.batch
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["trials"] == 24


def test_looking_reads_only(run):
    before = (run / DATABASE).read_bytes()
    (run / DATABASE).chmod(0o444)
    assert policy(run) is not None
    assert (run / DATABASE).read_bytes() == before


def test_agents_without_a_policy_give_none(tmp_path):
    assert policy(mock_search(tmp_path / "R", agent="random")) is None
    assert policy(mock_search(tmp_path / "Q", "metaqnn")) is None


def test_parts_of_the_callers_own_need_python(tmp_path):
    space = space_entry("nasnet").build("quick", (32, 32, 3), 10)
    folder = mock_search(tmp_path / "R", space, agent="reinforce")
    with pytest.raises(RunError, match="its space from Python"):
        policy(folder)
    own = agent_entry("reinforce").build(space, 5, 24, "quick")
    folder = mock_search(tmp_path / "S", agent=own)
    with pytest.raises(RunError, match="its agent from Python"):
        policy(folder)


@pytest.mark.parametrize("space", ["text", "nasbench201"])
def test_spaces_without_images_are_rebuilt_too(tmp_path, space):
    found = policy(mock_search(tmp_path / "R", space, agent="reinforce"))
    assert len(found.decisions) > 3
    assert not any(item.decision.startswith("decision") for item in found.decisions)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: config["identity"]["space"].update(blocks=7), "this version has another"),
        (lambda config: config["identity"].update(space={}), "this version has another"),
        (lambda config: config.pop("identity"), "this version has another"),
        (lambda config: config["plan"].update(space="gone"), "cannot build the space"),
        (lambda config: config.pop("plan"), "has none: run it again"),
    ],
)
def test_a_run_that_cannot_be_rebuilt_is_refused_in_a_line(run, change, says):
    change_config(run, change)
    with pytest.raises(RunError, match=says):
        policy(run)
