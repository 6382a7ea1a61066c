"""Changes of pictures, against NumPy."""

import numpy as np
import pytest

from nas_core.seeding import generator
from nas_core.trainer.augmentation import change_images, draw_changes

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def changed(kind, changes, images=IMAGES):
    return np.asarray(change_images(kind, images, np.asarray(changes, np.int32)))


def by_numpy(image, mirror, down, right, turns):
    """Turn, then mirror, then shift with a reflected border."""
    image = np.rot90(image, turns)
    image = image[:, ::-1] if mirror else image
    height, width, _ = image.shape
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="reflect")
    return padded[3 - down : 3 - down + height, 3 - right : 3 - right + width]


def test_none_changes_nothing():
    changes = draw_changes("none", 6, (8, 8, 3), generator(0, "x"))
    assert not changes.any()
    assert (changed("none", changes) == IMAGES).all()


@pytest.mark.parametrize("kind", ["mirror", "full", "leaf"])
def test_mirror(kind):
    changes = np.zeros((6, 4), np.int32)
    changes[[1, 4], 0] = 1
    got = changed(kind, changes)
    assert (got[[1, 4]] == IMAGES[[1, 4], :, ::-1]).all()
    assert (got[[0, 2, 3, 5]] == IMAGES[[0, 2, 3, 5]]).all()
    assert got.dtype == np.uint8


def test_all_changes_together():
    changes = [
        [1, 2, -1, 0], [0, -3, 3, 1], [1, 0, 0, 2], [0, 0, 0, 3], [1, 1, 1, 3], [1, -2, 2, 1],
    ]  # fmt: skip
    got = changed("leaf", changes)
    for image, row, result in zip(IMAGES, changes, got, strict=True):
        assert (result == by_numpy(image, *row)).all(), row


def test_images_that_are_not_square():
    images = np.random.default_rng(1).integers(0, 256, (2, 6, 9, 1), dtype=np.uint8)
    changes = draw_changes("leaf", 500, (6, 9, 1), generator(3, "x"))
    assert set(changes[:, 3]) == {0, 2}
    got = changed("leaf", [[0, 0, 0, 2], [0, 0, 1, 0]], images)
    assert (got[0] == images[0, ::-1, ::-1]).all()
    assert (got[1, :, 1:] == images[1, :, :-1]).all()


def test_draws_are_repeatable_and_cover_their_range():
    first = draw_changes("leaf", 400, (16, 32, 3), generator(7, "x"))
    again = draw_changes("leaf", 400, (16, 32, 3), generator(7, "x"))
    other = draw_changes("leaf", 400, (16, 32, 3), generator(8, "x"))
    assert (first == again).all()
    assert (first != other).any()
    assert set(first[:, 0]) == {0, 1}
    assert (first[:, 1].min(), first[:, 1].max()) == (-2, 2)
    assert (first[:, 2].min(), first[:, 2].max()) == (-4, 4)
    square = draw_changes("leaf", 400, (8, 8, 3), generator(7, "x"))
    assert set(square[:, 3]) == {0, 1, 2, 3}
