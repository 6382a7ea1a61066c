"""Names of trainings, and earlier ones that are kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_data import write_tiny

from nas_core.files import sha256_file, write_json
from nas_core.retraining.candidates import Candidate, Inheritance, rebuilt
from nas_core.retraining.trainings import plan_trainings, train_all
from nas_core.trainer.base import Result, Status
from nas_core.trainer.recipe import FINAL
from nas_net_architecture.network import nasnet_like_small

SPEC = nasnet_like_small()
INHERITED = Inheritance(Path("a.keras"), "11" * 32, ("stem_conv",), ("classifier",))


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("trainings") / "tiny")


def trainings(candidates, info, recipe=FINAL, seed=1, run=Path("R")):
    return plan_trainings(run, seed, candidates, 2, recipe, info)


def test_a_models_name_says_what_it_depends_on(info):
    candidates = [
        Candidate(SPEC, 0.5),
        Candidate(SPEC, 0.5, INHERITED),
        Candidate(SPEC, 0.5, replace(INHERITED, sha256="22" * 32)),
        Candidate(rebuilt(SPEC, 5, None), 0.5),
        Candidate(rebuilt(SPEC, None, 64), 0.5),
    ]
    names = [training.model for training in trainings(candidates, info)]
    names += [t.model for t in trainings(candidates[:2], replace(info, digest="other"))]
    names += [t.model for t in trainings(candidates[:2], info, seed=2)]
    names += [t.model for t in trainings(candidates[:2], info, FINAL.changed({"epochs": 3}))]
    assert len(names) == len(set(names)) == 22
    # nothing of it is chance, and the path to the inherited model is no part of it
    moved = replace(candidates[1], inherited=replace(INHERITED, model=Path("b.keras")))
    assert trainings([moved], info)[0].model == trainings([candidates[1]], info)[0].model


def test_both_starts_have_the_same_seeds(info):
    scratch, more, tuned, _ = trainings(
        [Candidate(SPEC, 0.5), Candidate(SPEC, 0.5, INHERITED)], info
    )
    assert scratch.seed == tuned.seed != more.seed
    assert scratch.job(0, 1).init_from is None
    assert tuned.job(3, 1).init_from == Path("a.keras").resolve()
    assert tuned.job(3, 1).model_path == tuned.model.resolve()


class NoExecutor:
    """Starts nothing: whatever is submitted fails the test."""

    slots = 1

    def submit(self, spec, job):
        raise AssertionError(f"trained {job.model_path}")

    def close(self):
        pass


def test_a_finished_training_counts_for_its_own_start_only(info, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nas_core.retraining.trainings.executor_for", lambda plan, trainer: NoExecutor()
    )
    both = trainings([Candidate(SPEC, 0.5), Candidate(SPEC, 0.5, INHERITED)], info, run=tmp_path)
    plan = type("Plan", (), {"threads": 1})
    for training in both[:2]:  # as an interrupted call leaves it: the first start is done
        training.model.parent.mkdir(exist_ok=True)
        training.model.write_bytes(b"model")
        result = Result(Status.OK, 0.75)
        described = {"sha256": sha256_file(training.model), "result": result.to_json()}
        write_json(training.model.with_suffix(".json"), described)
    kept = train_all(plan, both[:2], FINAL, info, lambda line: None)
    assert [result.score for result in kept] == [0.75, 0.75]
    with pytest.raises(AssertionError, match=both[2].model.name):
        train_all(plan, both, FINAL, info, lambda line: None)
    both[0].model.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match=both[0].model.name):
        train_all(plan, both[:2], FINAL, info, lambda line: None)
    assert json.loads(both[1].model.with_suffix(".json").read_text())["result"]["score"] == 0.75
