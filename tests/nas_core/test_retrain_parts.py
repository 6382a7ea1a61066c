"""Retraining for another data set: the classifier follows its number of classes."""

from nas_core.retrain import HAND_MADE, for_classes
from nas_core.spec import ChainSpec
from nas_net_architecture.network import nasnet_like_small


def test_chains_and_cells_get_the_data_sets_classes():
    chain = for_classes(ChainSpec.from_text(HAND_MADE), 7)
    assert chain.to_text().endswith("SM(7)]")
    cells = for_classes(nasnet_like_small(), 7)
    assert cells.classes == 7
    assert cells.normal == nasnet_like_small().normal
