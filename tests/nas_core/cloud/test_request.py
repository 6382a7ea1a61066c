"""The request of a job: worked by hand, valid for the service, the same as the SDK's."""

import socket

import botocore.session
import pytest
from botocore.validate import ParamValidator

from nas_core.cloud.images import _ACCOUNTS as ACCOUNTS
from nas_core.cloud.images import TENSORFLOW, image_uri
from nas_core.cloud.request import COMMAND, training_job
from nas_core.cloud.settings import Cloud
from nas_core.errors import CloudError, UsageError

ROLE = "arn:aws:iam::123456789012:role/nas-role"
CODE = "s3://leaves-bucket/nas/code/abc.tar.gz"


def a_request(*, checkpoints="s3://leaves-bucket/nas/runs/R1/checkpoint", **changes):
    cloud = Cloud(
        **{
            "bucket": "leaves-bucket",
            "prefix": "nas",
            "role": ROLE,
            "region": "us-east-1",
            **changes,
        }
    )
    request = training_job(
        "nas-R1-a0", "search", {"options": {"trials": 3}},
        {"data": "s3://leaves-bucket/nas/data/leaves/", "code": CODE}, cloud,
        output="s3://leaves-bucket/nas/runs/R1/models", checkpoints=checkpoints, tags={"nas-run": "R1"},
    )  # fmt: skip
    return request, cloud


def test_the_request_is_the_one_worked_by_hand():
    request, _ = a_request()
    channels = {
        row["ChannelName"]: row["DataSource"]["S3DataSource"]["S3Uri"]
        for row in request["InputDataConfig"]
    }
    assert channels == {
        "data": "s3://leaves-bucket/nas/data/leaves/",
        "code": CODE,
        "sm_drivers": "s3://leaves-bucket/nas/jobs/nas-R1-a0/sm_drivers",
    }
    assert request["HyperParameters"] == {"kind": "search", "arguments": '{"options":{"trials":3}}'}
    assert request["AlgorithmSpecification"]["TrainingImage"] == (
        "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training:2.21-cpu-py312"
    )
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert request["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert request["Tags"] == [{"Key": "nas-run", "Value": "R1"}]
    assert not {"EnableManagedSpotTraining", "VpcConfig"} & set(request)
    assert COMMAND.startswith("exec ")  # else SIGTERM never reaches the search


def test_options_become_fields():
    request, _ = a_request(
        spot=True, max_runtime=100, max_wait=300, kms_key="key-1", subnets=("subnet-1",),
        security_groups=("sg-1",), volume_gb=50, instance="ml.m5.xlarge",
    )  # fmt: skip
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 300,
    }  # fmt: skip
    assert request["ResourceConfig"] == {
        "InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50,
        "VolumeKmsKeyId": "key-1",
    }  # fmt: skip
    assert request["OutputDataConfig"]["KmsKeyId"] == "key-1"
    assert request["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}


def test_a_warm_instance_and_a_disk_of_its_own():
    request, _ = a_request(keep_alive=600, kms_key="key-1", instance="ml.g5.xlarge")
    assert request["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert "VolumeKmsKeyId" not in request["ResourceConfig"]  # refused for disks on the instance
    assert request["AlgorithmSpecification"]["TrainingImage"].endswith(":2.21-gpu-py312")


@pytest.fixture(scope="module")
def expected():
    """What the service says that a request must be."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    return model.operation_model("CreateTrainingJob").input_shape


@pytest.mark.parametrize(
    "changes", [{}, {"spot": True}, {"keep_alive": 60}, {"kms_key": "k"},
                {"subnets": ("subnet-1",), "security_groups": ("sg-1",)}],
)  # fmt: skip
def test_the_services_own_model_accepts_it(changes, expected):
    request, _ = a_request(**changes)
    assert not ParamValidator().validate(request, expected).has_errors()


def test_images_of_other_regions_and_versions():
    assert image_uri("2.19", "cn-north-1", "ml.c5.xlarge") == (
        "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/tensorflow-training:2.19-cpu-py312"
    )
    assert image_uri("own.example/image:1", "us-east-1", "ml.c5.xlarge") == "own.example/image:1"
    with pytest.raises(UsageError, match=r"2\.21, 2\.19"):
        image_uri("2.20", "us-east-1", "ml.c5.xlarge")
    with pytest.raises(UsageError, match="--region"):
        image_uri(None, "us-nowhere-1", "ml.c5.xlarge")


@pytest.mark.slow
def test_images_are_the_sdks():
    from sagemaker.core import image_uris

    for region in ACCOUNTS:
        for version in TENSORFLOW:
            for instance in ("ml.c5.xlarge", "ml.g5.xlarge"):
                assert image_uri(version, region, instance) == image_uris.retrieve(
                    "tensorflow", region, version=version, instance_type=instance,
                    image_scope="training", py_version="py312",
                )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"spot": True, "kms_key": "key-1"},
     {"keep_alive": 60, "subnets": ("subnet-1",), "security_groups": ("sg-1",)}],
)  # fmt: skip
def test_the_service_receives_the_printed_request(bucket, monkeypatch, changes):
    from botocore.session import Session

    from nas_core.cloud import submit as submitting

    submitting._session.cache_clear()
    sent = []
    create = Session.create_client

    def listening(*args, **kwargs):
        client = create(*args, **kwargs)
        client.meta.events.register(
            "provide-client-params.sagemaker.CreateTrainingJob",
            lambda params, **_: sent.append(params),
        )
        return client

    asked, look = set(), socket.getaddrinfo

    def looked_up(host, *args, **kwargs):
        asked.add(host)
        return look(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr(Session, "create_client", listening)
    request, cloud = a_request(**changes)
    submitted = submitting.submit(request, cloud)
    assert sent == [request]
    assert submitted.name == request["TrainingJobName"] and not submitted.adopted
    assert asked <= {"127.0.0.1"}  # no telemetry, nobody else


@pytest.mark.slow
def test_what_the_sdk_would_send_otherwise_is_not_sent(bucket):
    from s3_server import plain

    from nas_core.cloud.submit import submit

    request, cloud = a_request()
    request["AlgorithmSpecification"]["TrainingImage"] += "-old"
    request["EnableNetworkIsolation"] = True
    with pytest.raises(CloudError, match="AlgorithmSpecification, EnableNetworkIsolation"):
        submit(request, cloud)
    assert plain("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_without_the_sdk_one_line_says_what_to_install(monkeypatch):
    import sys

    from nas_core.cloud import submit as submitting

    submitting._sdk.cache_clear()
    for name in ("sagemaker.core", "sagemaker.train"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install '\.\[aws\]'"):
        submitting.submit(*a_request())
    submitting._sdk.cache_clear()
