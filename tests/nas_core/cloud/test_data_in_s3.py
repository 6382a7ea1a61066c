"""Data sets to S3 and back, over real HTTP; the fixture `aws` checks owner and permission of calls."""

import json
import threading

import numpy as np
import pytest
from s3_server import BUCKET, plain
from tiny_data import write_tiny

from nas_core.cloud import client as clients
from nas_core.cloud import downloading, parts, uploading
from nas_core.cloud.address import S3Address
from nas_core.cloud.datasets import fetch, pull, push
from nas_core.datasets import resolve
from nas_core.datasets.store import Split, load_split, write_dataset
from nas_core.errors import CloudError, DataError

HERE = S3Address(BUCKET, "nas/data/tiny")
SMALL = 5 << 20  # the least that S3 takes as a part


def write_large(folder):
    """A data set whose training images are more than three parts."""
    rng = np.random.default_rng(0)
    splits = {
        name: Split(rng.integers(0, 256, (count, 64, 64, 3), np.uint8), np.arange(count) % 2)
        for name, count in (("train", 1400), ("validation", 8), ("test", 8))
    }
    return write_dataset(folder, splits, ("a", "b"), source="test")


def names(prefix="nas/"):
    found = plain("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return sorted(item["Key"].rpartition("/")[2] for item in found.get("Contents", []))


def same(one, other):
    return one.digest == other.digest and all(
        np.array_equal(load_split(one, name).images, load_split(other, name).images)
        for name in ("train", "validation")
    )


def test_there_and_back(bucket, tmp_path):
    info = write_tiny(tmp_path / "tiny")
    first = push(info.path, HERE)
    assert (first["sent"], first["digest"]) == (6, info.digest)
    assert push(info.path, HERE)["sent"] == 0
    assert same(info, pull(HERE, tmp_path / "copy"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "tiny"]
    with pytest.raises(DataError, match="which exists"):
        pull(HERE, tmp_path / "copy")


def test_data_by_address_is_fetched_once(bucket, tmp_path, aws):
    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    found = resolve(str(HERE), tmp_path / "data")
    assert found.path == tmp_path / "data" / f"tiny-{info.digest[:12]}"
    aws.calls.made.clear()
    assert same(info, resolve(str(HERE), tmp_path / "data"))
    assert [call.action for call in aws.calls.made if call.action.startswith("s3:")] == [
        "s3:GetObject"  # the manifest
    ]


@pytest.mark.slow
def test_a_large_file_goes_in_parts_and_comes_in_ranges(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", SMALL)
    info = write_large(tmp_path / "large")
    push(info.path, HERE)
    head = plain("s3").head_object(Bucket=BUCKET, Key=f"{HERE.key}/train_images.npy")
    assert head["ETag"].endswith('-4"')  # four parts
    assert same(info, pull(HERE, tmp_path / "copy"))


@pytest.mark.slow
def test_an_interrupted_push_goes_on_with_the_parts_that_arrived(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", SMALL)
    info = write_large(tmp_path / "large")
    client = clients.s3()
    sent = []

    def failing(**given):
        sent.append(given["PartNumber"])
        if given["PartNumber"] == 3:
            raise KeyboardInterrupt
        return original(**given)

    original = client.upload_part
    monkeypatch.setattr(client, "upload_part", failing)
    monkeypatch.setattr(uploading, "THREADS", 1)
    with pytest.raises(KeyboardInterrupt):
        push(info.path, HERE, client)
    assert sent[:3] == [1, 2, 3]
    assert "dataset.json" not in names()  # no data set is there yet
    with pytest.raises(DataError, match=r"no dataset\.json"):
        pull(HERE, tmp_path / "copy")
    again = []
    fresh = clients.s3()
    fresh.meta.events.register(
        "provide-client-params.s3.UploadPart",
        lambda params, **_: again.append(params["PartNumber"]),
    )
    push(info.path, HERE, fresh)
    assert 3 in again and set(again) <= {3, 4}  # 1 and 2 had arrived
    assert same(info, pull(HERE, tmp_path / "copy"))


@pytest.mark.slow
def test_parts_of_other_bytes_are_not_used(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", SMALL)
    info = write_large(tmp_path / "large")
    where = {"Bucket": BUCKET, "Key": f"{HERE.key}/train_images.npy"}
    other = plain("s3").create_multipart_upload(**where)["UploadId"]
    plain("s3").upload_part(**where, UploadId=other, PartNumber=1, Body=b"x" * SMALL)
    push(info.path, HERE)
    assert same(info, pull(HERE, tmp_path / "copy"))
    assert "Uploads" not in plain("s3").list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.slow
def test_an_interrupted_pull_goes_on_with_the_ranges_that_arrived(bucket, tmp_path, monkeypatch):
    info = write_large(tmp_path / "large")
    push(info.path, HERE)
    monkeypatch.setattr(parts, "PART", SMALL)
    client, original = clients.s3(), None
    original = client.get_object

    def failing(**given):
        if given["Key"].endswith("train_images.npy") and given["Range"].startswith(
            f"bytes={SMALL * 2}"
        ):
            raise KeyboardInterrupt
        return original(**given)

    monkeypatch.setattr(client, "get_object", failing)
    monkeypatch.setattr(downloading, "THREADS", 1)
    with pytest.raises(KeyboardInterrupt):
        pull(HERE, tmp_path / "copy", client)
    assert not (tmp_path / "copy").exists()
    asked, fresh = [], clients.s3()
    fresh.meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: asked.append(params)
    )
    assert same(info, pull(HERE, tmp_path / "copy", fresh))
    ranges = [item["Range"] for item in asked if item["Key"].endswith("train_images.npy")]
    assert len(ranges) == 2  # of four
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "large"]


def test_a_spoilt_leftover_is_fetched_anew(bucket, tmp_path):
    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    partial = tmp_path / f".copy.{info.digest[:16]}.pull"
    partial.mkdir()
    (partial / "train_images.npy").write_bytes(b"rubbish")
    (partial / "train_images.npy.parts").write_text("1\n")
    assert same(info, pull(HERE, tmp_path / "copy"))


def test_a_damaged_object_is_no_data_set(bucket, tmp_path):
    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    key = f"{HERE.key}/train_images.npy"
    size = (info.path / "train_images.npy").stat().st_size
    plain("s3").put_object(Bucket=BUCKET, Key=key, Body=b"\0" * size)
    with pytest.raises(DataError, match=r"SHA-256.*damaged"):
        pull(HERE, tmp_path / "copy")
    plain("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")  # a 0-byte object
    with pytest.raises(DataError, match="damaged"):
        pull(HERE, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_a_damaged_file_is_not_sent_as_a_data_set(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", SMALL)
    info = write_large(tmp_path / "large")
    for name in ("train_images.npy", "test_labels.npy"):  # in parts, and whole
        path, there = info.path / name, S3Address(BUCKET, f"nas/data/{name}")
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(DataError, match=f"{name}.*damaged"):
            push(info.path, there)
        path.write_bytes(content)
        assert "dataset.json" not in names(there.key) and name not in names(there.key)


def test_another_data_set_is_not_overwritten(bucket, tmp_path):
    push(write_tiny(tmp_path / "tiny").path, HERE)
    other = write_large(tmp_path / "large")
    with pytest.raises(DataError, match="another data set is there"):
        push(other.path, HERE)
    plain("s3").put_object(Bucket=BUCKET, Key=f"{HERE.key}/dataset.json", Body=b"[1]")
    for action in (lambda: push(other.path, HERE), lambda: fetch(HERE, tmp_path)):
        with pytest.raises(DataError, match=r"another data set|another file"):
            action()


def test_a_manifest_that_lies_is_refused(bucket, tmp_path):
    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    manifest = json.loads((info.path / "dataset.json").read_text())
    manifest["files"]["train_images.npy"] = "0" * 64
    plain("s3").put_object(
        Bucket=BUCKET, Key=f"{HERE.key}/dataset.json", Body=json.dumps(manifest).encode()
    )
    with pytest.raises(DataError, match="digest"):
        pull(HERE, tmp_path / "copy")


def test_processes_that_fetch_at_once_fetch_once(bucket, tmp_path, aws):
    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    aws.calls.made.clear()
    threads = [threading.Thread(target=fetch, args=(HERE, tmp_path / "data")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    images = [call for call in aws.calls.made if call.resource.endswith("train_images.npy")]
    assert len(images) == 1
    assert same(info, fetch(HERE, tmp_path / "data"))


def test_a_broken_connection_is_tried_again(bucket, tmp_path, monkeypatch):
    from botocore.exceptions import IncompleteReadError

    info = write_tiny(tmp_path / "tiny")
    push(info.path, HERE)
    monkeypatch.setattr(downloading, "pause", lambda attempt: 0.0)
    client = clients.s3()
    original, broken = client.get_object, []

    def failing(**given):
        answer = original(**given)
        if "Range" in given and len(broken) < 3:
            broken.append(given["Key"])
            answer["Body"].close()
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)
        return answer

    monkeypatch.setattr(client, "get_object", failing)
    with pytest.raises(CloudError):  # what boto3 raises by itself was tried ten times
        pull(HERE, tmp_path / "copy", client)

    class Short:
        def read(self):
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)

    def short(**given):
        answer = original(**given)
        if "Range" in given and len(broken) < 6:
            broken.append(given["Key"])
            answer["Body"].close()
            answer["Body"] = Short()
        return answer

    monkeypatch.setattr(client, "get_object", short)
    assert same(info, pull(HERE, tmp_path / "copy", client))
    assert len(broken) == 6


@pytest.mark.parametrize(("size", "count", "last"), [(0, 0, 0), (1, 1, 1), (8 << 20, 1, 8 << 20), ((8 << 20) + 1, 2, 1)])  # fmt: skip
def test_parts_of_a_file(size, count, last):
    found = parts.parts_of(size)
    assert len(found) == count and sum(part.size for part in found) == size
    assert count == 0 or found[-1].size == last
    assert [part.number for part in found] == list(range(1, count + 1))


def test_a_very_large_file_has_no_more_parts_than_s3_takes():
    assert len(parts.parts_of(5 << 40)) <= 10_000


def test_waits_grow_and_differ():
    assert all(0.0 <= parts.pause(20) <= 20.0 for _ in range(50))
    assert max(parts.pause(1) for _ in range(50)) <= 1.0
    assert len({parts.pause(5) for _ in range(20)}) == 20
