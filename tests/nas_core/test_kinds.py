"""What depends on the kind of data, and one line where kinds are mixed up."""

import pytest

from nas_core.cost import cost
from nas_core.errors import UsageError
from nas_core.kinds import IMAGE, KINDS, TEXT, check_kind, check_recipe, kind_of
from nas_core.retraining.candidates import for_classes
from nas_core.spec import ChainSpec
from nas_core.trainer.base import Job, Status
from nas_core.trainer.mock import MockTrainer
from nas_net_architecture.network import nasnet_like_small


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_hand_made_networks_fit_their_data(kind):
    spec = ChainSpec.from_text(kind.hand_made)
    assert kind_of(spec) == kind.name
    found = cost(for_classes(spec, kind.mock_classes, kind.mock_words), kind.mock_shape)
    assert found.shapes[-1] == (kind.mock_classes,)
    check_recipe(kind.name, kind.final)


def test_classes_and_words_follow_the_data():
    spec = for_classes(ChainSpec.from_text(TEXT.hand_made), 5, 321)
    assert spec.to_text().startswith("[E(321,64), ")
    assert spec.to_text().endswith("SM(5)]")
    image = ChainSpec.from_text(IMAGE.hand_made)
    assert for_classes(image, 2, 321) == image


def test_cells_read_images():
    assert kind_of(nasnet_like_small()) == "image"


def test_the_mock_scores_texts_of_every_form():
    trainer = MockTrainer(TEXT.mock_shape, TEXT.mock_classes, noise=0.0)
    texts = ("[E(8000,16), GAP, SM(2)]", "[E(8000,16), P(48x1,48x1), SM(2)]",
             "[E(8000,16), BLSTM(32), SM(2)]", "[E(8000,64), C(64,5x1,1), P(4x1,4x1), GRU(9), SM(2)]")  # fmt: skip
    results = [trainer.score(ChainSpec.from_text(text), Job(0, 0)) for text in texts]
    assert {result.status for result in results} == {Status.OK}
    assert all(0.5 <= result.score <= 1.0 for result in results)
    assert len({result.score for result in results}) > 1


def test_mixed_kinds_are_one_line():
    check_kind("text", "text", "x")
    for wanted, received in (("text", "image"), ("image", "text")):
        with pytest.raises(UsageError, match=f"expected a data set of {wanted}s") as caught:
            check_kind(wanted, received, "data/mine")
        assert f"data/mine, which holds {received}s" in str(caught.value)


def test_texts_are_not_changed_like_pictures():
    for changes in ({"image_size": 32}, {"augmentation": "mirror"}):
        with pytest.raises(UsageError, match="recipe for texts"):
            check_recipe("text", TEXT.final.changed(changes))
    check_recipe("image", IMAGE.final)
