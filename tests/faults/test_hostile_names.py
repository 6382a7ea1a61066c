"""Names and pictures from strangers: never a path, never markup, never decoded unasked."""

import io
import json

import numpy as np
import pytest
from command_line import nas_here
from picture_files import encoded, picture
from PIL import Image

from nas_core.datasets import import_dataset, resolve
from nas_core.datasets.decoding import RefusedImage, decode_image
from nas_core.errors import NasError
from nas_core.store import RunStore

NAMES = {
    "climbing": "../../x", "NUL": "a\0b", "300 letters": "x" * 300, "emoji": "\U0001f331 leaf",
    "leading dash": "-rf", "reserved": "CON", "SQL": "'; DROP TABLE trials; --",
    "shell": "$(touch evil) `touch evil`", "newline": "a\nb", "not UTF-8": "a\udcff",
}  # fmt: skip


@pytest.mark.parametrize("name", list(NAMES))
def test_a_run_of_any_name_is_made_where_it_says_or_refused_in_one_line(tmp_path, name):
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    folder = place / NAMES[name]
    before = {path for path in tmp_path.rglob("*")}
    try:
        with RunStore.create(folder, {"name": NAMES[name]}) as store, store.transaction():
            store.add_event("named", NAMES[name])
    except NasError as error:
        assert "\n" not in str(error).replace(str(folder), "")
        assert {path for path in tmp_path.rglob("*")} == before
        return
    with RunStore.open(folder) as store:
        assert store.config == {"name": NAMES[name]}
        assert store.events()[0][1:] == ("named", NAMES[name])
    new = {path for path in tmp_path.rglob("*")} - before
    assert all(folder.resolve() in (path, *path.parents) for path in (p.resolve() for p in new))


@pytest.mark.parametrize("name", list(NAMES))
def test_a_data_set_of_any_name_is_refused_in_one_line(tmp_path, name):
    with pytest.raises(NasError) as caught:
        resolve(NAMES[name] + "-absent", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../../x", "a" * 300, "-rf"])
def test_the_command_line_tells_bad_names_in_one_line(tmp_path, name):
    for arguments in (("show", "--", name), ("report", "--", name), ("best", "--", name)):
        done = nas_here(*arguments, cwd=tmp_path, check=1)
        assert len(done.stderr.strip().splitlines()) == 1
        assert "unexpected" not in done.stderr


def test_class_names_are_labels_and_nothing_else(tmp_path):
    """A folder's name becomes a class: it is kept as it is and never used as a path."""
    names = ["<script>alert(1)</script>".replace("/", "_"), "=HYPERLINK(1)", "leaf..", "caf\u00e9"]
    for label, name in enumerate(names):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(4):
            data = encoded(picture(100 * label + number))
            (tmp_path / "in" / name / f"{number}.png").write_bytes(data)
    report = import_dataset(tmp_path / "in", tmp_path / "out")
    assert sorted(report.info.classes) == sorted(names)
    manifest = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert manifest["classes"] == list(report.info.classes)


def animated():
    frames = [Image.new("RGB", (20, 20), (value, 0, 0)) for value in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return buffer.getvalue()


REFUSED = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "FITS": b"SIMPLE  =                    T" + b" " * 2850,
    "GIF": encoded(Image.new("RGB", (20, 20)), "GIF"),
    "TIFF": encoded(Image.new("RGB", (20, 20)), "TIFF"),
    "PDF": b"%PDF-1.7\n1 0 obj\n<< /OpenAction << /S /JavaScript >> >>",
    "a script after a magic number": b"\x89PNG\r\n\x1a\n<?php system('true'); ?>",
    "half a JPEG": encoded(picture(1, 60), "JPEG")[:500],
    "half a PNG": encoded(picture(1, 60))[:900],
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(true) system",
    "nothing": b"",
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_is_no_plain_picture_is_refused(what):
    with pytest.raises(RefusedImage):
        decode_image(REFUSED[what], 16)


def test_of_an_animation_the_first_picture_counts():
    assert decode_image(animated(), 16)[8, 8].tolist() == [10, 0, 0]


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "P", "LA", "1"])
def test_every_mode_becomes_rgb(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 20), 40_000, np.uint16))
    else:
        image = picture(3, 20).convert(mode)
    found = decode_image(encoded(image, kind), 16)
    assert found.shape == (16, 16, 3)
    assert found.dtype == np.uint8


def test_a_picture_with_something_after_its_end_is_only_a_picture():
    data = encoded(picture(4, 20))
    zipped = data + b"PK\x03\x04" + b"<script>" * 100
    assert (decode_image(zipped, 16) == decode_image(data, 16)).all()
