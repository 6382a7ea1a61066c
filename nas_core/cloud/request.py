"""The exact CreateTrainingJob request: built here without SDK, credentials or network.

`nas_core.cloud.submit` has the SDK build the same job and refuses to send anything else, so that a
dry run prints what the service receives.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from nas_core.cloud.images import image_uri
from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError
from nas_core.files import sha256_bytes

Kind = Literal["search", "trial", "retrain"]
KINDS: tuple[Kind, ...] = ("search", "trial", "retrain")
LONGEST_NAME = 63
COMMAND = "exec python3 train-entry.py"  # exec: else SIGTERM never reaches Python
REQUIREMENTS = "requirements.txt"
CODE, DRIVERS, DATA = "code", "sm_drivers", "data"
CHECKPOINTS = "/opt/ml/checkpoints"
LONGEST_VALUE = 2500  # characters of one hyperparameter
MOST_PARTS = 90  # hyperparameters of a job: at most 100
_DRIVERS_FOLDER = f"/opt/ml/input/data/{DRIVERS}"
_BOOTSTRAP = f"chmod +x {_DRIVERS_FOLDER}/sm_train.sh && {_DRIVERS_FOLDER}/sm_train.sh"
# Families whose disks are their own: SageMaker refuses a key for their volume.
_OWN_DISKS = ("g4dn", "g5", "g6", "g6e", "p4d", "p4de", "p5", "p5e", "p5en", "c5d", "m5d", "r5d")


def job_name(run_id: str, trial: int | None = None, attempt: int = 0) -> str:
    """Return a job's name: the same for the same run, trial and attempt, so none is paid twice.

    Args:
        run_id: What tells this run from every other of the account.
        trial: Number of the first trial in the job; None for a job of the whole run.
        attempt: From 0.

    Returns:
        At most 63 letters, digits and single hyphens.
    """
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in run_id)
    unique = sha256_bytes(run_id.encode())[:10]
    tail = f"{unique}-a{attempt}" if trial is None else f"{unique}-t{trial}-a{attempt}"
    room = LONGEST_NAME - len("nas--") - len(tail)
    slug = "-".join(words.split())[:room].strip("-")
    return f"nas-{slug}-{tail}" if slug else f"nas-{tail}"


def training_job(
    name: str,
    kind: Kind,
    arguments: Mapping[str, Any],
    channels: Mapping[str, str],
    cloud: Cloud,
    *,
    output: str,
    checkpoints: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the CreateTrainingJob request of one job.

    Args:
        name: From `job_name`.
        kind: What the entry point does.
        arguments: JSON values that it reads back with `job_arguments`.
        channels: Address in S3 by channel's name; "code", the bundle, is one of them. An address
            that ends in a slash is everything below it.
        cloud: Where it runs; its region must be known.
        output: Address in S3 of the model and output archives.
        checkpoints: Address in S3 of /opt/ml/checkpoints; None for a job that keeps none.
        tags: Tags of the job.

    Raises:
        UsageError: No region, no container for it, or arguments too long for a job.
    """
    if cloud.region is None:
        raise UsageError("expected a region, received none: --region or AWS_DEFAULT_REGION")
    # The SDK's drivers are the last channel, at a place that follows from the job's name.
    drivers = str(cloud.root / "jobs" / name / DRIVERS)
    ordered = {key: uri for key, uri in channels.items() if key != CODE}
    ordered |= {CODE: channels[CODE], DRIVERS: drivers}
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "HyperParameters": hyperparameters(kind, arguments),
        "AlgorithmSpecification": {
            "TrainingImage": image_uri(cloud.image, cloud.region, cloud.instance),
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", _BOOTSTRAP],
        },
        "RoleArn": cloud.role,
        "InputDataConfig": [_channel(key, uri) for key, uri in ordered.items()],
        "OutputDataConfig": {"S3OutputPath": output, "CompressionType": "GZIP"},
        "ResourceConfig": {
            "InstanceType": cloud.instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": cloud.volume_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": cloud.max_runtime},
        "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    }
    _options(request, cloud, checkpoints)
    return request


def _options(request: dict[str, Any], cloud: Cloud, checkpoints: str | None) -> None:
    """Add what only some jobs have."""
    if not request["Tags"]:
        del request["Tags"]
    if checkpoints is not None:
        request["CheckpointConfig"] = {"S3Uri": checkpoints, "LocalPath": CHECKPOINTS}
    if cloud.spot:
        request["EnableManagedSpotTraining"] = True
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = cloud.wait_seconds
    if cloud.kms_key is not None:
        request["OutputDataConfig"]["KmsKeyId"] = cloud.kms_key
        if cloud.instance.split(".")[1] not in _OWN_DISKS:
            request["ResourceConfig"]["VolumeKmsKeyId"] = cloud.kms_key
    if cloud.keep_alive > 0:
        request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = cloud.keep_alive
    if cloud.subnets:
        request["VpcConfig"] = {
            "SecurityGroupIds": list(cloud.security_groups),
            "Subnets": list(cloud.subnets),
        }


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def hyperparameters(kind: Kind, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return a job's hyperparameters: its kind, and its arguments as JSON in parts that fit.

    Raises:
        UsageError: An unknown kind, or more than a job can carry.
    """
    if kind not in KINDS:
        raise UsageError(f"expected a job's kind among {', '.join(KINDS)}, received {kind!r}")
    text = json.dumps(dict(arguments), allow_nan=False, sort_keys=True, separators=(",", ":"))
    if "'" in text:  # the SDK's bootstrap puts it between such quotes, unescaped, for a shell
        raise UsageError(
            "expected names and paths without an apostrophe for a training job, received one: "
            "rename the data set, the run or the prefix"
        )
    parts = [text[at : at + LONGEST_VALUE] for at in range(0, len(text), LONGEST_VALUE)]
    if len(parts) > MOST_PARTS:
        raise UsageError(
            f"expected at most {MOST_PARTS * LONGEST_VALUE} characters of arguments in a job, "
            f"received {len(text)}: fewer trials per job"
        )
    named = {_part_name(number): part for number, part in enumerate(parts)}
    return {"kind": kind, **named}


def _part_name(number: int) -> str:
    return "arguments" if number == 0 else f"arguments_{number}"


def job_arguments(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a job's kind and arguments from its hyperparameters, as the container finds them.

    Args:
        given: Strings from hyperparameters.json, or values that SM_HPS has decoded already.

    Raises:
        UsageError: They were not written by `hyperparameters`.
    """
    kind, first = given.get("kind"), given.get("arguments")
    if kind in KINDS and isinstance(first, Mapping):
        return str(kind), dict(first)
    parts: list[str] = []
    while isinstance(given.get(_part_name(len(parts))), str):
        parts.append(given[_part_name(len(parts))])
    try:
        arguments = json.loads("".join(parts))
    except ValueError:
        arguments = None
    if kind not in KINDS or not isinstance(arguments, dict):
        raise UsageError(
            f"expected the hyperparameters 'kind' and 'arguments' of nas, received "
            f"{sorted(given)}: submit the job with nas sagemaker"
        )
    return str(kind), arguments
