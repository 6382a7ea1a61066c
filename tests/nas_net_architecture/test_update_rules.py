"""Update rules against numbers worked by hand, and gradients against finite differences."""

import math

import numpy as np
import pytest

from nas_core.agent import Proposal, Scored
from nas_core.errors import UsageError
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Epoch, Result, Status
from nas_net_architecture import reinforce
from nas_net_architecture.adam import Adam
from nas_net_architecture.config import LearnerConfig
from nas_net_architecture.controller import LSTMPolicy, LSTMShape
from nas_net_architecture.independent import IndependentPolicy
from nas_net_architecture.layout import Anchors, Layout
from nas_net_architecture.reinforce import Baseline

LN2, LN3 = math.log(2), math.log(3)


def test_log_softmax_is_over_the_legal_actions():
    log_probs = reinforce.log_softmax(np.array([[0.0, LN3, 7.0]]), np.array([[True, True, False]]))
    assert log_probs[0, :2] == pytest.approx([-2 * LN2, LN3 - 2 * LN2])  # 1/4, 3/4
    assert np.exp(log_probs[0, 2]) == 0.0


def test_choose_inverts_the_cumulative_probabilities():
    log_probs = np.log(np.array([[0.25, 1e-300, 0.75]] * 6))
    log_probs[:, 1] = reinforce.IMPOSSIBLE
    uniforms = np.array([0.0, 0.2499, 0.2501, 0.5, 0.9, np.nextafter(1.0, 0.0)])
    assert reinforce.choose(log_probs, uniforms).tolist() == [0, 0, 2, 2, 2, 2]


def test_choose_follows_the_distribution():
    rng = np.random.default_rng(0)
    log_probs = np.log(np.tile([0.1, 0.2, 0.7], (20_000, 1))).astype(np.float32)
    counts = np.bincount(reinforce.choose(log_probs, rng.random(20_000)), minlength=3) / 20_000
    assert counts == pytest.approx([0.1, 0.2, 0.7], abs=0.01)


def test_baseline_is_bias_corrected():
    one = reinforce.update_baseline(Baseline(), [0.8], 0.95)
    assert one.value == pytest.approx(0.8)  # 0.05 * 0.8 / 0.05
    two = reinforce.update_baseline(one, [0.4], 0.95)
    assert two.value == pytest.approx((0.95 * 0.04 + 0.05 * 0.4) / (1 - 0.95**2))
    assert two == reinforce.update_baseline(Baseline(), [0.8, 0.4], 0.95)


def test_spread_is_the_standard_deviation():
    both = reinforce.update_baseline(Baseline(), [0.2, 0.8], 0.0)  # only the last one counts
    assert both.spread == 1.0
    half = Baseline(total=0.5, weight=1.0, squares=0.34)  # of 0.2 and 0.8
    assert half.spread == pytest.approx(0.3)
    assert Baseline().spread == 1.0


def test_the_baseline_is_updated_after_the_advantage():
    before = reinforce.update_baseline(Baseline(), [0.5], 0.9)
    advantage, after = reinforce.advantages([0.9, 0.7], before, 0.9, baseline_first=False)
    assert advantage == pytest.approx([0.4, 0.2])
    assert after == reinforce.update_baseline(before, [0.9, 0.7], 0.9)


def test_the_first_advantage_is_the_reward_itself():
    assert reinforce.advantages([0.6], Baseline(), 0.9, baseline_first=False)[0] == [0.6]


def test_baseline_first_is_smaller_and_zero_at_the_first_reward():
    advantage, first = reinforce.advantages([0.6], Baseline(), 0.9, baseline_first=True)
    assert advantage == pytest.approx([0.0])
    advantage, _ = reinforce.advantages([0.9], first, 0.9, baseline_first=True)
    # b = (0.9 * 0.06 + 0.1 * 0.9) / 0.19
    assert advantage == pytest.approx([0.9 - 0.144 / 0.19])


def test_adams_betas_are_those_asked_for():
    weights = {"w": np.zeros(1)}
    adam = Adam(weights, rate=0.1, clip_norm=None, betas=(0.5, 0.75))
    adam.update({"w": np.array([2.0])})
    assert weights["w"] == pytest.approx([-0.1])  # m = 1, v = 1; corrected: 2 and 4
    adam.update({"w": np.array([0.0])})
    # m = 0.5, v = 0.75; corrected: 0.5 / (1 - 0.25) and 0.75 / (1 - 0.5625)
    assert weights["w"] == pytest.approx([-0.1 - 0.1 * (2 / 3) / math.sqrt(12 / 7)])


