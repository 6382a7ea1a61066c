"""Scores worked by hand, and the checks of a task's arrays."""

import math

import numpy as np
import pytest

from nas_core.errors import DataError
from training_control.data import Examples, TrainingData, assembled
from training_control.metrics import accuracy, classification, f1, regression

LABELS = np.array([0, 0, 1, 1, 1])
SAID = np.array([0, 1, 1, 1, 0])


def test_accuracy_and_f1_of_two_classes_count_the_second():
    assert accuracy(LABELS, SAID) == pytest.approx(3 / 5)
    assert f1(LABELS, SAID, 2) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert f1(np.array([0, 0]), np.array([0, 0]), 2) == 0.0


def test_f1_of_more_classes_is_their_mean():
    labels, said = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    # Class 0: 2*1/(2+1+1); class 1: 2*1/(2+1+0); class 2: 0; class 3 is nowhere.
    assert f1(labels, said, 4) == pytest.approx((1 / 2 + 2 / 3 + 0.0) / 3)


def test_a_classifier_whose_outputs_are_not_finite_has_an_infinite_loss():
    logits = np.array([[2.0, 1.0], [0.0, 3.0]])
    good = classification(0.25, logits, np.array([0, 1]))
    assert (good.loss, good.score, good.metrics["f1"]) == (0.25, 1.0, 1.0)
    logits[0, 0] = np.nan
    assert classification(0.25, logits, np.array([0, 1])).loss == math.inf


def test_a_regression_by_hand():
    outputs, targets = np.array([[1.0], [2.0], [5.0]]), np.array([1.0, 2.0, 3.0])
    found = regression(outputs, targets)
    assert found.loss == found.metrics["mse"] == pytest.approx(4 / 3)
    assert found.metrics["r2"] == pytest.approx(1.0 - (4 / 3) / (2 / 3))
    assert found.score == 0.0  # worse than the mean
    huge = regression(np.full((3, 1), np.float32(3e38)), targets)
    assert math.isfinite(huge.loss)
    lost = regression(np.full((3, 1), np.nan), targets)
    assert (lost.loss, lost.score) == (math.inf, None)


def examples(count=4, width=2, high=2):
    labels = (np.arange(count) % high).astype(np.int32)
    return Examples(np.zeros((count, width), np.float32), labels)


@pytest.mark.parametrize(
    ("parts", "classes", "message"),
    [
        ((examples(), examples(0), examples()), 2, "target for each of the validation inputs"),
        ((examples(), examples(width=3), examples()), 2, r"of shape \[2\], received \[3\]"),
        ((examples(), examples(), examples(high=3)), 2, "labels from 0 to 1 in the test split"),
        (
            (Examples(np.full((4, 2), np.nan), examples().targets), examples(), examples()),
            2,
            "NaN or infinity: fill in missing",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(parts, classes, message):
    with pytest.raises(DataError, match=message):
        assembled(parts, classes)


def test_splits_keep_their_order():
    parts = [examples(n) for n in (4, 5, 6)]
    made = assembled(parts, 2, 7)
    assert isinstance(made, TrainingData)
    assert [len(split) for split in (made.train, made.validation, made.test)] == [4, 5, 6]
    assert made.vocabulary == 7
