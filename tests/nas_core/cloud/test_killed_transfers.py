"""`nas data push` and `pull` killed with kill -9 on their way, then repeated."""

import json
import subprocess
import time
from contextlib import suppress

import numpy as np
import pytest
from command_line import NAS, nas
from s3_server import BUCKET, plain

from nas_core.datasets.store import Split, write_dataset

KEY = "nas/data/large"
HERE = f"s3://{BUCKET}/{KEY}"
IMAGES = f"{KEY}/train_images.npy"
PARTS = 9  # of 8 MiB


def write_large(folder):
    rng = np.random.default_rng(0)
    splits = {
        name: Split(rng.integers(0, 256, (count, 64, 64, 3), np.uint8), np.arange(count) % 2)
        for name, count in (("train", 6000), ("validation", 8), ("test", 8))
    }
    return write_dataset(folder, splits, ("a", "b"), source="test")


def kill_once(cwd, reached, *arguments):
    """Start a command and kill it as soon as `reached` says so, or when it has ended."""
    with subprocess.Popen([*NAS, *arguments], cwd=cwd, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while process.poll() is None and not reached() and time.monotonic() < end:
            time.sleep(0.002)
        process.kill()


def arrived():
    """Return the numbers of the parts that S3 has of an upload that is not complete."""
    client = plain("s3")
    found = []
    for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        with suppress(client.exceptions.NoSuchUpload):  # completed a moment ago
            answer = client.list_parts(Bucket=BUCKET, Key=IMAGES, UploadId=upload["UploadId"])
            found += [part["PartNumber"] for part in answer.get("Parts", [])]
    return found


@pytest.mark.slow
def test_a_push_that_was_killed_goes_on(bucket, tmp_path):
    info = write_large(tmp_path / "large")
    for _ in range(5):  # however late the kill comes, until it comes in between
        kill_once(tmp_path, arrived, "data", "push", "large", HERE)
        before = {part: None for part in arrived()}
        if before:
            break
        for item in plain("s3").list_objects_v2(Bucket=BUCKET).get("Contents", []):
            plain("s3").delete_object(Bucket=BUCKET, Key=item["Key"])
    assert 0 < len(before) <= PARTS
    assert "dataset.json" not in json.dumps(plain("s3").list_objects_v2(Bucket=BUCKET), default=str)
    done = nas("data", "push", "large", HERE, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["digest"] == info.digest
    assert arrived() == []
    nas("data", "pull", HERE, "back", cwd=tmp_path)
    assert json.loads(nas("data", "check", "back", "--json", cwd=tmp_path).stdout)["ok"]


@pytest.mark.slow
def test_a_pull_that_was_killed_goes_on(bucket, tmp_path):
    info = write_large(tmp_path / "large")
    nas("data", "push", "large", HERE, cwd=tmp_path)
    journal = tmp_path / f".back.{info.digest[:16]}.pull" / "train_images.npy.parts"

    def some():
        return journal.exists() and journal.stat().st_size > 0

    for _ in range(5):
        kill_once(tmp_path, some, "data", "pull", HERE, "back")
        if not (tmp_path / "back").exists():
            break
        (tmp_path / "back").rename(tmp_path / f"whole-{time.monotonic()}")
    assert not (tmp_path / "back").exists() and some()
    ranges = len(journal.read_text().split())
    assert 0 < ranges <= PARTS
    nas("data", "pull", HERE, "back", cwd=tmp_path)
    assert json.loads(nas("data", "check", "back", "--json", cwd=tmp_path).stdout)["ok"]
    assert not list(tmp_path.glob(".back*"))
