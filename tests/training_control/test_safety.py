"""What is rolled back and what starts afresh, for one training and for several."""

import numpy as np

from training_control.safety import starts_afresh, went_wrong


def test_several_are_judged_as_each_alone() -> None:
    first, before = np.array([1.0, 1.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.001, 2.0])
    after = np.array([0.76, 0.74, 0.08, np.nan])
    found = went_wrong(first, before, after)
    assert found.tolist() == [True, False, True, True]
    alone = [bool(went_wrong(*row)) for row in zip(first, before, after, strict=True)]
    assert alone == found.tolist()


def test_early_cuts_without_success_start_afresh() -> None:
    assert starts_afresh(True, 0.1, 1.0, 0.95)
    assert not starts_afresh(False, 0.1, 1.0, 0.95)
    assert not starts_afresh(True, 0.25, 1.0, 0.95)  # too late
    assert not starts_afresh(True, 0.1, 1.0, 0.89)  # something is learned
    yes, now = np.ones(2, bool), np.array([0.95, 0.8])
    assert starts_afresh(yes, np.zeros(2), np.ones(2), now).tolist() == [True, False]
