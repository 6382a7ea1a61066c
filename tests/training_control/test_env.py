"""The environment: Gymnasium's rules, clipping, rollback, termination, masks, and SB3."""

import json
import math
import time
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from tiny_training import tiny_task

from nas_core.errors import UsageError
from training_control.controls import CONTROLS, Hyperparameters
from training_control.env import TrainingControlEnv, open_session
from training_control.episode import LOST, went_wrong
from training_control.masking import draw_masks
from training_control.observations import FEATURES, SOURCES
from training_control.rewards import ReturnScale, RewardConfig

ALL = tuple(CONTROLS)
KEEP = 2


@cache
def traced():
    """Return one session for all environments of this module: they differ in other things."""
    return open_session(tiny_task())


def make(controls=("learning_rate",), decisions=6, task=None, **options):
    if task is not None:
        return TrainingControlEnv(task, controls, decisions, **options)
    made = TrainingControlEnv(tiny_task(), controls, decisions, **options)
    made._sessions[0] = traced()
    return made


@pytest.fixture(scope="module")
def env():
    return make()


def play(env, action, seed=0, **options):
    """Play an episode with one action, or with a function of the observation."""
    observation, info = env.reset(seed=seed, options=options)
    rows = []
    while True:
        chosen = action(observation) if callable(action) else action
        observation, reward, terminated, truncated, info = env.step(chosen)
        rows.append((observation, reward, info))
        if terminated or truncated:
            return rows, terminated, truncated


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"controls": ALL, "masking": True, "random_start": True},
        {"controls": ALL, "flat": True},
        {"controls": ALL, "continuous": True},
    ],
    ids=["one", "several", "flat", "box"],
)
def test_gymnasiums_checker_has_nothing_to_say(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_env(make(**options), skip_render_check=True)


def test_an_episode_is_cut_at_its_budget_and_only_there(env):
    rows, terminated, truncated = play(env, KEEP)
    assert (len(rows), terminated, truncated) == (6, False, True)
    assert [info["examples"] for _, _, info in rows] == [107] * 6  # 5 epochs of 128 in six parts
    assert rows[-1][0][FEATURES.index("progress")] == 1.0
    assert rows[-1][2]["validation_loss"] < rows[0][2]["validation_loss"]
    with pytest.raises(UsageError, match="after an episode's end"):
        env.step(KEEP)
    assert env.session.traces == 1


def test_a_training_is_a_function_of_its_seed_and_actions(env):
    first, again, other = (
        [(o.tolist(), r) for o, r, _ in play(env, 4, seed=seed)[0]] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_first_decision_clips_a_start_outside_the_range(env):
    start = Hyperparameters(learning_rate=1.0, optimizer="adam", units=48)
    observation, info = env.reset(seed=0, options={"start": start})
    assert info["hyperparameters"]["learning_rate"] == 1.0
    assert observation[FEATURES.index("learning_rate")] > 1.0
    info = env.step(KEEP)[-1]
    assert info["changed"] == {"learning_rate": pytest.approx(0.1)}
    assert info["hyperparameters"]["learning_rate"] <= 0.1


@pytest.mark.parametrize("wrong", [math.nan, 17, -1, "up", [1, 2]])
def test_actions_outside_the_space_are_ignored_and_counted(env, wrong):
    env.reset(seed=0)
    info = env.step(wrong)[-1]
    assert (info["ignored"], info["changed"], info["interventions"]) == (1, {}, 0)
    assert env.step(KEEP)[-1]["ignored"] == 1


def test_the_reward_is_the_improvement_less_the_prices():
    env = make(reward=RewardConfig(intervention=0.125, time=0.0, terminal=0.0))
    kept, *_ = play(env, KEEP)
    moved, *_ = play(env, lambda _: 3, start=replace(tiny_task().start, learning_rate=1e-5))
    assert all(not info["changed"] for *_, info in kept)
    assert sum(reward for _, reward, _ in moved) == pytest.approx(-0.125 * 6, abs=0.05)
    losses = [info["validation_loss"] for *_, info in kept]
    smooth = [math.log(env.reset(seed=0)[1]["validation_loss"])]
    for loss in losses:
        smooth.append(smooth[-1] + 0.5 * (math.log(loss) - smooth[-1]))
    assert [reward for _, reward, _ in kept] == pytest.approx(-np.diff(smooth), abs=1e-9)


def test_rewards_are_scaled_by_who_owns_the_scale():
    scale = ReturnScale()
    env = make(scale=scale)
    rows, *_ = play(env, KEEP)
    assert scale.state()["count"] == 6
    assert rows[-1][1] != rows[-1][2]["reward"]


def test_what_went_wrong():
    assert went_wrong(1.0, 0.5, 0.76)
    assert not went_wrong(1.0, 0.5, 0.74)
    assert went_wrong(1.0, 0.5, math.nan)
    assert not went_wrong(1.0, 0.001, 0.07)  # losses below a twentieth of the first are alike
    assert went_wrong(1.0, 0.001, 0.08)


def test_a_training_that_blows_up_is_rolled_back_and_slowed_down(env):
    start = Hyperparameters(learning_rate=1.0, dropout=0.0)
    env.reset(seed=0, options={"start": start})
    before = env.session.snapshot()
    loss = env.session.evaluate().loss
    real, seen = env.session.evaluate, []

    def spoiled(split="validation"):
        seen.append(real(split))
        return replace(seen[-1], loss=math.nan)

    env.session.evaluate = spoiled
    try:
        observation, reward, terminated, truncated, info = env.step(4)
    finally:
        env.session.evaluate = real
    assert info["rolled_back"] and not terminated and not truncated
    assert reward == pytest.approx(-1.0, abs=0.05)
    assert observation[FEATURES.index("trouble")] == 1.0
    assert np.isfinite(observation).all()
    assert env.session.evaluate().loss == loss == info["validation_loss"]
    assert info["hyperparameters"]["learning_rate"] == pytest.approx(0.05)
    names = range(len(env.session._weights))
    for index in names:
        np.testing.assert_array_equal(before.values[index], env.session._all[index].numpy())


def test_a_rate_far_too_high_is_cut_from_fresh_weights(env):
    """Until a quarter of the budget is used."""
    start = Hyperparameters(learning_rate=1.0, dropout=0.0)
    env.reset(seed=0, options={"start": start})
    first, real = env.session.snapshot(), env.session.evaluate
    env.session.evaluate = lambda split="validation": replace(real(split), loss=env._episode._first)
    begun, train = [], env.session.train

    def watched(examples):
        pairs = zip(first.values, env.session._all, strict=True)
        weights = len(env.session._weights)
        begun.append(all(np.array_equal(a, b) for a, b in list(pairs)[:weights]))
        return train(examples)

    env.session.train = watched
    try:
        infos = [env.step(action)[-1] for action in (0, 0, 0, 0)]
    finally:
        env.session.evaluate, env.session.train = real, train
    assert begun == [True, True, False, False]  # six decisions: the third comes after a third
    assert [info["afresh"] for info in infos] == [False, True, False, False]


def test_a_training_that_stays_lost_is_terminated():
    """Without control of the rate nothing can be done about a rate of 1e12."""
    start = Hyperparameters(learning_rate=1e12, dropout=0.0, optimizer="sgd")
    rows, terminated, truncated = play(make(("dropout",), decisions=20), KEEP, start=start)
    assert (len(rows), terminated, truncated) == (LOST, True, False)
    assert rows[-1][2]["diverged"]
    assert [round(reward) for _, reward, _ in rows] == [-1, -1, -1, -1, -3]
    assert all(np.isfinite(o).all() and math.isfinite(r) for o, r, _ in rows)


def test_the_wall_clock_charges_for_the_agents_time(env):
    config = RewardConfig(intervention=0.0, overhead=1.0, time=0.0, terminal=0.0)
    slow = make(reward=config, clock="wall")
    quick, *_ = play(make(reward=config), KEEP)
    paid, *_ = play(slow, lambda _: (time.sleep(0.05), KEEP)[1])
    lost = [a[1] - b[1] for a, b in zip(quick, paid, strict=True)]
    assert min(lost) > 0.0
    assert slow.timing["controller"] >= 6 * 0.05
    assert slow.timing["training"] > 0.0


@pytest.mark.parametrize("acted", [0, 3])
def test_an_episode_goes_on_exactly_from_its_state(acted):
    first = make(ALL, masking=True, random_start=True, scale=ReturnScale())
    actions = [[0, 3, 4, 2, 2, 1, 0], [4, 1, 2, 0, 0, 2, 1], [9], [2, 2, 2, 3, 1, 0, 2], [1] * 7]
    first.reset(seed=5)
    for action in actions[:acted]:
        first.step(action)
    state = json.loads(json.dumps(first.state()))
    expected = [first.step(action)[:4] for action in actions[acted:]]
    expected.append(first.reset()[0].tolist())
    second = make(ALL, masking=True, random_start=True)
    second.load_state(state)
    found = [second.step(action) for action in actions[acted:]]
    for (o, _, *ends), (o2, _, *ends2, _) in zip(expected[:-1], found, strict=True):
        np.testing.assert_array_equal(o, o2)
        assert ends == ends2
    assert second.reset()[0].tolist() == expected[-1]


def test_masks_hide_features_and_withhold_controls():
    env = make(ALL, masking=True)
    kinds = set()
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        seen = dict(zip(FEATURES, observation, strict=True))
        assert seen["has_validation_loss"] == seen["has_learning_rate"] == 1.0
        acting = {name for name in ALL if seen[f"can_{name}"] == 1.0}
        assert acting == set(info["available"]) != set()
        kinds.add((tuple(sorted(acting)), seen["has_metric"]))
        allowed = acting
        _, _, _, _, info = env.step([0, 0, 0, 1, 0, 0, 0])
        assert set(info["changed"]) <= allowed
    assert len(kinds) > 4


def test_drawn_masks_always_leave_something_to_do():
    rng = np.random.default_rng(0)
    for _ in range(50):
        hidden, acting = draw_masks(rng, ("units", "dropout"), ("dropout", "units"))
        assert acting
        assert set(acting) <= {"units", "dropout"}
        assert set(hidden) < set(SOURCES)
        assert "validation_loss" not in hidden


def test_several_tasks_share_an_environment():
    env = make(task=[tiny_task(), replace(tiny_task(), name="other")], decisions=2)
    env._sessions.update(dict.fromkeys((0, 1), traced()))
    names = {env.reset(seed=seed)[1]["task"] for seed in range(8)}
    assert names == {"tiny", "other"}
    assert env.reset(options={"task": 1})[1]["task"] == "other"


def test_random_starts_reach_from_1e5_to_1():
    env = make(random_start=True)
    rates = [env.reset(seed=s)[1]["hyperparameters"]["learning_rate"] for s in range(40)]
    assert 1e-5 <= min(rates) < 1e-4
    assert 0.1 < max(rates) <= 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decisions": 0}, "at least 1 decision"),
        ({"clock": "sun"}, "the clock 'work' or 'wall'"),
        ({"controls": ("lr",)}, "expected different controls"),
        ({"task": []}, "at least one task"),
        ({"task": "mars"}, "expected a task among leaves"),
    ],
)
def test_wrong_environments_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        make(**options)


