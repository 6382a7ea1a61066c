"""Submitting a job through the SageMaker SDK, so that the service receives the printed request.

The SDK (3.x, `ModelTrainer`) is loaded here and nowhere else. It would name jobs by the clock, look
for a bucket of its own, upload without the owner's account, ask IAM about the role and send
telemetry; here the name, every place and the settings are given, and our client uploads.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.cloud.address import S3Address
from nas_core.cloud.client import explained, s3, sagemaker
from nas_core.cloud.images import PYTHON, TENSORFLOW
from nas_core.cloud.objects import put_folder
from nas_core.cloud.request import CODE, COMMAND, DRIVERS, REQUIREMENTS
from nas_core.cloud.settings import Cloud
from nas_core.errors import CloudError, UsageError
from nas_core.interrupts import held_interrupts

TAKEN = ("ResourceInUse", "ResourceInUseException")
_QUIET = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}


@dataclass(frozen=True)
class Submitted:
    """A job that the service has.

    Attributes:
        name: Its name.
        adopted: Whether it was there already, with the same hyperparameters.
    """

    name: str
    adopted: bool


def submit(request: dict[str, Any], cloud: Cloud) -> Submitted:
    """Create a training job, or adopt the one of the same name that does the same.

    Args:
        request: From `nas_core.cloud.request.training_job`; its bundle and data are in S3.
        cloud: The settings that it was made with.

    Raises:
        UsageError: The SDK is not installed.
        CloudError: AWS refuses, or another job has this name; nothing was created. Its `code`
            tells throttling, quotas and names that are taken.
    """
    name = request["TrainingJobName"]
    trainer = _trainer(request, cloud)
    try:
        # The SDK's telemetry returns in a `finally`, which would swallow Ctrl-C and SIGTERM.
        with explained(f"SageMaker to take the job {name}"), held_interrupts():
            trainer.train(wait=False, logs=False)
    except CloudError as error:
        if error.code not in TAKEN:
            raise
        _check_same(request, cloud)
        return Submitted(name, adopted=True)
    finally:
        # The SDK leaves its copy of the drivers behind when the service refuses.
        if trainer._temp_code_dir is not None:
            trainer._temp_code_dir.cleanup()
    return Submitted(name, adopted=False)


def _check_same(request: dict[str, Any], cloud: Cloud) -> None:
    """Refuse a job of the same name that does something else."""
    name = request["TrainingJobName"]
    with explained(f"the job {name}"):
        found = sagemaker(cloud).describe_training_job(TrainingJobName=name)
    if found.get("HyperParameters") != request["HyperParameters"]:
        raise CloudError(
            f"expected a new job or the same one, the job {name} does something else: choose "
            "another --run",
            TAKEN[0],
        )


def _trainer(request: dict[str, Any], cloud: Cloud) -> Any:
    """Return the SDK's trainer for a request."""
    sdk = _sdk()
    stop, resources = request["StoppingCondition"], request["ResourceConfig"]
    output, vpc = request["OutputDataConfig"], request.get("VpcConfig")
    check = request.get("CheckpointConfig")
    uris = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in request["InputDataConfig"]
    }
    drivers, code = uris.pop(DRIVERS), uris.pop(CODE)
    configs = sdk.configs
    with explained("a session of the SageMaker SDK"):
        session = _session(cloud.region, *_credentials())
    trainer = sdk.trainer(
        sagemaker_session=session,
        role=request["RoleArn"],
        base_job_name=request["TrainingJobName"],
        training_image=_image(sdk, cloud),
        source_code=configs.SourceCode(source_dir=code, command=COMMAND, requirements=REQUIREMENTS),
        compute=configs.Compute(
            instance_type=resources["InstanceType"],
            instance_count=resources["InstanceCount"],
            volume_size_in_gb=resources["VolumeSizeInGB"],
            volume_kms_key_id=resources.get("VolumeKmsKeyId"),
            keep_alive_period_in_seconds=resources.get("KeepAlivePeriodInSeconds"),
            enable_managed_spot_training=request.get("EnableManagedSpotTraining"),
        ),
        stopping_condition=configs.StoppingCondition(
            max_runtime_in_seconds=stop["MaxRuntimeInSeconds"],
            max_wait_time_in_seconds=stop.get("MaxWaitTimeInSeconds"),
        ),
        output_data_config=configs.OutputDataConfig(
            s3_output_path=output["S3OutputPath"],
            compression_type=output["CompressionType"],
            kms_key_id=output.get("KmsKeyId"),
        ),
        checkpoint_config=None
        if check is None
        else configs.CheckpointConfig(s3_uri=check["S3Uri"], local_path=check["LocalPath"]),
        networking=None
        if vpc is None
        else configs.Networking(subnets=vpc["Subnets"], security_group_ids=vpc["SecurityGroupIds"]),
        input_data_config=[
            configs.InputData(channel_name=name, data_source=uri) for name, uri in uris.items()
        ],
        hyperparameters=dict(request["HyperParameters"]),
        tags=[configs.Tag(key=tag["Key"], value=tag["Value"]) for tag in request.get("Tags", [])],
    )
    trainer.prepare(request, s3(cloud), S3Address.parse(drivers))
    return trainer


