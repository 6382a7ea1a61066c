"""The interface of a loop of one's own: decides, learns in the right direction, adapts, resumes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from nas_core.errors import UsageError
from training_control.observations import FEATURES
from training_control.optimizer_agent import (
    HyperParameterOptimizer,
    TrainingSpaces,
)
from training_control.optimizer_config import OptimizerConfig
from training_control.quadratic import QuadraticEnv

SEEN = np.linspace(-1, 1, len(FEATURES), dtype=np.float32)
QUICK = {
    "training_timesteps_min": 500,
    "training_timesteps_max": 1000,
    "hidden": (16,),
    "intervention_threshold": 0.1,
}


def make(tmp_path: Path, **changed: Any) -> HyperParameterOptimizer:
    controls = changed.pop("controls", ("learning_rate",))
    spaces = TrainingSpaces(controls, flat=changed.get("agent") == "dqn")
    return HyperParameterOptimizer(spaces, {**QUICK, "brain_save_dir": str(tmp_path), **changed})


def test_published_defaults() -> None:
    c = OptimizerConfig()
    assert (c.learning_rate, c.n_steps, c.batch_size, c.gamma) == (3e-4, 1024, 64, 0.99)
    assert (c.train_frequency_min, c.train_frequency_max, c.intervention_threshold) == (5, 25, 0.4)
    assert (c.training_timesteps_min, c.training_timesteps_max) == (5000, 10000)


@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_the_sign_of_the_reward_is_the_sign_of_what_is_learned(tmp_path: Path, agent: str) -> None:
    changes = {}
    for sign in (1.0, -1.0):
        optimizer = make(tmp_path, agent=agent)
        while (new := optimizer.optimize_hyperparameters(SEEN)) is None:
            optimizer.learn_from_intervention(SEEN, 0.0, False)
        suggested = int(optimizer.action)
        before = optimizer._policy.probabilities(SEEN)[0][suggested]
        optimizer._lived, optimizer._since = [], optimizer.adaptation.frequency - 1
        optimizer.learn_from_intervention(SEEN, sign, True, ended=True)
        assert new and optimizer.trainings >= 1
        changes[sign] = optimizer._policy.probabilities(SEEN)[0][suggested] - before
    assert changes[1.0] > 0.005
    assert changes[-1.0] < -0.005


def test_none_means_hands_off_and_values_follow_the_moves(tmp_path: Path) -> None:
    shy = make(tmp_path, intervention_threshold=1.0)
    assert shy.optimize_hyperparameters(SEEN) is None
    assert int(shy.action) == 2
    bold = make(tmp_path, intervention_threshold=0.0, controls=("learning_rate", "dropout"))
    new = bold.optimize_hyperparameters(SEEN)
    assert new and set(new) <= {"learning_rate", "dropout"}
    for name, value in new.items():
        assert getattr(bold.values, name) == value
        assert value / {"learning_rate": 1e-3, "dropout": 0.5}[name] == pytest.approx(
            {0: 0.5, 1: 0.9, 3: 1.1, 4: 2.0}[
                int(bold.action[("learning_rate", "dropout").index(name)])
            ],
            rel=0.3,
        )


@pytest.mark.slow
def test_threshold_and_frequency_move_both_ways(tmp_path: Path) -> None:
    optimizer = make(tmp_path)
    seen = []
    for good in (True, False):
        for step in range(30):
            optimizer.optimize_hyperparameters(SEEN)
            intervened = step % 2 == 0
            level = 0.01 * step if good else -0.01 * step
            optimizer.learn_from_intervention(
                SEEN, level + (0.5 if intervened == good else 0.0), intervened
            )
        seen.append((optimizer.adaptation.threshold, optimizer.adaptation.frequency))
    assert seen[0][0] < QUICK["intervention_threshold"] < seen[1][0]
    assert seen[0][1] > 5 and seen[1][1] < seen[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_continues_exactly_from_its_brain(tmp_path: Path, agent: str) -> None:
    def live(optimizer: HyperParameterOptimizer, steps: range) -> list[Any]:
        log = []
        for step in steps:
            seen = np.sin(SEEN * step).astype(np.float32)
            new = optimizer.optimize_hyperparameters(seen)
            optimizer.learn_from_intervention(seen, float(np.cos(step)), new is not None)
            log.append((new, optimizer.probability(SEEN)))
        return log

    whole = make(tmp_path / "a", agent=agent)
    expected = live(whole, range(24))
    half = make(tmp_path / "b", agent=agent)
    assert half.load_brain() is False
    assert live(half, range(12)) == expected[:12]
    half.save_brain()
    other = make(tmp_path / "b", agent=agent, seed=5)
    assert other.load_brain() is True
    assert live(other, range(12, 24)) == expected[12:]


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("learning_rate", 0.0, "a number of 1e-12 or more, at most 1"),
        ("learning_rate", "3e-4", "a number"),
        ("gamma", "a", "a number of 0 or more, at most 1"),
        ("gamma", 1.5, "a number of 0 or more, at most 1"),
        ("gamma", float("nan"), "a number"),
        ("gamma", True, "a number"),
        ("n_steps", 10.5, "a whole number of 2 or more"),
        ("n_steps", 1, "a whole number of 2 or more"),
        ("batch_size", None, "a whole number"),
        ("train_frequency_min", 0, "a whole number of 1 or more"),
        ("train_frequency_min", 30, "at most train_frequency_max, 25"),
        ("training_timesteps_max", 10, "at most training_timesteps_max, 10"),
        ("intervention_threshold", -0.1, "a number of 0 or more"),
        ("epsilon", 2, "a number of 0 or more, at most 1"),
        ("epsilon_steps", 0, "a whole number of 1 or more"),
        ("seed", -1, "a whole number of 0 or more"),
        ("agent", "sac", "one of ppo, dqn"),
        ("agent", ["ppo"], "one of ppo, dqn"),
        ("brain_save_dir", "", "a folder's name"),
        ("brain_save_dir", 3, "a folder's name"),
        ("hidden", (), "whole numbers of units"),
        ("hidden", 64, "whole numbers of units"),
        ("hidden", (64, 0), "whole numbers of units"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(UsageError, match=f"^expected [a-z_]+ as {re.escape(wanted)}") as told:
        OptimizerConfig.of({name: value})
    assert name.rsplit("_m", 1)[0] in str(told.value)
    assert repr(value) in str(told.value) or "_max" in name


def test_settings_come_from_files_and_arrays_too() -> None:
    config = OptimizerConfig.of({"hidden": [8, 8], "seed": np.int64(3), "gamma": np.float32(0.5)})
    assert (config.hidden, config.seed, config.gamma) == ((8, 8), 3, 0.5)
    with pytest.raises(UsageError, match=r"expected config as values by name, received \[1\]"):
        OptimizerConfig.of([1])


@pytest.mark.parametrize(
    ("env", "config", "message"),
    [
        (None, {}, "expected an environment with discrete controls, received None"),
        ("leaves", {}, "expected an environment with discrete controls, received 'leaves'"),
        (QuadraticEnv(), {}, "use TrainingControlEnv or TrainingSpaces"),
        (TrainingSpaces(("learning_rate", "dropout")), {"agent": "dqn"}, "flat=True, or use ppo"),
    ],
)
def test_an_environment_that_does_not_fit_is_one_line(env: Any, config: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        HyperParameterOptimizer(env, config)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (SEEN[:3], r"received shape \(3,\)"),
        (SEEN[None], r"received shape \(1, 52\)"),
        (np.where(SEEN > 0.9, np.nan, SEEN), "some that are not"),
        (np.full(len(FEATURES), np.inf), "some that are not"),
        (None, "received shape"),
        ("all", "received shape"),
    ],
)
def test_an_observation_that_cannot_be_is_one_line(tmp_path: Path, seen: Any, message: str) -> None:
    optimizer = make(tmp_path)
    wanted = f"^expected an observation of {len(FEATURES)} finite numbers, .*{message}"
    with pytest.raises(UsageError, match=wanted):
        optimizer.optimize_hyperparameters(seen)
    optimizer.optimize_hyperparameters(SEEN)
    with pytest.raises(UsageError, match=wanted):
        optimizer.learn_from_intervention(seen, 1.0, False)
    with pytest.raises(UsageError, match="expected reward as a number, received None"):
        optimizer.learn_from_intervention(SEEN, None, False)
    optimizer.learn_from_intervention(SEEN, 1.0, False)  # nothing was lost


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected config keys among .*, received 'lr'"):
        HyperParameterOptimizer(TrainingSpaces(), {"lr": 1})
    with pytest.raises(UsageError, match="call them in turn"):
        make(tmp_path).learn_from_intervention(SEEN, 1.0, True)
    optimizer = make(tmp_path)
    optimizer.optimize_hyperparameters(SEEN)
    optimizer.learn_from_intervention(SEEN, float("nan"), False)
    assert optimizer.adaptation.fast == -1.0
