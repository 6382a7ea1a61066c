"""The source that jobs run: exactly its members, the same bytes each time."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from nas_core.cloud.bundle import ENTRY, build, send
from nas_core.cloud.client import s3
from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("metaqnn", "nas_core", "nas_net_architecture")
ROLE = "arn:aws:iam::123456789012:role/nas-role"


def content(bundle, name):
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as archive:
        return archive.extractfile(name).read().decode()


def test_the_members_are_these_and_no_others():
    from importlib.metadata import distribution

    tops = set(distribution("rl-nas").read_text("top_level.txt").split())
    assert set(PACKAGES) <= tops
    sources = {
        str(path.relative_to(ROOT))
        for package in tops
        for suffix in ("*.py", "*.json")
        for path in (ROOT / package).rglob(suffix)
    }
    about = {"rl_nas-0.1.0.dist-info/METADATA", "rl_nas-0.1.0.dist-info/entry_points.txt"}
    bundle = build()
    assert set(bundle.names()) == sources | about | {"train-entry.py", "requirements.txt"}


def test_the_same_source_gives_the_same_bytes():
    first, second = build(), build()
    assert first.data == second.data and first.digest == second.digest
    with tarfile.open(fileobj=io.BytesIO(first.data)) as archive:
        members = archive.getmembers()
    assert {(item.mtime, item.uid, item.gid, item.uname, item.mode) for item in members} == {
        (0, 0, 0, "", 0o644)
    }
    assert [item.name for item in members] == sorted(item.name for item in members)


def test_tensorflow_is_left_to_the_image():
    wanted = content(build(), "requirements.txt").splitlines()
    names = {line.split("<")[0].split(">")[0] for line in wanted}
    assert {"gymnasium", "typer", "rich", "boto3", "keras"} <= names
    assert not {"tensorflow", "protobuf", "sagemaker", "ray", "torch"} & names


def test_offline_jobs_take_wheels_from_the_bundle(tmp_path):
    (tmp_path / "gymnasium-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (tmp_path / "secret.txt").write_text("no")
    bundle = build(tmp_path)
    assert [name for name in bundle.names() if name.startswith("wheels/")] == [
        "wheels/gymnasium-1.0-py3-none-any.whl"
    ]
    assert content(bundle, "requirements.txt").startswith("--no-index\n--find-links wheels\n")
    assert bundle.digest != build().digest
    (tmp_path / "gymnasium-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UsageError, match=r"expected \.whl files"):
        build(tmp_path)


def test_the_entry_script_is_the_folders():
    assert (ROOT / "sagemaker" / "train-entry.py").read_text() == ENTRY


def test_a_job_imports_from_the_bundle_alone(tmp_path):
    with tarfile.open(fileobj=io.BytesIO(build().data)) as archive:
        archive.extractall(tmp_path, filter="data")
    code = (
        "import sys; sys.path[:0] = ['.']\n"
        "import nas_core, metaqnn, nas_core.registry as r\n"
        "print(nas_core.__file__, metaqnn.__file__, *r.names('nas.agents'))\n"
        "print(r.space_entry('nasnet').default_agent)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import site; site.addsitedir({site_packages()!r})\n{code}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    where = str(tmp_path)
    assert done.stdout.count(where) == 2 and "reinforce" in done.stdout


def site_packages():
    import numpy

    return str(Path(numpy.__file__).parents[1])


def test_a_bundle_is_sent_once(bucket, aws):
    cloud = Cloud(bucket, "nas", ROLE)
    bundle = build()
    address = send(s3(cloud), cloud, bundle)
    assert address == f"s3://{bucket}/nas/code/{bundle.digest}.tar.gz"
    assert send(s3(cloud), cloud, bundle) == address
    from s3_server import plain

    key = f"nas/code/{bundle.digest}.tar.gz"
    assert plain("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == bundle.data