@dataclass(frozen=True)
class _Sdk:
    """What is used of the SDK."""

    configs: Any
    trainer: Any
    session: Any
    retrieve: Any


def _image(sdk: "_Sdk", cloud: Cloud) -> str:
    """Return the container's address from the SDK; `_compare` refuses one that was not printed."""
    if cloud.image is not None and "/" in cloud.image:
        return cloud.image
    image: str = sdk.retrieve(
        "tensorflow",
        cloud.region,
        version=cloud.image or TENSORFLOW[0],
        py_version=PYTHON,
        instance_type=cloud.instance,
        image_scope="training",
    )
    return image


def _credentials() -> tuple[str | None, ...]:
    """Return what makes another session necessary."""
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SAGEMAKER",
    )
    return tuple(os.environ.get(name) for name in names)


# One for all jobs: the SDK keeps several clients of every session for the life of the process.
@functools.lru_cache(maxsize=4)
def _session(region: str | None, *credentials: str | None) -> Any:  # noqa: ARG001
    """Return a session of the SDK without telemetry and without a bucket of its own."""
    import boto3

    return _sdk().session(
        boto_session=boto3.Session(region_name=region),
        default_bucket="unused-every-place-is-given",
        sagemaker_config=_QUIET,
    )


@functools.lru_cache(maxsize=1)
def _sdk() -> _Sdk:
    """Load the SDK.

    Raises:
        UsageError: It is not installed.
    """
    # The service checks the role itself; the SDK's own check asks IAM for one more permission.
    os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
    try:
        from sagemaker.core import image_uris
        from sagemaker.core.helper.session_helper import Session
        from sagemaker.core.training import configs
        from sagemaker.train import ModelTrainer
    except ImportError as error:
        raise UsageError(
            f"expected the SageMaker SDK to submit jobs, received {error}: "
            "pip install '.[aws]' in this project's folder"
        ) from error
    return _Sdk(configs, _named(ModelTrainer), Session, image_uris.retrieve)


def _named(base: Any) -> Any:
    """Return a `ModelTrainer` that takes the job's name and places from a request."""

    class RequestTrainer(base):  # type: ignore[misc]
        """Sends what a request says, or nothing."""

        def prepare(self, request: dict[str, Any], client: Any, drivers: S3Address) -> None:
            """Take the request, our client of S3, and the place of the SDK's drivers."""
            # Past pydantic, which allows no fields of ours.
            object.__setattr__(self, "_nas", (request, client, drivers))

        def create_input_data_channel(
            self, channel_name: str, data_source: Any, **more: Any
        ) -> Any:
            """Upload the SDK's drivers with our client, which names the bucket's owner."""
            _, client, drivers = self._nas
            if channel_name == DRIVERS:
                put_folder(client, drivers, Path(data_source))
                data_source = str(drivers)
            return super().create_input_data_channel(channel_name, data_source, **more)

        def _create_training_job_args(self, *given: Any, **more: Any) -> dict[str, Any]:
            """Give the job its own name and refuse what differs from the printed request."""
            request = self._nas[0]
            arguments = super()._create_training_job_args(*given, **more)
            arguments["training_job_name"] = request["TrainingJobName"]
            _compare(request, _wire(arguments))
            return arguments

    return RequestTrainer


def _wire(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the SDK's arguments as the request that it makes of them."""
    from sagemaker.core.apiutils._boto_functions import to_pascal_case
    from sagemaker.core.utils.utils import serialize

    named = {to_pascal_case(key): value for key, value in arguments.items()}
    tags = arguments.get("tags")
    if tags is not None:
        named["Tags"] = [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]
    request: dict[str, Any] = serialize(named)
    return request


def _compare(printed: dict[str, Any], built: dict[str, Any]) -> None:
    """Refuse to send what a dry run would not have printed.

    Raises:
        CloudError: Naming the fields; nothing is sent.
    """
    empty: tuple[Any, ...] = (None, {}, [])
    fields = sorted(
        key
        for key in {*printed, *built}
        if printed.get(key) != built.get(key)
        and not (printed.get(key) in empty and built.get(key) in empty)
    )
    if fields:
        raise CloudError(
            f"expected the SDK to build the printed request, it differs in {', '.join(fields)}: "
            "remove the SDK's own defaults for them (~/.config/sagemaker/config.yaml), or install "
            "the version of sagemaker that requirements-aws.txt pins"
        )