@pytest.mark.parametrize("betas", [(0.5,), (0.5, 1.0), (-0.1, 0.9)])
def test_betas_that_are_none_are_refused(betas):
    with pytest.raises(UsageError, match="betas two numbers in"):
        LearnerConfig(betas=betas)


def test_importance_is_a_truncated_ratio():
    now, then = np.log([[0.5, 0.9], [0.5, 0.9]]), np.log([[0.25, 0.3], [1.0, 0.3]])
    assert reinforce.importance(now, then, 2.0) == pytest.approx([1.0, 2.0])  # 1, 9 -> 2


def test_reinforce_loss_by_hand():
    log_prob = np.log([[0.5, 0.25], [0.5, 1.0]])  # two decisions, two architectures
    entropy = np.array([[0.6, 0.4], [0.2, 0.0]])
    advantage, weight = np.array([0.4, -0.2]), np.array([1.0, 0.5])
    loss = reinforce.reinforce_loss(log_prob, entropy, advantage, weight, 0.1)
    # -(0.4 * -2 ln 2 + 0.5 * -0.2 * -2 ln 2) / 2 - 0.1 * 1.2 / 2
    assert loss.value == pytest.approx(0.3 * LN2 - 0.06)
    assert loss.d_log_prob == pytest.approx(np.array([[-0.2, 0.05], [-0.2, 0.05]]))
    assert loss.d_entropy == pytest.approx(np.full((2, 2), -0.05))


def test_ppo_loss_by_hand():
    then = np.log([[0.5, 0.5, 0.5, 0.5]])
    now = np.log([[0.75, 0.75, 0.25, 0.55]])  # ratios 1.5, 1.5, 0.5, 1.1
    advantage = np.array([1.0, -1.0, -1.0, 2.0])
    loss = reinforce.ppo_loss(now, then, np.zeros((1, 4)), advantage, 0.2, 0.0)
    # clipped at 1.2; not clipped when it got worse; clipped at 0.8; inside
    assert loss.value == pytest.approx(-(1.2 - 1.5 - 0.8 + 2.2) / 4)
    assert loss.d_log_prob == pytest.approx(np.array([[0.0, 1.5, 0.0, -2.2]]) / 4)


def test_value_loss_by_hand():
    values, made = np.array([[0.5, 0.2], [0.9, 7.0]]), np.array([[True, True], [True, False]])
    loss, d_values = reinforce.value_loss(values, np.array([0.7, 0.4]), made, 0.5)
    assert loss == pytest.approx(0.5 * (0.04 + 0.04 + 0.04) / 4)
    assert d_values == pytest.approx(np.array([[-0.05, -0.05], [0.05, 0.0]]))


def scored(status, score, accuracies, reward):
    curve = tuple(Epoch(1.0, 0.5, 1.0, accuracy, 1e-3) for accuracy in accuracies)
    proposal = Proposal(0, ChainSpec.from_text("[GAP, SM(2)]"), ())
    return Scored(proposal, reward, Result(status, score, curve))


def test_rewards():
    fine = scored(Status.OK, 0.9, [0.95, 0.5, 0.6, 0.7, 0.8, 0.75], 0.9)
    assert reinforce.accuracy_reward(fine) == 0.9
    assert reinforce.cubed_reward(fine) == pytest.approx(0.512)  # 0.95 came too early
    assert reinforce.cubed_reward(scored(Status.OK, 0.5, [], 0.5)) == pytest.approx(0.125)
    failed = scored(Status.DIVERGED, None, [0.9, math.nan], 0.1)
    assert reinforce.cubed_reward(failed) == 0.1


# ---- gradients


def shapes():
    two = Layout(2, 3)
    skips = Layout(5, 5, Anchors({2: (2, 1), 4: (3, 1)}, refuse=3, connect=4))
    small = {"units": 4, "init": 0.7}
    yield "lstm", two, LSTMShape(**small)
    yield "lstm bounded", two, LSTMShape(**small, temperature=1.7, tanh_constant=1.3)
    yield "lstm2 critic", two, LSTMShape(**small, layers=2, critic=True)
    yield "lstm2 anchors", skips, LSTMShape(**small, layers=2)
    yield "independent", two, None


