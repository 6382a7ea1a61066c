"""The mock: repeatable, spread out, with an optimum that several right decisions lead to."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from metaqnn.config import QUICK_SPACE
from metaqnn.state_space import MetaQNNSpace
from nas_core.errors import UsageError
from nas_core.space import sample, spec_of
from nas_core.spec import Block, Cell, CellSpec, ChainSpec
from nas_core.trainer import surrogate
from nas_core.trainer.base import Job, Status
from nas_core.trainer.features import features
from nas_core.trainer.mock import MockTrainer

CHAIN = ChainSpec.from_text(
    "[C(32,3,1), P(2,2), C(64,3,1), P(2,2), C(64,3,1), P(2,2), GAP, SM(10)]"
)


def scored(text, seed=0, **options):
    return MockTrainer(**options).score(ChainSpec.from_text(text), Job(0, seed))


def random_quick_specs(count):
    space = MetaQNNSpace(QUICK_SPACE, (32, 32, 3), 10)
    return [spec_of(space, sample(space, np.random.default_rng(k))) for k in range(count)]


def test_the_same_question_has_the_same_answer():
    first, again = (MockTrainer().score(CHAIN, Job(trial, 5)) for trial in (0, 9))
    assert first == again
    assert first.status is Status.OK
    assert MockTrainer().score(CHAIN, Job(0, 6)).score != first.score
    assert MockTrainer(seed=1).score(CHAIN, Job(0, 5)).score != first.score


def test_noise_has_the_stated_deviation():
    scores = [MockTrainer(noise=0.02).score(CHAIN, Job(0, seed)).score for seed in range(400)]
    assert np.std(scores) == pytest.approx(0.02, rel=0.15)
    still = {MockTrainer(noise=0.0).score(CHAIN, Job(0, seed)).score for seed in range(5)}
    assert len(still) == 1


def test_random_architectures_differ():
    scores = [MockTrainer().score(spec, Job(0, 0)).score for spec in random_quick_specs(400)]
    assert 0.08 < np.std(scores) < 0.25
    assert np.quantile(scores, 0.99) < surrogate.fit_of(CHAIN).ceiling
    assert np.quantile(scores, 0.99) - np.median(scores) > 0.15


def test_the_shipped_fits_rank_unseen_architectures():
    found = [row for fit in surrogate.calibration().values() for row in fit.evidence]
    ranks = {row.space: row.spearman for row in found}
    assert ranks["metaqnn"] >= 0.7 and ranks["nasnet"] >= 0.65
    for row in found:
        assert row.fitted >= 150
        assert row.held_out >= 50
        assert 0.0 < row.spearman < row.retest + 0.05


def test_what_is_not_calibrated_says_so():
    assert "not calibrated for text" in surrogate.evidence_line("text")
    assert "fitted to" in surrogate.evidence_line("metaqnn")


def test_what_sees_nothing_is_worse_than_what_does():
    good = scored("[C(16,1,1), C(32,3,1), P(2,2), C(16,3,1), C(16,5,1), SM(10)]", noise=0.0).score
    for worse in ("[GAP, SM(10)]", "[C(64,1,1), GAP, SM(10)]", "[SM(10)]"):
        assert scored(worse, noise=0.0).score < good - 0.1, worse


def test_curve_seconds_and_costs():
    result = MockTrainer().score(CHAIN, Job(0, 1))
    accuracies = [epoch.val_accuracy for epoch in result.curve]
    assert result.score == max(accuracies) == accuracies[-1]
    assert accuracies[0] < accuracies[-1]
    assert result.parameters == features(CHAIN, (32, 32, 3))[1].parameters
    larger = ChainSpec.from_text("[C(128,5,1), C(128,5,1), GAP, SM(10)]")
    fit = surrogate.fit_of(CHAIN)
    constant, per_mac = fit.seconds
    assert result.seconds == pytest.approx(constant + per_mac * result.macs)
    assert MockTrainer().score(larger, Job(0, 1)).seconds > result.seconds


def test_features_by_hand():
    found, _ = features(
        ChainSpec.from_text("[C(16,3,1), P(2,2), C(64,3,1), BN, FC(8), SM(2)]"), (8, 8, 3)
    )
    # receptive field: 3, then 4 (pool), then 4 + 2 * 2 = 8 of 8 pixels
    assert found["field"] == pytest.approx(0.0)
    assert (found["depth"], found["width"], found["first"], found["last"]) == (2.0, 5.0, 4.0, 6.0)
    assert (found["map"], found["dense"], found["norm"], found["skips"]) == (2.0, 1.0, 0.5, 0.0)
    assert (found["kernel"], found["pools"], found["average"]) == (3.0, 1.0, 0.0)
    assert found["head"] == pytest.approx(math.log10(8))  # the classifier reads the dense layer


def test_terms_by_hand():
    standard = surrogate.standardised(
        np.array([3.0, 0.0]), np.array([1.0, 4.0]), np.array([1, 0.5])
    )
    np.testing.assert_allclose(standard, [2.0, -2.5])  # the second is beyond reach
    np.testing.assert_allclose(surrogate.terms(standard), [2.0, -2.5, 4.0, -5.0, 6.25])


def test_accuracy_by_hand():
    fit = surrogate.Fit(
        features=("a", "b"), mean=(1.0, 4.0), scale=(1.0, 0.5), weights=(0.5, 0.2, 0.0, 0.1, 0.16),
        offset=-0.5, ceiling=0.9, noise=0.0, curve=(1.0,), seconds=(1.0, 0.0), evidence=(),
    )  # fmt: skip
    # -0.5 + 1 - 0.5 + 0 - 0.5 + 1 = 0.5; a logistic of 0.5 is 0.62246
    expected = 0.1 + 0.8 * 0.6224593
    found = surrogate.expected_accuracy(fit, {"a": 3.0, "b": 0.0, "unused": 9.0}, classes=10)
    assert found == pytest.approx(expected)
    # a ceiling below chance is chance
    assert surrogate.expected_accuracy(fit, {"a": 3.0, "b": 0.0}, classes=1) == 1.0


def test_cells_are_scored_by_their_operations():
    def cells(name):
        normal = Cell((Block(0, 1, name, "identity"), Block(2, 0, name, "avg3")))
        return CellSpec(normal, normal, repeats=(1, 1), filters=16)

    scores = {
        name: MockTrainer(noise=0.0).score(cells(name), Job(0, 0)).score
        for name in ("sep3", "sep5", "max3", "identity")
    }
    assert len(set(scores.values())) == 4


def test_what_cannot_be_built_is_invalid():
    result = scored("[P(5,5), P(5,5), P(5,5), SM(10)]")
    assert result.status is Status.INVALID


@pytest.mark.parametrize("options", [{"classes": 1}, {"noise": -0.1}, {"noise": float("nan")}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        MockTrainer(**options)


def test_no_tensorflow():
    code = (
        "import sys\n"
        "from nas_core.spec import ChainSpec\n"
        "from nas_core.trainer.base import Job\n"
        "from nas_core.trainer.mock import MockTrainer\n"
        "MockTrainer().score(ChainSpec.from_text('[C(16,3,1), SM(10)]'), Job(0, 0))\n"
        "print('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "False"
