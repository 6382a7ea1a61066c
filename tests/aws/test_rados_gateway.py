"""Ceph's S3 server instead of moto's: signatures that are checked, conditional writes, real jobs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rados_gateway
from executor_contract import collect
from fault_trainers import SPEC, Echo
from s3_server import plain
from tiny_data import write_tiny
from training_service import TrainingService

from nas_core.cloud import bundle, client
from nas_core.cloud.address import S3Address
from nas_core.cloud.datasets import pull, push
from nas_core.cloud.objects import get, put_once
from nas_core.cloud.pack import Work
from nas_core.cloud.settings import Cloud
from nas_core.errors import CloudError
from nas_core.executors.sagemaker import SageMakerExecutor
from nas_core.trainer.base import Job

pytestmark = pytest.mark.radosgw
OWNER = "123456789012"


@pytest.fixture(scope="module")
def gateway() -> Iterator[rados_gateway.Gateway]:
    if not rados_gateway.present():
        pytest.skip(f"{rados_gateway.MISSING}, and run as root")
    with rados_gateway.running() as server:
        yield server


@pytest.fixture
def store(gateway: rados_gateway.Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Address]:
    """An empty bucket's prefix; this process's AWS variables lead to the server."""
    for name, value in gateway.environment.items():
        monkeypatch.setenv(name, value)
    equipment = plain("s3")
    equipment.create_bucket(Bucket="leaves-bucket")
    yield S3Address("leaves-bucket", "nas")
    for item in equipment.list_objects_v2(Bucket="leaves-bucket").get("Contents", []):
        equipment.delete_object(Bucket="leaves-bucket", Key=item["Key"])


def test_a_data_set_comes_back_as_it_was(store: S3Address, tmp_path: Path) -> None:
    info = write_tiny(tmp_path / "tiny")
    s3 = client.s3("us-east-1", OWNER)
    first = push(tmp_path / "tiny", store / "tiny", s3)
    assert first["sent"] > 0
    assert push(tmp_path / "tiny", store / "tiny", s3)["sent"] == 0
    assert pull(store / "tiny", tmp_path / "back", s3).digest == info.digest


def test_of_many_writers_one_wins(store: S3Address) -> None:
    s3, place = client.s3("us-east-1", OWNER), store / "runs/R/trials/0-0/result.json"
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda n: put_once(s3, place, b"%d" % n), range(16)))
    assert won.count(True) == 1
    assert get(s3, place) == b"%d" % won.index(True)


def test_a_wrong_secret_is_one_line(store: S3Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-entirely")
    with pytest.raises(CloudError, match="SignatureDoesNotMatch") as caught:
        get(client.s3("us-east-1", OWNER), store / "x")
    assert "check the credentials" in str(caught.value)
    assert "another-secret" not in str(caught.value)


def test_a_job_on_a_real_opt_ml_writes_its_result_here(
    store: S3Address,
    gateway: rados_gateway.Gateway,
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside = {**gateway.environment, "AWS_REGION": "us-east-1"}
    cloud = Cloud(
        store.bucket, store.key, f"arn:aws:iam::{OWNER}:role/nas-role", "us-east-1", owner=OWNER
    )
    code = bundle.send(client.s3(cloud), cloud, bundle.build())
    with TrainingService(tmp_path / "jobs", image, plain("s3"), inside) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", service.url)
        executor = SageMakerExecutor(Echo(), 1, Work(cloud, "rados", code), look_seconds=0.2)
        executor.submit(SPEC, Job(2, 5))
        result = collect(executor, 1, 240)[2]
        executor.close()
    assert result.details is not None
    assert result.details["model_path"] == "/opt/ml/model/trial-2.keras"
