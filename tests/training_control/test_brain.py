"""Brains on disk: whole or refused, two generations, the best kept, nothing executed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas_core.errors import RunError
from training_control import brain as brains
from training_control.brain import Brain
from training_control.policy import FrozenPolicy
from training_control.rewards import ReturnScale

SCHEMA = {"observation": ["a", "b"], "actions": {"learning_rate": [0.5, 1.0]}}


def a_brain(value: float = 1.0, score: float | None = None) -> Brain:
    weights, bias = np.full((2, 2), value, np.float32), np.zeros(2, np.float32)
    policy = FrozenPolicy("categorical", (2,), ((weights, bias),))
    return Brain(
        "ppo",
        SCHEMA,
        policy.config(),
        policy.arrays(),
        {"x": np.arange(3)},
        {"steps": 7},
        score=score,
    )


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    brains.save(tmp_path / "b", a_brain(0.5, score=0.25))
    back = brains.load(tmp_path / "b", SCHEMA)
    assert (back.kind, back.schema, back.state, back.generation, back.score) == (
        "ppo",
        SCHEMA,
        {"steps": 7},
        1,
        0.25,
    )
    np.testing.assert_array_equal(back.learner["x"], np.arange(3))
    np.testing.assert_array_equal(
        FrozenPolicy.restored(back.config, back.policy).layers[0][0], np.full((2, 2), 0.5)
    )


def test_keeps_two_generations_and_the_best(tmp_path: Path) -> None:
    for value, score in ((1.0, 0.5), (2.0, 0.9), (3.0, 0.7)):
        brains.save(tmp_path, a_brain(value, score))
    assert sorted(p.name for p in tmp_path.glob("policy-*")) == [
        "policy-000002.npz",
        "policy-000003.npz",
    ]
    assert brains.load(tmp_path / "best").policy["w0"][0, 0] == 2.0
    assert brains.load(tmp_path).policy["w0"][0, 0] == 3.0
    brains.restore_previous(tmp_path)
    assert brains.load(tmp_path).policy["w0"][0, 0] == 2.0


@pytest.mark.parametrize("name", ["policy-000001.npz", "learner-000001.npz", "manifest.json"])
@pytest.mark.parametrize("how", ["one byte", "cut", "gone"])
def test_refuses_a_changed_file(tmp_path: Path, name: str, how: str) -> None:
    brains.save(tmp_path, a_brain())
    path = tmp_path / name
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(
            data[: len(data) // 2] if how == "cut" else data.replace(data[60:61], b"7", 1) + b" 1"
        )
    with pytest.raises(RunError, match=r"^expected .*: .*$") as caught:
        brains.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_refuses_a_changed_value_in_the_manifest(tmp_path: Path) -> None:
    brains.save(tmp_path, a_brain())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["state"]["steps"] = 8
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="as it was written"):
        brains.load(tmp_path)


def test_refuses_another_schema(tmp_path: Path) -> None:
    brains.save(tmp_path, a_brain())
    other = {**SCHEMA, "observation": ["a", "c"]}
    with pytest.raises(RunError, match="expected a brain with the schema"):
        brains.load(tmp_path, other)
    with pytest.raises(RunError, match="expected a brain with the schema"):
        brains.save(tmp_path, replace(a_brain(), schema=other))


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="as it was written"):
        brains.save(tmp_path, replace(a_brain(), learner={"x": np.array([{}], dtype=object)}))
        brains.load(tmp_path)


def test_a_crash_before_the_manifest_leaves_the_last_brain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brains.save(tmp_path, a_brain(1.0))

    def full(path: Path, value: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(brains, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        brains.save(tmp_path, a_brain(2.0))
    assert brains.load(tmp_path).policy["w0"][0, 0] == 1.0


def test_a_frozen_copy_only_acts(tmp_path: Path) -> None:
    brains.save(tmp_path / "a", a_brain())
    brains.save(tmp_path / "b", brains.frozen(brains.load(tmp_path / "a")))
    assert brains.load(tmp_path / "b").learner == {}
    np.testing.assert_array_equal(brains.load(tmp_path / "b").policy["w0"], a_brain().policy["w0"])


def test_a_frozen_copy_pays_by_the_scale_it_has_and_learns_nothing_of_it(tmp_path: Path) -> None:
    scale = ReturnScale()
    for reward in (3.0, -1.0, 2.0):
        scale(reward, ended=True)
    brain = replace(a_brain(), state={"scale": scale.state()})
    brains.save(tmp_path, brains.frozen(brain))
    evaluated = ReturnScale()
    evaluated.load_state(brains.load(tmp_path).state["scale"])
    before = evaluated.deviation
    assert before == scale.deviation != 1.0
    assert evaluated(7.0, ended=False) == pytest.approx(7.0 / before)
    assert evaluated.deviation == before
    assert brain.state["scale"]["frozen"] is False


def test_damaged_policies_are_refused() -> None:
    config = {"head": "categorical", "sizes": [3], "activation": "tanh"}
    with pytest.raises(RunError, match="expected a policy with 3 outputs, received 2"):
        FrozenPolicy.restored(config, a_brain().policy)
