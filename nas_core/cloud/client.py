"""Clients of AWS: retries with jitter, the bucket's owner on every call, one-line errors.

Endpoints, credentials and regions come from the standard AWS variables and files.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nas_core.cloud.failures import explain
from nas_core.cloud.settings import Cloud, check_owner
from nas_core.errors import UsageError

OWNER_VARIABLE = "NAS_BUCKET_OWNER"
OWNER_FIELD = "ExpectedBucketOwner"
ATTEMPTS = 10  # of one request; waits grow to 20 s and are jittered
CONNECTIONS = 32
SECONDS_TO_CONNECT = 10
SECONDS_TO_READ = 60


def region_of(region: str | None) -> str | None:
    """Return the region given, or the one that environment or AWS's own files name."""
    import boto3

    named = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or boto3.Session().region_name


def s3(
    where: Cloud | str | None = None, owner: str | None = None, kms_key: str | None = None
) -> Any:
    """Return an S3 client whose every call names the account that must own the bucket.

    Args:
        where: A `Cloud`, a region, or None for the environment's region.
        owner: Account of twelve digits; None for NAS_BUCKET_OWNER, then the account of the cloud's
            role, or without a cloud the caller's own by STS.
        kms_key: Key that encrypts what is written; None for the cloud's, then S3's own.

    Raises:
        UsageError: The owner is no account.
        CloudError: Nobody says who owns the bucket and STS cannot be asked.
    """
    region = where.region if isinstance(where, Cloud) else where
    named = owner_for(where) if isinstance(where, Cloud) and owner is None else owner
    client = _client("s3", region_of(region), "standard")
    always = {OWNER_FIELD: owner_of(named, region)}
    key = where.kms_key if isinstance(where, Cloud) and kms_key is None else kms_key
    if key is not None:
        always |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    def complete(params: dict[str, Any], model: Any, **_: Any) -> None:
        members = () if model.input_shape is None else model.input_shape.members
        for name, value in always.items():
            if name in members:
                params.setdefault(name, value)

    client.meta.events.register("provide-client-params.s3", complete)
    return client


def sagemaker(where: Cloud | str | None = None) -> Any:
    """Return a SageMaker client, slower of itself when it is throttled.

    Raises:
        UsageError: No region is named anywhere.
    """
    return regional("sagemaker", where)


def regional(service: str, where: Cloud | str | None = None) -> Any:
    """Return a client of a service that needs a region, such as "sagemaker" or "logs".

    Raises:
        UsageError: No region is named anywhere.
    """
    region = region_of(where.region if isinstance(where, Cloud) else where)
    if region is None:
        raise UsageError("expected a region, received none: --region or AWS_DEFAULT_REGION")
    return _client(service, region, "adaptive")


def owner_of(owner: str | None, region: str | None = None) -> str:
    """Return the account that must own the bucket.

    Raises:
        UsageError: It is no account.
        CloudError: None is named and STS cannot be asked.
    """
    named = check_owner(owner or os.environ.get(OWNER_VARIABLE) or None)
    return named or _caller(region_of(region), os.environ.get("AWS_ACCESS_KEY_ID"))


def owner_for(cloud: Cloud) -> str:
    """Return the account that must own a cloud's bucket: named, or the one whose role jobs take.

    Nobody is asked, so that a dry run knows it too.
    """
    return cloud.owner or os.environ.get(OWNER_VARIABLE) or cloud.account


@functools.lru_cache(maxsize=8)
def _caller(region: str | None, key: str | None) -> str:  # noqa: ARG001 (another key, another caller)
    with explained(f"your account's number (else give --owner or {OWNER_VARIABLE})"):
        identity = _client("sts", region or "us-east-1", "standard").get_caller_identity()
    return str(identity["Account"])


@contextmanager
def explained(wanted: str) -> Iterator[None]:
    """Turn an error of AWS into one line.

    Args:
        wanted: What was expected, such as "the bucket leaves-data".

    Raises:
        CloudError: With AWS's own code.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise explain(error, wanted) from error


def _client(service: str, region: str | None, mode: str) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    retries: dict[str, Any] = {"mode": mode}
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = ATTEMPTS
    config = Config(
        retries=retries,
        max_pool_connections=CONNECTIONS,
        connect_timeout=SECONDS_TO_CONNECT,
        read_timeout=SECONDS_TO_READ,
        tcp_keepalive=True,
    )
    with explained(f"a client of {service}"):
        # A session of its own: making clients from the default one is not safe in threads.
        session = Session()
        session.register_component(
            "data_loader", _descriptions(session.get_config_variable("data_path"))
        )
        own = boto3.Session(botocore_session=session)
        return own.client(service, region_name=region, config=config)


@functools.lru_cache(maxsize=4)
def _descriptions(data_path: str | None) -> Any:
    """Return the descriptions of AWS's services, which take most of a client's time to read."""
    from botocore.loaders import create_loader

    return create_loader(data_path)
