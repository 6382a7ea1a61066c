"""Importing folders and zips of image files, good and bad."""

import shutil
import struct
import zlib

import numpy as np
import pytest
from picture_files import encoded, make_folder, picture
from PIL import Image

from nas_core.datasets import import_dataset, load_split
from nas_core.datasets.decoding import RefusedImage, decode_image
from nas_core.errors import DataError, UsageError


def test_folder_becomes_a_stratified_data_set(tmp_path):
    report = import_dataset(make_folder(tmp_path / "in"), tmp_path / "out", image_size=32)
    info = report.info
    assert info.classes == ("cat", "dog")
    assert info.image_shape == (32, 32, 3)
    assert info.counts == {"train": 28, "validation": 6, "test": 6}
    for name in ("train", "validation"):
        labels = load_split(info, name).labels
        assert np.bincount(labels).tolist() == [len(labels) // 2] * 2
    assert report.found == 40
    assert report.dropped == {}
    assert "40 images 32x32x3, 2 classes (28 train, 6 validation, 6 test)" in report.lines()[0]


def test_same_seed_divides_alike_and_another_seed_does_not(tmp_path):
    folder = make_folder(tmp_path / "in")
    digests = [
        import_dataset(folder, tmp_path / f"out{number}", seed=seed).info.digest
        for number, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".JPG"), ("BMP", ".bmp"), ("WEBP", ".webp"), ("PNG", ".png")]
)
def test_every_accepted_format_is_read(tmp_path, kind, suffix):
    report = import_dataset(
        make_folder(tmp_path / "in", count=4, kind=kind, suffix=suffix), tmp_path / "out"
    )
    assert report.found == 8
    assert report.info.image_shape == (64, 64, 3)


def test_split_folders_are_kept_and_the_missing_one_is_carved(tmp_path):
    root = tmp_path / "in"
    make_folder(root / "train", count=20)
    make_folder(root / "Test", classes=("dog", "cat"), count=5)
    info = import_dataset(root, tmp_path / "out").info
    assert info.classes == ("cat", "dog")
    assert info.counts == {"train": 32, "validation": 8, "test": 10}


def test_hidden_and_foreign_files_are_ignored_or_reported(tmp_path):
    root = make_folder(tmp_path / "in", count=5)
    (root / ".DS_Store").write_bytes(b"x")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "a.png").write_bytes(b"x")
    (root / "cat" / ".hidden.png").write_bytes(b"x")
    (root / "cat" / "notes.txt").write_text("x")
    (root / "loose.png").write_bytes(b"x")
    report = import_dataset(root, tmp_path / "out")
    assert report.info.classes == ("cat", "dog")
    assert report.dropped == {
        "not a PNG, JPEG, BMP or WEBP file": {"count": 1, "examples": ["cat/notes.txt"]},
        "not in a class folder": {"count": 1, "examples": ["loose.png"]},
    }
    assert any("dropped 1: not in a class folder (loose.png)" in line for line in report.lines())


