"""An account that is not AWS's: moto's S3 and STS, and our own training service, on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import training_image
from s3_server import Server, plain
from training_service import ROLE, TrainingService

from nas_core.cloud import bundle, client
from nas_core.cloud.settings import Cloud

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_image.make_image(
        tmp_path_factory.mktemp("image") / "image", SUPPORT / "fault_trainers.py"
    )


@pytest.fixture
def service(
    aws: Server, bucket: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrainingService]:
    """A running service; this process's AWS variables lead to it."""
    s3 = plain("s3")
    inside = {**aws.environment, "AWS_REGION": "us-east-1"}
    with TrainingService(tmp_path / "jobs", image, s3, inside) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", running.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", running.url)
        yield running


@pytest.fixture
def cloud(bucket: str) -> Cloud:
    return Cloud(bucket, "nas", ROLE, region="us-east-1", owner="123456789012")


@pytest.fixture
def code(aws: Server, cloud: Cloud) -> str:
    """Put this project's bundle into the bucket and return its address."""
    return bundle.send(client.s3(cloud), cloud, bundle.build())
