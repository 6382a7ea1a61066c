"""Simulated trainings: a proper environment, repeatable; the shipped brain does well in them."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from training_control.meta_training import CONTROLLED, gains, simulated_resets
from training_control.policy import FrozenPolicy
from training_control.simulated import SimulatedTrainingEnv
from training_control.steering import open_brain


def test_is_a_proper_environment() -> None:
    check_env(SimulatedTrainingEnv(CONTROLLED), skip_render_check=True)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_done_nothing_is_nan_and_a_seed_repeats(seed: int) -> None:
    env, again = (SimulatedTrainingEnv(CONTROLLED) for _ in range(2))
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    again.reset(seed=seed)
    ended = False
    while not ended:
        action = rng.integers((5, 5, 5))
        seen, reward, terminated, truncated, _ = env.step(action)
        other = again.step(action)
        assert np.isfinite(seen).all() and np.isfinite(reward)
        np.testing.assert_array_equal(seen, other[0])
        assert reward == other[1]
        ended = terminated or truncated


def test_a_rate_beyond_reason_is_taken_back_and_halved() -> None:
    env = SimulatedTrainingEnv(masking=False)
    for seed in range(40):
        env.reset(seed=seed)
        if env._problem.ceiling == np.inf and env._values.learning_rate < 0.1 * env._problem.unit:
            break
    env._problem = type(env._problem)(
        **{**vars(env._problem), "unit": env._values.learning_rate / 50}
    )
    before = env._moments.copy()
    rate = env._values.learning_rate
    _, reward, _, _, _ = env.step(2)
    np.testing.assert_array_equal(env._moments, before)
    assert env._values.learning_rate == pytest.approx(max(0.5 * rate, 1e-5))
    assert reward < -0.9


def test_the_default_brain_beats_keeping_everything_on_unseen_problems() -> None:
    brain = open_brain("default")
    policy = FrozenPolicy.restored(brain.config, brain.policy)
    env = SimulatedTrainingEnv(CONTROLLED, flat=brain.kind == "dqn")
    resets = [{"seed": 90_000 + number} for number in range(80)]
    better = gains(policy, env, resets) - gains(None, env, resets)
    rng = np.random.default_rng(0)
    means = better[rng.integers(80, size=(2000, 80))].mean(1)
    assert np.quantile(means, 0.025) > 0
    assert simulated_resets(3) == simulated_resets(3)
