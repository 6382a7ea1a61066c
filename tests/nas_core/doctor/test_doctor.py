"""The doctor passes right agents and names the mistakes of wrong ones, whatever they are called."""

import json
import secrets
import string

import pytest
from planted import (
    BUGS,
    BaselineFirst,
    BaselineFirstDeclared,
    Masksless,
    Plain,
)
from typer.testing import CliRunner

from nas_core.cli.app import app
from nas_core.doctor import Finding, Verdict, examine_agent, examine_machine
from nas_core.doctor.problems import bandit, constant, failing, graph
from nas_core.doctor.subject import Subject, subject
from nas_core.errors import UsageError
from nas_core.registry import names


def examined(cls):
    """Examine a class under a random name: nothing but its behaviour gives it away."""
    name = "".join(secrets.choice(string.ascii_uppercase) for _ in range(8))
    disguised = type(name, (cls,), {"name": name.lower()})
    return examine_agent(Subject(name, lambda space, seed, trials: disguised(space, seed)))


def mistakes(findings):
    return {finding.bug for finding in findings if finding.verdict is Verdict.FAILED}


def test_a_right_agent_passes():
    findings = examined(Plain)
    assert mistakes(findings) == set()
    assert len(findings) == 10


def quick(value, fast):
    """Return a parameter; one that is not among the fast ones waits for `make test`."""
    return value if value in fast else pytest.param(value, marks=pytest.mark.slow)


FAST_BUGS = {BaselineFirst, Masksless}  # and Argmax, which the command finds


@pytest.mark.parametrize(
    "cls", [quick(cls, FAST_BUGS) for cls in BUGS], ids=[cls.__name__ for cls in BUGS]
)
def test_every_planted_mistake_is_named(cls):
    assert BUGS[cls] in mistakes(examined(cls))


@pytest.mark.slow
def test_a_declared_baseline_first_is_reported_not_failed():
    findings = examined(BaselineFirstDeclared)
    assert mistakes(findings) == set()
    (baseline,) = (finding for finding in findings if finding.check == "baseline")
    assert (baseline.verdict, baseline.bug) == (Verdict.REPORTED, "baseline contains the reward")


@pytest.mark.parametrize(
    "name", [quick(name, {"random", "reinforce-independent"}) for name in names("nas.agents")]
)
def test_every_installed_agent_is_healthy(name):
    assert mistakes(examine_agent(subject(name))) == set()


def test_the_problems_are_what_they_say():
    assert (bandit(2).best(), bandit(2).uniform_mean()) == (0.9, pytest.approx(0.42))
    assert failing(1).uniform_mean() == pytest.approx(0.4)
    assert constant().uniform_mean() == pytest.approx(0.5)
    ends = {actions: graph().score(actions) for actions in graph().space.ends()}
    assert max(ends, key=ends.get) == (1, 3, 2)
    assert sorted(map(len, ends)) == [2] + [3] * 9  # ends of unequal depth
    for actions in ends:
        assert graph().space.encode(graph().space.spec(actions)) == actions


@pytest.mark.slow
def test_the_machine_is_examined():
    assert [finding.check for finding in examine_machine()] == ["processors", "memory", "crash"]
    assert mistakes(examine_machine()) == set()


def invoke(*words):
    return CliRunner().invoke(app, ["doctor", *words])


@pytest.mark.slow
def test_the_command_takes_an_agent_of_ones_own():
    good = invoke("--agent", "planted:Plain", "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["healthy"] is True
    bad = invoke("--agent", "planted:Argmax")
    assert bad.exit_code == 1
    assert "argmax sampling" in bad.stdout


@pytest.mark.parametrize("name", ["nobody", "planted:Nobody", "nowhere:Plain", "planted:BUGS", ":"])
def test_unknown_agents_are_one_line(name):
    with pytest.raises(UsageError, match="expected"):
        subject(name)
    assert invoke("--agent", name).exit_code == 2


def test_a_finding_is_json():
    finding = Finding("masks", Verdict.FAILED, "illegal decisions", "trial 3")
    assert json.loads(json.dumps(finding.to_json()))["verdict"] == "failed"
