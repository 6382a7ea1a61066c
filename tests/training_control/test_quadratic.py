"""The noisy quadratic: published figures to the digit, exact steps, a proper environment."""

from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import training_control
from training_control import brain as brains
from training_control import quadratic as q
from training_control.policy import FrozenPolicy
from training_control.schema import schema_of

BRAIN = Path(training_control.__file__).parent / "brains" / "quadratic"


def test_published_figures() -> None:
    loss, rates = q.greedy()
    assert round(loss, 3) == 0.567
    assert (rates[0], round(rates[100], 3), round(rates[999], 3)) == (1.0, 0.050, 0.010)
    assert round(q.greedy(10)[0], 3) == 0.533
    assert round(q.greedy(100)[0], 3) == 0.372
    assert round(q.best_constant()[0], 3) == 0.341
    assert round(q.best_cosine()[0], 3) == 0.088


def test_one_step_by_hand() -> None:
    # The last coordinate has h = 1: at rate 0.5, M = 0.25 * 10 + 0.25 * 1 = 2.75.
    assert q.advance(q.expected_start(), 0.5)[-1] == pytest.approx(2.75)


def test_expected_loss_is_the_mean_over_noisy_trainings() -> None:
    rng = np.random.default_rng(0)
    theta = rng.normal(scale=np.sqrt(10), size=(20_000, q.DIMENSION))
    for _ in range(3):
        noise = rng.normal(size=theta.shape) / np.sqrt(q.CURVATURES)
        theta -= 0.7 * q.CURVATURES * (theta - noise)
    measured = 0.5 * np.mean(np.sum(q.CURVATURES * theta**2, axis=1))
    assert measured == pytest.approx(q.loss_of(q.advance(q.expected_start(), 0.7, 3)), rel=0.02)


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.4, 1.0])
def test_closed_form_equals_single_steps(rate: float) -> None:
    moments = q.expected_start()
    for _ in range(25):
        moments = q.advance(moments, rate)
    np.testing.assert_allclose(q.advance(q.expected_start(), rate, 25), moments, rtol=1e-9)


def test_is_a_proper_environment() -> None:
    check_env(q.QuadraticEnv(3), skip_render_check=True)


def test_keeping_a_constant_rate_has_the_constant_schedules_loss() -> None:
    env = q.QuadraticEnv(expected=True)
    _, rate = q.best_constant()
    env.reset(seed=0, options={"rate": rate})
    for _ in range(q.DECISIONS):
        _, reward, terminated, truncated, info = env.step(np.int64(2))
    assert terminated and not truncated
    assert round(info["loss"], 3) == 0.341
    assert reward == pytest.approx(0.0, abs=1e-3)


def test_state_continues_exactly() -> None:
    one, other = q.QuadraticEnv(5), q.QuadraticEnv(6)
    one.reset()
    one.step(np.int64(0))
    other.load_state(one.state())
    for action in [4] * q.DECISIONS:
        if one.decision == q.DECISIONS:
            np.testing.assert_array_equal(one.reset()[0], other.reset()[0])
        np.testing.assert_array_equal(
            one.step(np.int64(action))[0], other.step(np.int64(action))[0]
        )


def test_the_committed_brain_beats_the_best_cosine_on_unseen_starts() -> None:
    """Greedy 0.567, best constant 0.341, goal 0.12, best cosine 0.088; in NumPy alone."""
    brain = brains.load(BRAIN, schema_of(q.QuadraticEnv()))
    policy = FrozenPolicy.restored(brain.config, brain.policy)
    losses = []
    for start in range(100):
        env = q.QuadraticEnv(seed=7_000 + start)
        observation, _ = env.reset()
        for _ in range(q.DECISIONS):
            observation, _, _, _, info = env.step(np.int64(policy.act(observation)))
        losses.append(info["loss"])
    assert max(losses) < 0.2
    assert np.mean(losses) < 0.088
