"""Simulated trainings: repeatable, never NaN, safe; what is right pays; the brain does well."""

import numpy as np
import pytest

from training_control.meta_training import CONTROLLED, simulated_gains
from training_control.observations import FEATURES
from training_control.policy import FrozenPolicy
from training_control.simulated import DECISIONS, SimulatedTrainings
from training_control.steering import open_brain

KEEP, HALVE = np.array([2, 2, 2]), np.array([0, 2, 2])


def started(count: int = 16, seed: int = 0) -> SimulatedTrainings:
    trainings = SimulatedTrainings(CONTROLLED, count)
    trainings.reset(seed)
    trainings._available[:] = True
    return trainings


def test_whatever_is_done_nothing_is_nan_and_a_seed_repeats() -> None:
    one, other = (SimulatedTrainings(CONTROLLED, 12) for _ in range(2))
    np.testing.assert_array_equal(one.reset(3), other.reset(3))
    rng, ended = np.random.default_rng(0), np.zeros(12, int)
    for _ in range(DECISIONS[1]):
        actions = rng.integers(0, 5, (12, 3))
        told, again = one.step(actions), other.step(actions)
        assert np.isfinite(told.observations).all() and np.isfinite(told.rewards).all()
        assert (np.isfinite(told.gains) == told.ended).all()
        np.testing.assert_array_equal(told.observations, again.observations)
        np.testing.assert_array_equal(told.rewards, again.rewards)
        ended += told.ended
    assert (ended >= 1).all()


def test_flat_actions_mean_the_same_moves() -> None:
    flat = SimulatedTrainings(CONTROLLED, 6, flat=True)
    np.testing.assert_array_equal(
        flat.reset(1), (several := SimulatedTrainings(CONTROLLED, 6)).reset(1)
    )
    labels = flat.controls.labels()
    chosen = labels.index("dropout x0.5")
    told = flat.step(np.full(6, chosen))
    same = several.step(np.tile([2, 0, 2], (6, 1)))
    np.testing.assert_array_equal(told.observations, same.observations)


def test_what_blows_up_is_taken_back_and_the_rate_halved() -> None:
    trainings = started()
    for _ in range(3):
        trainings.step(np.tile(KEEP, (16, 1)))
    trainings._values["learning_rate"][:] = 0.1
    trainings._networks.reach[:] = 1e4
    before, losses = trainings._networks.weights.copy(), trainings._now.copy()
    told = trainings.step(np.tile(KEEP, (16, 1)))
    back = trainings._values["learning_rate"] == 0.05
    assert back.sum() > 8
    np.testing.assert_array_equal(trainings._networks.weights[back], before[back])
    np.testing.assert_array_equal(trainings._now[back], losses[back])
    assert (told.rewards[back] < -0.9).all()


def test_a_rate_that_ruined_the_weights_starts_afresh_when_it_is_cut() -> None:
    trainings = started(64)
    assert 30 < trainings._watched.sum() < 60  # seen before their first interval, or not
    trainings._decisions[:] = 20
    trainings._values["learning_rate"][:] = 0.1
    trainings._done[:], trainings._now[:] = 1, trainings._untrained
    trainings._networks.weights += 1.0
    trainings._start_afresh(np.arange(64) % 2 == 0)
    same = (trainings._networks.weights == trainings._fresh).all(1)
    np.testing.assert_array_equal(same, np.arange(64) % 2 == 0)
    trainings._now = 0.5 * trainings._untrained  # something is learned: nothing goes back
    trainings._networks.weights += 1.0
    trainings._start_afresh(np.ones(64, bool))
    assert not (trainings._networks.weights == trainings._fresh).all(1).any()


def test_losses_are_shown_in_a_unit_of_their_own() -> None:
    trainings = SimulatedTrainings(CONTROLLED, 64)
    shown = trainings.reset(2)[:, FEATURES.index("validation_loss")]
    np.testing.assert_allclose(shown, np.log(trainings._now * trainings._unit), rtol=1e-4)
    assert trainings._unit.min() < 0.5 and trainings._unit.max() > 2.0


def test_useful_rates_and_a_decay_pay() -> None:
    def mean_gain(rate: float, decay: bool) -> float:
        trainings, found = started(128, seed=5), np.full(128, np.nan)
        trainings._decisions[:] = 30
        while np.isnan(found).any():
            left = 1 - trainings._done / 30 if decay else 1.0
            trainings._values["learning_rate"] = rate / trainings._networks.reach * left
            told = trainings.step(np.tile(KEEP, (128, 1)))
            found = np.where(np.isnan(found), told.gains, found)
        return float(found.mean())

    tiny, useful, large = (mean_gain(rate, False) for rate in (3e-5, 5e-3, 0.3))
    assert useful > tiny + 0.2 and useful > large + 0.2
    assert mean_gain(0.02, True) > mean_gain(0.02, False) + 0.02


def test_the_default_brain_beats_keeping_everything_on_unseen_problems() -> None:
    brain = open_brain("default")
    policy = FrozenPolicy.restored(brain.config, brain.policy)
    flat = brain.kind == "dqn"
    found = simulated_gains(policy, 128, 90_000, flat) - simulated_gains(None, 128, 90_000, flat)
    draws = np.random.default_rng(0).integers(128, size=(2000, 128))
    assert np.quantile(found[draws].mean(1), 0.025) > 0
    assert simulated_gains(None, 8).tolist() == pytest.approx(simulated_gains(None, 8).tolist())