def test_unreadable_images_are_dropped_and_named(tmp_path):
    root = make_folder(tmp_path / "in", count=8)
    (root / "cat" / "000.png").write_bytes(b"not an image")
    whole = (root / "dog" / "001.png").read_bytes()
    (root / "dog" / "001.png").write_bytes(whole[: len(whole) // 2])
    report = import_dataset(root, tmp_path / "out")
    entry = report.dropped["cannot be read as PNG, JPEG, BMP or WEBP"]
    assert entry == {"count": 2, "examples": ["cat/000.png", "dog/001.png"]}
    assert sum(report.info.counts.values()) == 14


def test_names_from_strange_file_systems_are_reported_safely(tmp_path):
    root = make_folder(tmp_path / "in", count=5)
    (root / "cat" / "a\nb\x1b[31m\udcff.png").write_bytes(b"broken")
    report = import_dataset(root, tmp_path / "out")
    line = next(line for line in report.lines() if line.startswith("dropped"))
    assert "cat/a?b?[31m?.png" in line
    line.encode()


def test_mostly_unreadable_images_stop_the_import(tmp_path):
    root = make_folder(tmp_path / "in", count=4)
    for path in [*root.glob("cat/*.png"), *root.glob("dog/000.png")]:
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="received 5 of 8"):
        import_dataset(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_emptied_class_stops_the_import(tmp_path):
    root = make_folder(tmp_path / "in", classes=("cat", "dog", "owl"), count=6)
    for path in root.glob("owl/*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="class 'owl'"):
        import_dataset(root, tmp_path / "out")


def test_empty_folder_one_class_and_missing_source(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="received no image"):
        import_dataset(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DataError, match="only the class 'cat'"):
        import_dataset(make_folder(tmp_path / "one", classes=("cat",)), tmp_path / "out")
    with pytest.raises(DataError, match="does not exist"):
        import_dataset(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "file.tar").write_bytes(b"x")
    with pytest.raises(DataError, match=r"file\.tar"):
        import_dataset(tmp_path / "file.tar", tmp_path / "out")


def test_too_few_images_to_split(tmp_path):
    with pytest.raises(DataError, match="at least 3 different examples"):
        import_dataset(make_folder(tmp_path / "in", count=2), tmp_path / "out")
    info = import_dataset(make_folder(tmp_path / "three", count=3), tmp_path / "enough").info
    assert info.counts == {"train": 2, "validation": 2, "test": 2}


def test_existing_output_and_bad_size_are_refused(tmp_path):
    root = make_folder(tmp_path / "in", count=3)
    with pytest.raises(DataError, match="exists"):
        import_dataset(root, tmp_path)
    with pytest.raises(UsageError, match="image size"):
        import_dataset(root, tmp_path / "out", image_size=4)


def huge_png(side):
    """A PNG of a few bytes that claims side x side pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_001, 10_000, 60_000])
def test_huge_image_is_refused_before_it_is_decoded(tmp_path, side):
    root = make_folder(tmp_path / "in", count=5)
    (root / "cat" / "bomb.png").write_bytes(huge_png(side))
    report = import_dataset(root, tmp_path / "out")
    assert report.dropped["more than 64 million pixels"]["examples"] == ["cat/bomb.png"]


def test_exif_rotation_is_applied():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20] = 255  # white above black
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: display it 90 degrees clockwise
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif)
    upright = decode_image(data, 16)
    assert upright[8, 14].tolist() == [255, 255, 255]
    assert upright[8, 1].tolist() == [0, 0, 0]


def test_centre_square_is_cropped():
    pixels = np.zeros((30, 90, 3), np.uint8)
    pixels[:, 30:60] = 200
    assert (decode_image(encoded(Image.fromarray(pixels)), 16) == 200).all()


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("L", 90, (90, 90, 90)), ("RGBA", (10, 20, 30, 0), (255, 255, 255)), ("1", 1, (255,) * 3)],
)
def test_other_modes_become_rgb(mode, value, expected):
    image = decode_image(encoded(Image.new(mode, (20, 20), value)), 8)
    assert image.shape == (8, 8, 3)
    assert tuple(image[4, 4].tolist()) == expected


def test_sixteen_bit_gray_is_scaled_not_clipped():
    deep = Image.fromarray(np.full((20, 20), 0x8000, np.uint16))
    assert decode_image(encoded(deep), 8)[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM"])
def test_other_formats_are_refused_whatever_their_name(kind):
    with pytest.raises(RefusedImage):
        decode_image(encoded(picture(1), kind), 16)


def test_copies_stay_on_one_side_and_two_labels_are_dropped(tmp_path):
    root = make_folder(tmp_path / "in", count=20)
    for turn in range(4):  # turned and mirrored near-copies of one cat
        picture(5).rotate(90 * turn).save(root / "cat" / f"copy{turn}.jpg", quality=90)
    shutil.copy(root / "cat" / "001.png", root / "dog" / "same.png")
    report = import_dataset(root, tmp_path / "out", image_size=32)
    assert report.dropped["the same picture carries two labels"] == {
        "count": 2,
        "examples": ["cat/001.png", "dog/same.png"],
    }
    assert any("5 images in 1 groups of duplicates" in note for note in report.notes)
    assert sum(report.info.counts.values()) == 43
