"""Near-duplicates: every orientation is found, strangers are not, groups join, limits hold."""

import numpy as np
import pytest
from picture_files import picture

from nas_core.datasets import duplicates
from nas_core.datasets.duplicates import exact_pairs, find_duplicates, groups
from nas_core.datasets.pool import Dropped, Pool
from nas_core.datasets.splitting import divide
from nas_core.errors import DataError


def strangers(count, first=0):
    return np.stack([np.asarray(picture(first + number, 32)) for number in range(count)])


ORIENTATIONS = [(turn, mirror) for turn in range(4) for mirror in (False, True)]


@pytest.mark.parametrize(("turn", "mirror"), ORIENTATIONS)
def test_a_turned_or_mirrored_copy_is_found(turn, mirror):
    images = strangers(30)
    copy = np.rot90(images[4], turn)
    copy = copy[:, ::-1] if mirror else copy
    grain = np.random.default_rng(0).integers(-2, 3, copy.shape)
    images[20] = np.clip(copy.astype(int) + grain, 0, 255)
    pairs = find_duplicates(images).pairs
    assert pairs[:, :2].tolist() == [[4, 20]]
    assert pairs[0, 2] == ((turn, mirror) == (0, False))


def test_strangers_and_flat_pictures_are_not_duplicates():
    images = np.concatenate([strangers(60), np.zeros((1, 32, 32, 3)), np.full((1, 32, 32, 3), 9)])
    assert find_duplicates(images.astype(np.uint8)).pairs.shape == (0, 3)


def test_grayscale_and_odd_sizes_are_handled():
    images = strangers(10)[:, :28, :21, :1]
    images[3] = images[8]
    assert find_duplicates(images).pairs.tolist() == [[3, 8, 1]]


def test_colour_alone_tells_pictures_apart():
    image = strangers(1)[0]
    assert find_duplicates(np.stack([image, image[..., [1, 2, 0]]])).pairs.shape == (0, 3)


def test_the_quick_rejection_loses_no_pair():
    images = strangers(40)
    draws = np.random.default_rng(5)
    for number in range(10):  # near-copies with ever more noise, around the threshold
        noise = draws.normal(0, 4 * (number + 1), images[0].shape)
        images[20 + number] = np.clip(np.rot90(images[number].astype(float) + noise), 0, 255)
    grid = duplicates._normalise(duplicates._thumbnails(images))
    found = {tuple(pair[:2]) for pair in find_duplicates(images).pairs.tolist()}
    expected = {
        (i, j)
        for i in range(40)
        for j in range(i + 1, 40)
        if max(np.sum(grid[i] * other) for other in duplicates._orientations(grid[j : j + 1]))
        > 0.98
    }
    assert found == expected
    assert len(found) >= 5


def test_exact_copies_name_the_first():
    images = strangers(5)
    images[2] = images[4] = images[1]
    assert exact_pairs(images).tolist() == [[1, 2, 1], [1, 4, 1]]


def test_groups_join_chains():
    pairs = np.array([[3, 5, 0], [1, 3, 0], [6, 7, 0]])
    assert groups(8, pairs).tolist() == [0, 1, 2, 1, 4, 1, 6, 6]
    assert groups(3, np.zeros((0, 3), int)).tolist() == [0, 1, 2]
    chain = np.array([[i, i + 1, 0] for i in range(499)])
    assert set(groups(500, chain).tolist()) == {0}


def test_too_many_images_or_pairs_leave_exact_copies(monkeypatch):
    images = strangers(12)
    images[5] = np.rot90(images[1])
    images[6] = images[2]
    monkeypatch.setattr(duplicates, "MOST_IMAGES", 11)
    found = find_duplicates(images)
    assert (found.near, found.pairs.tolist()) == (False, [[2, 6, 1]])
    monkeypatch.setattr(duplicates, "MOST_IMAGES", 12)
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 0)
    found = find_duplicates(images)
    assert (found.near, found.pairs.tolist()) == (False, [[2, 6, 1]])


def pool_of(images, labels, classes=("a", "b"), split=None):
    names = [str(number) for number in range(len(images))]
    return Pool(images, np.asarray(labels), classes, names, split)


def sides(divided, images):
    """Return the split of every image."""
    place = {
        image.tobytes(): name for name, split in divided.splits.items() for image in split.images
    }
    return [place[image.tobytes()] for image in images]


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle_the_split(seed):
    images = strangers(60)
    for number in range(10):
        images[50 + number] = np.rot90(images[number])
    labels = np.arange(60) % 2
    divided = divide(pool_of(images, labels), seed, Dropped())
    where = sides(divided, images)
    assert where[:10] == where[50:]
    sizes = {name: len(split.labels) for name, split in divided.splits.items()}
    assert abs(sizes["test"] - 9) <= 1 and abs(sizes["validation"] - 9) <= 1


def test_pictures_alike_by_nature_are_still_divided():
    base = strangers(1)[0].astype(int)
    draws = np.random.default_rng(0)
    images = np.stack(
        [np.clip(base + draws.integers(-20, 21, base.shape), 0, 255) for _ in range(80)]
    )
    divided = divide(pool_of(images.astype(np.uint8), np.arange(80) % 2), 0, Dropped())
    assert [len(split.labels) for split in divided.splits.values()] == [56, 12, 12]
    assert any("too alike by nature" in note for note in divided.notes)


def test_class_of_copies_alone_cannot_be_divided():
    images = strangers(20)
    images[1::2] = images[1]
    with pytest.raises(DataError, match="different examples"):
        divide(pool_of(images, np.arange(20) % 2), 0, Dropped())


def test_every_image_under_two_labels_is_an_error():
    images = np.concatenate([strangers(6), strangers(6)])
    dropped = Dropped()
    with pytest.raises(DataError, match="different examples"):
        divide(pool_of(images, np.repeat([0, 1], 6)), 0, dropped)
    assert dropped.counts == {"the same picture carries two labels": 12}
