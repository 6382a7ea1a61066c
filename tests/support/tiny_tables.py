"""Published tables in small: complete, with numbers that a test can foresee."""

import json

import numpy as np

from nas_core.tables.published import NASBENCH201, NASBENCH_MACRO
from nas_core.tables.space import Decision, Notation, TableSpace

DECISIONS = (
    Decision("layer 1", ("conv3", "conv5", "pool")),
    Decision("layer 2", ("conv3", "skip")),
)
SPACE = TableSpace("table", DECISIONS, Notation("{} {}"))
CODES = [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
VALIDATION = [0.5, 0.6, 0.7, 0.8, 0.9, 0.4]  # best: pool conv3
TEST = [10.0, 20.0, 30.0, 40.0, 15.0, 5.0]  # best: conv5 skip, which a search must not know


def own_arrays(**changes):
    arrays = {
        "decisions": np.array([decision.name for decision in DECISIONS]),
        "choices": np.array([["conv3", "conv5", "pool"], ["conv3", "skip", ""]]),
        "rows": np.array(CODES),
        "val": np.array(VALIDATION),
        "test": np.array(TEST),
        "hours": np.arange(6.0),
    }
    arrays.update(changes)
    return {name: value for name, value in arrays.items() if value is not None}


def own_npz(path, **changes):
    np.savez(path, **own_arrays(**changes))
    return path


def own_json(path, **changes):
    value = {
        "decisions": [decision.name for decision in DECISIONS],
        "choices": [list(decision.choices) for decision in DECISIONS],
        "rows": CODES,
        "columns": {"val": VALIDATION, "test": TEST},
        **changes,
    }
    path.write_text(json.dumps(value))
    return path


def macro_arrays(spread=0.5):
    """Three draws around a mean that grows with the codes: the best is 22222222."""
    codes = NASBENCH_MACRO.space().codes()
    mean = 60.0 + 2.0 * codes.sum(axis=1)
    draws = mean[:, None] + spread * np.array([-1.0, 0.0, 1.0])
    params = 1000 * (1 + codes.sum(axis=1))
    return {
        "arch": codes,
        "test_acc": draws,
        "mean_acc": mean,
        "params": params,
        "flops": params * 7,
    }


def macro_npz(path, **changes):
    np.savez(path, **{**macro_arrays(), **changes})
    return path


def nb201_arrays():
    """Validation prefers 3x3 convolutions everywhere; test and other columns run against it."""
    codes = NASBENCH201.space().codes()
    good = (codes == 3).sum(axis=1) * 10.0 + (codes == 2).sum(axis=1)
    return {
        "ops": codes,
        "op_names": np.array(NASBENCH201.decisions[0].choices).astype("S"),
        "cifar10_val_acc_12ep": 20.0 + good,
        "cifar10_test_acc_200ep": 95.0 - good,
        "cifar100_test_acc_200ep": 75.0 - good,
        "svhn_val_acc": 10.0 + (codes == 0).sum(axis=1),
        "cifar10_params": 1000 + codes.sum(axis=1),
        "cifar10_mflops": 1.0 + codes.sum(axis=1),
        "hw_fpga_latency": 2.0 + codes.sum(axis=1),
    }


def nb201_npz(path, **changes):
    np.savez(path, **{**nb201_arrays(), **changes})
    return path
