"""Features of cells, counted by hand."""

from math import log2, log10

import pytest

from nas_core.cost import cost
from nas_core.spec import spec_from_json
from nas_core.trainer.features import features

# Normal: h2 = sep3(h1) + identity(h0); h3 = avg3(h2) + sep5(h2). Joined: h3.
# Reduction: h2 = identity(h1) + max3(h1); h3 = sep3(h0) + identity(h1). Joined: h2, h3.
SPEC = {
    "type": "cell",
    "normal": {"blocks": [[1, 0, "sep3", "identity", "add"], [2, 2, "avg3", "sep5", "add"]],
               "concat": None},
    "reduction": {"blocks": [[1, 1, "identity", "max3", "add"], [0, 1, "sep3", "identity", "add"]],
                  "concat": None},
    "repeats": [1, 1], "filters": 8, "classes": 4, "stem": "cifar", "stem_multiplier": 1,
    "skip_reduction": False, "auxiliary_head": False, "dropout": 0.0, "drop_path_keep": 1.0,
    "batch_norm_momentum": 0.9,
}  # fmt: skip


def test_a_cell_counted_by_hand():
    spec = spec_from_json(SPEC)
    found, figures = features(spec, (32, 32, 3))
    assert figures == cost(spec, (32, 32, 3))
    normal = {"weighted": 2, "identity": 1, "outputs": 1, "nearer": 1, "shortest": 0}
    reduction = {"weighted": 1, "identity": 2, "outputs": 2, "nearer": 3, "shortest": 0}
    normals, reductions = sum(spec.stacks), len(spec.stacks) - 1
    # Longest: sep3 and sep5 (2 weighted, 2 + 4 pixels); sep3 (1, 2), at twice the distance.
    assert found == pytest.approx({
        "depth": 2 * normals + 1 * reductions,
        "field": log2(1 + 6 * normals + 2 * 2 * reductions),
        **{f"normal {name}": value for name, value in normal.items()},
        **{f"reduction {name}": value for name, value in reduction.items()},
        "parameters": log10(figures.parameters), "macs": log10(figures.macs),
    })  # fmt: skip