def masks_of(layout):
    masks = np.ones((layout.n_steps, 3, layout.n_actions), bool)
    masks[1, 0, 0] = False
    for position in layout.anchors.pairs:
        masks[position, :, :3] = False
    masks[-1, 2] = False
    masks[-1, 2, -1] = True  # one forced decision
    return masks


@pytest.mark.parametrize(("name", "layout", "shape"), list(shapes()), ids=lambda v: str(v)[:12])
@pytest.mark.parametrize("rule", ["reinforce", "ppo"])
def test_gradients_agree_with_finite_differences(name, layout, shape, rule):
    rng = np.random.default_rng(3)
    if shape is None:
        policy = IndependentPolicy(layout, rng, critic=True, dtype=np.float64)
        policy.weights["logits"][:] = rng.normal(size=policy.weights["logits"].shape)
    else:
        policy = LSTMPolicy(layout, shape, rng, dtype=np.float64)
    masks = masks_of(layout)
    actions = np.array([[rng.choice(np.flatnonzero(row)) for row in rows] for rows in masks])
    advantage, rewards = np.array([0.7, -0.4, 0.2]), np.array([0.3, 0.6, 0.9])
    behaviour = np.full(actions.shape, -1.1)

    def evaluate():
        forward = policy.forward(actions)
        log_probs = reinforce.log_softmax(forward.logits, masks)
        log_prob, entropy = (
            reinforce.log_prob_of(log_probs, actions), reinforce.entropy_of(log_probs),
        )  # fmt: skip
        if rule == "ppo":
            loss = reinforce.ppo_loss(log_prob, behaviour, entropy, advantage, 0.9, 0.3)
        else:
            loss = reinforce.reinforce_loss(log_prob, entropy, advantage, np.ones(3), 0.3)
        extra, d_values = reinforce.value_loss(forward.values, rewards, masks.any(-1), 0.5)
        d_logits = reinforce.d_logits(log_probs, actions, loss.d_log_prob, loss.d_entropy)
        return loss.value + extra, lambda: policy.backward(forward.memory, d_logits, d_values)

    grads = evaluate()[1]()
    for key, weight in policy.weights.items():
        flat, step = weight.reshape(-1), 1e-6
        for place in rng.choice(flat.size, min(flat.size, 12), replace=False):
            before = flat[place]
            flat[place] = before + step
            up = evaluate()[0]
            flat[place] = before - step
            down = evaluate()[0]
            flat[place] = before
            found = grads[key].reshape(-1)[place]
            assert found == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-8), key


@pytest.mark.parametrize(("name", "layout", "shape"), list(shapes())[:4], ids=lambda v: str(v)[:12])
def test_sampling_and_teacher_forcing_see_the_same_logits(name, layout, shape):
    policy = LSTMPolicy(layout, shape, np.random.default_rng(0))
    actions = np.random.default_rng(1).integers(0, layout.n_actions, (layout.n_steps, 6))
    memory = policy.start(6)
    rows = [
        policy.logits(memory, t, None if t == 0 else actions[t - 1]) for t in range(layout.n_steps)
    ]
    np.testing.assert_allclose(np.stack(rows), policy.forward(actions).logits, atol=1e-6)


def test_anchor_probability_is_the_published_sigmoid():
    layout = Layout(3, 3, Anchors({2: (2, 1)}, refuse=0, connect=1))
    policy = LSTMPolicy(layout, LSTMShape(units=3, init=0.9), np.random.default_rng(0))
    actions = np.array([[2], [2], [1]])
    forward = policy.forward(actions)
    hidden = forward.memory.layers[-1].trace.hidden[1:, 0]  # [T, H]
    weights = policy.weights
    mixed = np.tanh(
        weights["anchor_previous"].T @ hidden[1] + weights["anchor_current"].T @ hidden[2]
    )
    wanted = 1 / (1 + np.exp(-(weights["anchor_vector"] @ mixed)))
    masks = np.array([True, True, False])
    found = np.exp(reinforce.log_softmax(forward.logits, masks))[2, 0]
    assert found == pytest.approx([1 - wanted, wanted, 0.0], abs=1e-6)


def test_initial_weights_are_uniform():
    weights = LSTMPolicy(Layout(4, 5), LSTMShape(), np.random.default_rng(0)).weights
    every = np.concatenate([value.reshape(-1) for value in weights.values()])
    assert every.min() >= -0.1
    assert every.max() <= 0.1
    assert every.std() == pytest.approx(0.2 / math.sqrt(12), rel=0.02)
