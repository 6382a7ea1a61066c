"""The Gymnasium environment: Gymnasium's own check, masks and rewards."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from small_spaces import GridSpace, GridTrainer, grid_score

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.env import ArchitectureEnv
from nas_core.errors import UsageError
from nas_net_architecture.text_config import QUICK_TEXT
from nas_net_architecture.text_space import TextSpace

SPACES = [
    GridSpace(5, 3),
    MetaQNNSpace(QUICK_SPACE, (32, 32, 3), 10),
    TextSpace(QUICK_TEXT, (48, 1, 1), 2, 8000),
]


class LengthTrainer:
    """Scores a network by its number of layers."""

    name = "length"

    def score(self, spec, job):
        from nas_core.trainer.base import Result, Status

        return Result(Status.OK, score=len(spec.layers) / 100)

    def config(self):
        return {}


@pytest.mark.parametrize("space", SPACES, ids=["grid", "metaqnn", "text"])
def test_gymnasiums_check_passes_without_a_warning(space):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(
            ArchitectureEnv(space, LengthTrainer(), render_mode="ansi"), skip_render_check=True
        )


def test_an_episode_ends_with_the_trainers_score():
    env = ArchitectureEnv(GridSpace(5, 3), GridTrainer(), render_mode="ansi")
    observation, info = env.reset(seed=0)
    assert observation.tolist() == [-1, -1, -1]
    assert info["action_mask"].tolist() == [1] * 5
    assert env.step(np.int64(4))[1:4] == (0.0, False, False)
    assert env.step(np.int64(0))[1:4] == (0.0, False, False)
    observation, reward, terminated, truncated, info = env.step(np.int64(3))
    assert (reward, terminated, truncated) == (grid_score((4, 0, 3)), True, False)
    assert observation.tolist() == [4, 0, 3]
    assert info["status"] == "ok"
    assert info["text"] == "[C(5,1,1), C(1,1,1), C(4,1,1), GAP, SM(2)]"
    assert env.render() == "4 0 3"


def test_a_failed_child_gives_the_penalty():
    env = ArchitectureEnv(GridSpace(5, 1), GridTrainer(fails=2), penalty=-0.5)
    env.reset()
    assert env.step(np.int64(2))[1] == -0.5


def test_masked_sampling_never_meets_an_illegal_action():
    space = SPACES[1]
    env = ArchitectureEnv(space, LengthTrainer(), penalty=-1.0)
    env.action_space.seed(0)
    for _ in range(50):
        _, info = env.reset()
        done = False
        while not done:
            action = env.action_space.sample(info["action_mask"])
            _, reward, done, _, info = env.step(action)
            assert reward >= 0.0


def test_an_illegal_action_changes_nothing_and_costs_the_penalty():
    env = ArchitectureEnv(SPACES[1], LengthTrainer(), penalty=-1.0)
    before, info = env.reset()
    illegal = int(np.flatnonzero(info["action_mask"] == 0)[0])
    after, reward, terminated, _, _ = env.step(np.int64(illegal))
    assert (reward, terminated, after.tolist()) == (-1.0, False, before.tolist())


def test_unknown_render_mode_is_refused():
    with pytest.raises(UsageError, match="ansi"):
        ArchitectureEnv(SPACES[0], LengthTrainer(), render_mode="human")
