"""What the model makes of rewards: ranks, repeats, noise, and nothing of nothing."""

import numpy as np
import pytest
from small_spaces import GridSpace

import nas_core.api
from nas_core.agent import UNIFORM, Proposal, Scored
from nas_core.cli.search import finish
from nas_core.errors import UsageError
from nas_core.reward_model.coding import Coding
from nas_core.reward_model.encoding import Encoder
from nas_core.reward_model.model import RANKED, ModelConfig, RewardModel
from nas_core.reward_model.observed import Observed
from nas_core.trainer.base import Result, Status

SPACE = GridSpace(choices=3, steps=2)
ALL = [(one, other) for one in range(3) for other in range(3)]


def told(rewards, config=RANKED):
    model = RewardModel(Encoder(Coding(2, 3)), config)
    for actions, reward in rewards:
        model.add(actions, reward)
    return model


def scored(trial, actions, score, fresh=True):
    proposal = Proposal(trial, SPACE.spec(actions), actions)
    result = Result(Status.DIVERGED) if score is None else Result(Status.OK, score)
    return Scored(proposal, 0.0 if score is None else score, result, fresh)


def test_only_the_order_of_rewards_counts_unless_ranks_are_off():
    near = [((0, 0), 0.1), ((0, 1), 0.2), ((1, 0), 0.3)]
    far = [((0, 0), 0.1), ((0, 1), 0.2), ((1, 0), 9.0)]
    np.testing.assert_array_equal(told(near).expected(ALL), told(far).expected(ALL))
    plain = ModelConfig(ranks=False)
    assert not np.allclose(told(near, plain).expected(ALL), told(far, plain).expected(ALL))
    np.testing.assert_allclose(told(near, plain).targets(), [-(1.5**0.5), 0, 1.5**0.5], atol=1e-12)


def test_an_effect_carries_over_to_what_was_never_tried():
    # The first decision decides: 2 is best, whatever follows.
    model = told([((a, b), 0.1 * a) for a in range(3) for b in range(2)])
    expected = dict(zip(ALL, model.expected(ALL), strict=True))
    assert expected[2, 2] > expected[1, 2] > expected[0, 2]


def test_the_mean_of_repeats_counts_as_one_observation_with_less_noise():
    config = ModelConfig(noise=0.4, ranks=False)
    repeated = told([((0, 0), 1.0), ((0, 0), -1.0), ((1, 1), 2.0), ((1, 1), -2.0)], config)
    np.testing.assert_allclose(repeated.expected([(0, 0), (1, 1)]), [0, 0], atol=1e-12)


def test_the_noise_is_chosen_by_what_repeats_say():
    rng = np.random.default_rng(0)
    silent = told([(actions, sum(actions)) for actions in 3 * ALL])
    noisy = told([(actions, rng.random()) for actions in 3 * ALL])
    assert silent.noise == 0.01
    assert noisy.noise == 1.0
    assert told([((0, 0), 0.1)], ModelConfig(noise=0.2)).noise == 0.2


def test_equal_rewards_say_nothing():
    assert told([]).knows_nothing
    assert told([(actions, 0.5) for actions in ALL]).knows_nothing
    assert not told([((0, 0), 0.5), ((0, 1), 0.6)]).knows_nothing


def test_a_noise_of_nothing_is_refused():
    with pytest.raises(UsageError, match="noise"):
        ModelConfig(noise=0.0)


def test_a_failed_child_counts_but_is_never_recommended():
    observed = Observed(SPACE, ModelConfig())
    assert observed.recommend() is None
    observed.observe([scored(0, (0, 0), None)])
    assert observed.recommend() is None
    observed.observe([scored(1, (1, 1), 0.2), scored(2, (2, 2), 0.7)])
    assert observed.recommend() == 2
    assert (0, 0) in observed


def test_a_credited_repeat_is_no_news():
    one, other = (Observed(SPACE, ModelConfig(noise=0.3)) for _ in range(2))
    for observed in (one, other):
        observed.observe([scored(0, (0, 0), 0.2), scored(1, (1, 1), 0.7)])
    other.observe([scored(2, (1, 1), 0.7, fresh=False)])
    np.testing.assert_array_equal(one.model.expected(ALL), other.model.expected(ALL))


def test_a_lucky_draw_is_not_recommended():
    # (2, 2) was lucky once; its repeats were not. (1, 1) is good every time.
    observed = Observed(SPACE, ModelConfig())
    rewards = [((2, 2), 0.9), ((2, 2), 0.1), ((2, 2), 0.15), *[((1, 1), 0.6)] * 3, ((0, 0), 0.05)]
    observed.observe([scored(trial, *item) for trial, item in enumerate(rewards)])
    assert observed.recommend() == 3


@pytest.mark.parametrize(
    ("scores", "fresh", "again"),
    [
        ([0.5, 0.5, 0.5], True, True),  # two equal repeats may be chance
        ([0.5, 0.5, 0.5, 0.5], True, False),
        ([0.5, 0.5], False, False),  # a credited result is never news
        ([0.5, 0.6, 0.5, 0.5, 0.5, 0.5], True, True),
    ],
)
def test_a_network_is_proposed_again_while_that_tells_something(scores, fresh, again):
    observed, known = Observed(SPACE, ModelConfig()), (1, 1)
    for trial, score in enumerate(scores):
        observed.observe([scored(trial, known, score, fresh or trial == 0)])
    chosen = observed.first_new([known], np.random.default_rng(0))
    assert (chosen == known) is again


def test_what_is_in_flight_is_not_proposed_again():
    observed = Observed(SPACE, ModelConfig())
    observed.propose(Proposal(0, SPACE.spec((1, 1)), (1, 1)))
    assert observed.first_new([(1, 1)], np.random.default_rng(0)) != (1, 1)
    assert observed.first_new([(1, 1), (0, 2)], np.random.default_rng(0)) == (0, 2)


class FlatTrainer:
    """Scores every architecture alike."""

    name = "flat"

    def score(self, spec, job):
        return Result(Status.OK, 0.5)

    def config(self):
        return {}


def test_a_search_without_any_difference_says_that_it_was_uniform(tmp_path, capsys):
    options = {"agent": "reinforce-model", "trials": 12, "executor": "inline", "control": None}
    found = nas_core.api.search(
        "metaqnn", None, trainer=FlatTrainer(), run=tmp_path / "r", **options
    )
    assert found.summary[UNIFORM]
    finish(found, json=False)
    assert "nothing to learn: proposals were uniform" in capsys.readouterr().out
    other = nas_core.api.search("metaqnn", None, trainer="mock", run=tmp_path / "s", **options)
    assert UNIFORM not in other.summary