def test_an_environment_must_be_reset_first():
    with pytest.raises(UsageError, match="expected reset"):
        make().step(0)
    with pytest.raises(UsageError, match="expected reset"):
        _ = make().session


@pytest.mark.slow
def test_stable_baselines_trains_on_it_unmodified():
    from stable_baselines3 import DQN, PPO

    PPO("MlpPolicy", make(), n_steps=24, batch_size=12, device="cpu").learn(48)
    PPO("MlpPolicy", make(ALL), n_steps=24, batch_size=12, device="cpu").learn(24)
    PPO("MlpPolicy", make(ALL, continuous=True), n_steps=24, batch_size=12, device="cpu").learn(24)
    DQN("MlpPolicy", make(), learning_starts=6, device="cpu").learn(24)
    DQN("MlpPolicy", make(ALL, flat=True), learning_starts=6, device="cpu").learn(24)


@pytest.mark.slow
def test_random_actions_from_rates_up_to_1_seldom_lose_a_training():
    """40 episodes here; 1,000 in benchmarks/control_rollback.py."""
    env = make(ALL, decisions=12, random_start=True)
    env.action_space.seed(0)
    lost = 0
    for seed in range(40):
        rows, terminated, _ = play(env, lambda _: env.action_space.sample(), seed=seed)
        lost += terminated
        assert math.isfinite(rows[-1][2]["validation_loss"])
    assert lost == 0
    assert env.session.traces == 1
