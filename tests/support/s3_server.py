"""Test equipment: a server on this machine that speaks S3, STS and IAM (moto), over real HTTP."""

import functools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ACCOUNT = "123456789012"  # moto's own
REGION = "us-east-1"
BUCKET, PREFIX = "leaves-bucket", "nas"
POLICY_VALUES = {
    "BUCKET": BUCKET, "PREFIX": PREFIX, "REGION": REGION, "ACCOUNT": ACCOUNT, "ROLE": "nas-role",
}  # fmt: skip
CANARY = "canary-secret-0123456789abcdef"  # must be found nowhere but in signatures' input


@dataclass(frozen=True)
class Server:
    """A running server; `environment` has the standard AWS variables that lead to it."""

    url: str
    calls: object = None  # a `recorded_calls.Calls`, in the fixture `aws`

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running() -> Iterator[Server]:
    """Start a server in a process of its own, on a free port, and stop it afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(__file__).with_name("owned_buckets.py"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, program, str(port)], **quiet) as process:
        try:
            _wait(process, port)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _wait(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + 180  # on a busy machine
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("moto's server has not started")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def aws(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An empty account: the server's state is new, this process's AWS variables lead to it.

    Afterwards every call to S3 must have named the bucket's owner, and all calls together must be
    allowed by sagemaker/iam-policy.json for the bucket `BUCKET` and the prefix `PREFIX`.
    """
    import urllib.request

    from recorded_calls import Calls

    for name in [name for name in os.environ if name.startswith(("AWS_", "NAS_BUCKET"))]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    request = urllib.request.Request(f"{s3_server.url}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).close()
    calls = Calls()
    calls.install(monkeypatch.setattr)
    yield replace(s3_server, calls=calls)
    calls.check(POLICY_VALUES)


@functools.lru_cache(maxsize=1)
def _descriptions():
    from botocore.loaders import create_loader

    return create_loader()


def plain(service: str):
    """Return a client of the test's own, which no policy binds."""
    import boto3
    from botocore.session import Session
    from recorded_calls import EQUIPMENT

    session = Session()
    session.register_component("data_loader", _descriptions())  # most of a client's time
    return boto3.Session(botocore_session=session).client(service, config=EQUIPMENT)


@pytest.fixture
def bucket(aws: Server) -> str:
    """A bucket in the empty account."""
    plain("s3").create_bucket(Bucket=BUCKET)
    return BUCKET
