"""Zips: a plain one imports; one that attacks is refused with one line."""

import stat
import zipfile

import pytest
from picture_files import encoded, make_folder, picture

from nas_core.datasets import archive, import_dataset
from nas_core.errors import DataError


def good_members(prefix=""):
    return {
        f"{prefix}{name}/{number}.png": encoded(picture(100 * label + number))
        for label, name in enumerate(("cat", "dog"))
        for number in range(4)
    }


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("prefix", ["", "pictures/", "a/b/"])
def test_zip_of_a_folder_is_imported(tmp_path, prefix):
    members = {**good_members(prefix), "__MACOSX/._x.png": b"x", f"{prefix}.hidden": b"x"}
    report = import_dataset(write_zip(tmp_path / "in.zip", members), tmp_path / "out")
    assert report.info.classes == ("cat", "dog")
    assert report.found == 8


def test_zip_and_folder_give_the_same_data(tmp_path):
    folder = make_folder(tmp_path / "in", count=5)
    members = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}
    from_zip = import_dataset(write_zip(tmp_path / "in.zip", members), tmp_path / "a").info
    assert import_dataset(folder, tmp_path / "b").info.digest == from_zip.digest


def renamed(path, old, new):
    """Rewrite a member's name in the raw bytes, which zipfile itself would clean."""
    data = path.read_bytes()
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    "name",
    ["../cat/x.png", "cat/../../x.png", "/cat/x.png", "..\\cat\\x.png", "C:/cat/x.png", "cat/.."],
)
def test_name_that_leaves_the_folder_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "in.zip", {**good_members(), "P" * len(name): b"x"})
    renamed(path, b"P" * len(name), name.encode())
    with pytest.raises(DataError, match="leaves the folder"):
        import_dataset(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (kind | 0o777) << 16
    path = write_zip(tmp_path / "in.zip", {**good_members(), link: b"/etc/passwd"})
    with pytest.raises(DataError, match="link or special file"):
        import_dataset(path, tmp_path / "out")


def test_member_that_inflates_beyond_measure_is_refused(tmp_path):
    path = write_zip(tmp_path / "in.zip", {**good_members(), "cat/bomb.png": bytes(30 << 20)})
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="inflates more than 200 times"):
        import_dataset(path, tmp_path / "out")


def test_size_is_measured_and_not_believed(tmp_path):
    path = write_zip(tmp_path / "in.zip", {**good_members(), "cat/bomb.png": bytes(30 << 20)})
    declared = (30 << 20).to_bytes(4, "little")
    renamed(path, declared, (1000).to_bytes(4, "little"))
    with pytest.raises(DataError):
        import_dataset(path, tmp_path / "out")


def test_large_member_is_dropped_and_a_large_total_is_refused(tmp_path, monkeypatch):
    noise = encoded(picture(7, 300), "BMP")  # does not compress 200 times
    path = write_zip(tmp_path / "in.zip", {**good_members(), "cat/large.bmp": noise})
    monkeypatch.setattr("nas_core.datasets.folders.MAX_FILE_BYTES", 100_000)
    report = import_dataset(path, tmp_path / "out")
    assert next(iter(report.dropped.values()))["examples"] == ["cat/large.bmp"]
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(DataError, match="more than"):
        import_dataset(path, tmp_path / "other")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 7)
    with pytest.raises(DataError, match="at most 7 files"):
        import_dataset(write_zip(tmp_path / "in.zip", good_members()), tmp_path / "out")


def test_one_name_twice_is_refused(tmp_path):
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in good_members().items():
            file.writestr(name, data)
        file.writestr("cat/9.png", b"a")
        file.writestr("cat/8.png", b"b")
    renamed(path, b"cat/9.png", b"cat/8.png")
    with pytest.raises(DataError, match="a name twice"):
        import_dataset(path, tmp_path / "out")


def test_encrypted_damaged_and_false_zips_are_refused(tmp_path):
    path = write_zip(tmp_path / "in.zip", good_members(), zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    secret = bytearray(data)
    start = secret.index(b"PK\x01\x02")
    secret[start + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(bytes(secret))
    with pytest.raises(DataError, match="encrypted"):
        import_dataset(tmp_path / "secret.zip", tmp_path / "out")
    data[200] ^= 0xFF
    (tmp_path / "damaged.zip").write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        import_dataset(tmp_path / "damaged.zip", tmp_path / "out")
    (tmp_path / "false.zip").write_bytes(b"no zip at all")
    with pytest.raises(DataError, match=r"false\.zip"):
        import_dataset(tmp_path / "false.zip", tmp_path / "out")
