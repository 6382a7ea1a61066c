"""The leaves generator: pinned bytes, whole-number mathematics, balance, and honest colours."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from nas_core.datasets import check_dataset, load_split
from nas_core.datasets.leaves import CLASSES, generate, write_leaves
from nas_core.datasets.leaves.fixed import Draws, cosine, root, sine
from nas_core.datasets.leaves.raster import fill, strokes
from nas_core.errors import DataError, UsageError

# All change only with the generator's VERSION.
FIRST_TWO_HUNDRED = "f2057a1c8366f6c4ce52bec4dfbd70a9dc74e918be762b9f75d26076ea622968"
DIGEST = "ba6816d2a20d0ad3a593c839a5cc6f847bdb42076bdca6ea24b2763d1d9683cb"
ALL = "61846186d8b1b188dfdc476c5ebb4b8af9bd9fcfee531a24cd78ac1c842514bf"


@pytest.fixture(scope="module")
def some():
    return generate(0, per_class=20)


def test_first_images_are_pinned(some):
    images, labels = some
    assert images.shape == (200, 64, 64, 3)
    assert images.dtype == np.uint8
    assert hashlib.sha256(images.tobytes()).hexdigest() == FIRST_TWO_HUNDRED
    assert labels.tolist() == list(range(10)) * 20


@pytest.mark.slow
def test_all_images_are_pinned(tmp_path):
    info = write_leaves(tmp_path / "leaves")
    assert info.counts == {"train": 2800, "validation": 600, "test": 600}
    parts = [np.load(info.path / f"{name}_images.npy") for name in info.counts]
    assert hashlib.sha256(np.concatenate(parts).tobytes()).hexdigest() == ALL
    assert info.digest == DIGEST
    assert check_dataset(info)["ok"]


def test_the_published_calibration_is_of_this_data():
    readme = (Path(__file__).resolve().parents[3] / "data" / "README.md").read_text("utf-8")
    table = readme.split("<!-- calibration: begin -->")[1].split("<!-- calibration: end -->")[0]
    assert f"`{DIGEST[:16]}`" in table


def test_fewer_images_are_the_first_of_more(some):
    images, _ = generate(0, per_class=3)
    np.testing.assert_array_equal(images, some[0][:30])


def test_seeds_differ_and_no_image_repeats(some):
    images, _ = generate(1, per_class=3)
    assert not np.array_equal(images, some[0][:30])
    assert len({image.tobytes() for image in some[0]}) == 200


def test_written_data_set_is_balanced(tmp_path):
    info = write_leaves(tmp_path / "leaves", seed=5, per_class=20)
    assert info.counts == {"train": 140, "validation": 30, "test": 30}
    assert info.classes == CLASSES
    assert len(set(CLASSES)) == 10
    for name in ("train", "validation"):
        labels = load_split(info, name).labels
        assert len(set(np.bincount(labels).tolist())) == 1
    assert "seed 5" in info.source
    with pytest.raises(DataError, match="exists"):
        write_leaves(tmp_path / "leaves")


@pytest.mark.parametrize(("seed", "per_class"), [(-1, 20), (0, 6)])
def test_bad_numbers_are_refused(tmp_path, seed, per_class):
    with pytest.raises(UsageError):
        write_leaves(tmp_path / "leaves", seed=seed, per_class=per_class)


def test_mean_colour_does_not_tell_the_species(some):
    images, labels = some
    means = images.reshape(len(images), -1, 3).mean(axis=1)
    centres = np.stack([means[labels == label].mean(axis=0) for label in range(10)])
    within = np.stack([means[labels == label].std(axis=0) for label in range(10)]).mean(axis=0)
    assert (centres.std(axis=0) < within / 2).all()


def test_sines_are_right_and_symmetric():
    angle = np.arange(4096)
    expected = np.rint(np.sin(2 * np.pi * angle / 4096) * 2**14).astype(int)
    assert np.abs(sine(angle) - expected).max() <= 1
    assert sine(np.array([0, 1024, 2048, 3072])).tolist() == [0, 16384, 0, -16384]
    assert cosine(np.array([0, 1024])).tolist() == [16384, 0]
    np.testing.assert_array_equal(sine(-angle), -sine(angle))


def test_root_is_exact():
    number = np.array([0, 1, 3, 4, 10**6 - 1, 10**6, 2**50 - 1, 2**50])
    assert root(number).tolist() == [0, 1, 1, 2, 999, 1000, 2**25 - 1, 2**25]


def test_draws_are_pinned_uniform_and_independent_of_the_batch():
    draws = Draws(0, np.arange(3))
    assert draws.integers("size", 0, 1000, 2).tolist() == [[259, 638], [487, 387], [750, 150]]
    alone = Draws(0, np.array([2])).integers("size", 0, 1000, 2)
    assert alone.tolist() == [[750, 150]]
    many = Draws(1, np.arange(2000)).integers("x", -5, 5, 20)
    counts = np.bincount(many.reshape(-1) + 5)
    assert len(counts) == 10
    assert np.abs(counts - 4000).max() < 300
    assert abs(np.corrcoef(many[:, 0], many[:, 1])[0, 1]) < 0.1
    spread = draws.spread("y", 7, 1000)
    assert spread.min() >= -7 and spread.max() <= 7


def square(x, y, side):
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    return (np.array(corners) * 256).astype(np.int64)


def test_fill_covers_whole_and_part_pixels():
    cover = fill(square(2, 3, 4)[None, None], 16)
    assert cover[0, 3:7, 2:6].tolist() == [[256] * 4] * 4
    assert cover.sum() == 16 * 256
    half = fill(square(2.5, 3, 4)[None, None], 16)
    assert half[0, 3, 2:7].tolist() == [128, 256, 256, 256, 128]


def test_fill_ignores_direction_joins_overlaps_and_cuts_at_the_edge():
    one, other = square(2, 2, 4), square(4, 4, 4)
    cover = fill(np.stack([one, other[::-1]])[None], 16)
    assert cover.max() == 256
    assert cover.sum() == 28 * 256
    assert fill(square(-2, -2, 4)[None, None], 16).sum() == 4 * 256
    assert fill(square(20, 2, 4)[None, None], 16).sum() == 0
    pair = fill(np.stack([one[None], other[None]]), 16)
    assert pair[0, 2, 2] == 256 and pair[1, 2, 2] == 0


def test_strokes_have_their_width():
    line = np.array([[[[2, 8], [14, 8]]]]) * 256
    cover = fill(strokes(line, np.full((1, 1, 2), 256)), 16)
    assert cover[0, :, 8].tolist() == [0] * 7 + [256, 256] + [0] * 7
    assert fill(strokes(line, np.zeros((1, 1, 2), int)), 16).sum() == 0
