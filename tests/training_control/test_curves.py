"""Pictures show what was changed, and end where the training ends."""

import pytest

from nas_core.errors import UsageError
from training_control.curves import Curve, draw, draw_rates, varied


def curve(name: str, **values: list) -> Curve:
    known = {"learning_rate": [1e-3, 1e-3], "dropout": [0.5, 0.5], "optimizer": ["adam", "adam"]}
    return Curve(name, [2.0, 1.0, None], [1.5, None], known | values, 5.0, 2)


def test_panels_are_the_rate_and_what_somebody_has_changed():
    assert varied([curve("a")]) == ["learning_rate"]
    assert varied([curve("a"), curve("b", optimizer=["adam", "sgd"], dropout=[0.5, 0.4])]) == [
        "learning_rate",
        "dropout",
        "optimizer",
    ]


def test_pictures_are_written(tmp_path):
    curves = [curve("a", dropout=[0.5, 0.4]), curve("b", optimizer=["adam", "sgd"])]
    draw(curves, "title", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert all(word in text for word in ("title", "validation loss", "learning rate", "dropout"))
    draw_rates({"a": {1e-3: [0.5, 0.7], 1.0: [0.1]}}, "rates", tmp_path / "b.svg")
    assert "initial learning rate" in (tmp_path / "b.svg").read_text()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another place"):
        draw([curve("a")], "title", tmp_path / "file" / "a.png")
