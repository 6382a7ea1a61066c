"""Small objects in S3: read, written, written once, listed, a folder at a time."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nas_core.cloud.address import S3Address
from nas_core.cloud.client import explained
from nas_core.cloud.failures import code_of
from nas_core.errors import CloudError

LARGEST = 1 << 26  # bytes of an object that is read into memory
THREADS = 8
MISSING = ("NoSuchKey", "404", "NotFound")
TAKEN = ("PreconditionFailed", "412", "ConditionalRequestConflict")


def put(client: Any, address: S3Address, data: bytes) -> None:
    """Write an object.

    Args:
        client: From `nas_core.cloud.client.s3`, as everywhere here.
        address: Its place.
        data: Its content.

    Raises:
        CloudError: AWS refuses.
    """
    with explained(f"to write {address}"):
        client.put_object(Bucket=address.bucket, Key=address.key, Body=data)


def put_once(client: Any, address: S3Address, data: bytes) -> bool:
    """Write an object unless there is one; of several writers exactly one wins.

    Returns:
        Whether this call wrote it.

    Raises:
        CloudError: AWS refuses for another reason.
    """
    from botocore.exceptions import ClientError

    with explained(f"to write {address}"):
        try:
            client.put_object(Bucket=address.bucket, Key=address.key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if code_of(error) not in TAKEN:
                raise
            return False
    return True


def get(client: Any, address: S3Address) -> bytes | None:
    """Return an object's content, or None where there is none.

    Raises:
        CloudError: AWS refuses, or the object is larger than 64 MiB.
    """
    from botocore.exceptions import ClientError

    with explained(f"to read {address}"):
        try:
            answer = client.get_object(Bucket=address.bucket, Key=address.key)
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
            return None
        if answer["ContentLength"] > LARGEST:
            answer["Body"].close()
            raise CloudError(
                f"expected at most {LARGEST} bytes in {address}, received "
                f"{answer['ContentLength']}: check the address"
            )
        content: bytes = answer["Body"].read()
    return content


def get_json(client: Any, address: S3Address) -> Any:
    """Return an object's JSON values, or None where there is no object.

    Raises:
        CloudError: AWS refuses, or the object is no JSON.
    """
    content = get(client, address)
    if content is None:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CloudError(
            f"expected JSON in {address}, received {str(error)[:200]}: delete the object"
        ) from error


def sizes(client: Any, prefix: S3Address) -> Iterator[tuple[S3Address, int]]:
    """Yield address and size in bytes of what lies below a prefix, in the order of the keys.

    Raises:
        CloudError: AWS refuses.
    """
    start = f"{prefix.key}/" if prefix.key else ""
    with explained(f"to list {prefix}"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=start)
        for page in pages:
            for item in page.get("Contents", []):
                yield S3Address(prefix.bucket, item["Key"]), item["Size"]


def put_folder(client: Any, address: S3Address, folder: Path) -> None:
    """Write every file below a folder, several at a time, under its relative name.

    Raises:
        CloudError: AWS refuses.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    wanted = [path for path in paths if "__pycache__" not in path.parts]
    with ThreadPoolExecutor(THREADS) as pool:
        writes = [
            pool.submit(
                put, client, address / path.relative_to(folder).as_posix(), path.read_bytes()
            )
            for path in wanted
        ]
        for write in writes:
            write.result()
