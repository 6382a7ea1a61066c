"""Files to S3: parts in parallel, checked by SHA-256, going on where an earlier call stopped.

A file's SHA-256 is computed while its parts are on their way, and one that is not what the manifest
says is never completed. On its way a part is protected by boto3's usual sum (CRC32).
"""

import base64
import hashlib
import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nas_core.cloud import objects
from nas_core.cloud.address import S3Address
from nas_core.cloud.client import explained
from nas_core.cloud.parts import FILES, THREADS, Count, Item, Part, parts_of
from nas_core.errors import DataError
from nas_core.files import sha256_bytes, sha256_file

SUM = "CRC32"  # of a part; S3 wants the same name in every call of an upload
SHA256 = "sha256"  # in an object's metadata: what it holds, so that it is not sent again


def upload(client: Any, items: Sequence[Item], count: Count) -> int:
    """Write files to S3; what is there already is left alone.

    Args:
        client: From `nas_core.cloud.client.s3`.
        items: Files and their places.
        count: Told the bytes that have arrived.

    Returns:
        How many files were sent.

    Raises:
        CloudError: AWS refuses; parts that arrived are kept for the next call.
        DataError: A file is not what its digest says.
    """
    ordered = sorted(items, key=lambda item: -item.size)
    with ThreadPoolExecutor(THREADS) as parts, ThreadPoolExecutor(FILES) as files:
        sender = _Sender(client, parts, count, _there(client, items))
        sent = [files.submit(sender.send, item) for item in ordered]
        try:
            return sum(future.result() for future in sent)
        except BaseException:
            files.shutdown(wait=False, cancel_futures=True)
            parts.shutdown(wait=False, cancel_futures=True)
            raise


class _Sender:
    """Sends one file at a call; calls may overlap."""

    def __init__(
        self, client: Any, pool: ThreadPoolExecutor, count: Count, there: dict[S3Address, int]
    ) -> None:
        self._client = client
        self._pool = pool
        self._count = count
        self._there = there

    def send(self, item: Item) -> bool:
        """Send a file unless S3 has it; return whether it was sent."""
        with explained(f"to write {item.address}"):
            if self._present(item):
                self._count(item.size)
                return False
            if len(parts_of(item.size)) <= 1:
                self._whole(item)
            else:
                self._in_parts(item)
        return True

    def _present(self, item: Item) -> bool:
        if self._there.get(item.address) != item.size:
            return False
        head = self._client.head_object(**item.where)
        same: bool = head.get("Metadata", {}).get(SHA256) == item.sha256
        return same

    def _whole(self, item: Item) -> None:
        body = item.path.read_bytes()
        _check(item, sha256_bytes(body))
        self._client.put_object(
            **item.where, Body=body, ChecksumSHA256=_base64(bytes.fromhex(item.sha256)),
            Metadata={SHA256: item.sha256},
        )  # fmt: skip
        self._count(item.size)

    def _in_parts(self, item: Item) -> None:
        upload_id, there = self._begun(item)
        sums = dict(there)
        waiting = {
            part.number: self._pool.submit(self._part, item, upload_id, part)
            for part in parts_of(item.size)
            if part.number not in sums
        }
        # Meanwhile: a file that is not what it should be is never completed.
        digest = sha256_file(item.path)
        for number, future in waiting.items():
            sums[number] = future.result()
        if digest != item.sha256:
            self._client.abort_multipart_upload(**item.where, UploadId=upload_id)
            _check(item, digest)
        listed = [{"PartNumber": number, **sums[number]} for number in sorted(sums)]
        self._client.complete_multipart_upload(
            **item.where, UploadId=upload_id, MultipartUpload={"Parts": listed}
        )

    def _part(self, item: Item, upload_id: str, part: Part) -> dict[str, str]:
        answer = self._client.upload_part(
            **item.where, UploadId=upload_id, PartNumber=part.number, Body=_read(item, part),
            ChecksumAlgorithm=SUM,
        )  # fmt: skip
        self._count(part.size)
        return _sums(answer)

    def _begun(self, item: Item) -> tuple[str, dict[int, dict[str, str]]]:
        """Return an upload to go on with and its parts, or a new one."""
        answer = self._client.list_multipart_uploads(
            Bucket=item.address.bucket, Prefix=item.address.key
        )
        mine = [row for row in answer.get("Uploads", []) if row["Key"] == item.address.key]
        for upload in sorted(mine, key=lambda row: row["Initiated"], reverse=True):
            there = self._arrived(item, upload["UploadId"])
            if there is not None:
                return upload["UploadId"], there
        created = self._client.create_multipart_upload(
            **item.where, ChecksumAlgorithm=SUM, Metadata={SHA256: item.sha256}
        )
        return created["UploadId"], {}

    def _arrived(self, item: Item, upload_id: str) -> dict[int, dict[str, str]] | None:
        """Return the parts that S3 has; None, and the upload ends, if they hold other bytes."""
        expected = {part.number: part for part in parts_of(item.size)}
        pages = self._client.get_paginator("list_parts").paginate(**item.where, UploadId=upload_id)
        there = {}
        for row in (row for page in pages for row in page.get("Parts", [])):
            part = expected.get(row["PartNumber"])
            sums = None if part is None else self._same(item, part, row)
            if sums is None:
                self._client.abort_multipart_upload(**item.where, UploadId=upload_id)
                return None
            there[row["PartNumber"]] = sums
        self._count(sum(expected[number].size for number in there))
        return there

    def _same(self, item: Item, part: Part, row: dict[str, Any]) -> dict[str, str] | None:
        """Return the sums of a part that S3 has if it holds our bytes."""
        if row["Size"] != part.size:
            return None
        body = _read(item, part)
        crc = _base64(zlib.crc32(body).to_bytes(4, "big"))
        # Servers without such sums name a part by its MD5.
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if row.get("ChecksumCRC32") != crc and row["ETag"].strip('"') != md5:
            return None
        return _sums(row)


def _there(client: Any, items: Sequence[Item]) -> dict[S3Address, int]:
    """Return the sizes of the objects beside which the items go."""
    folders = {
        S3Address(item.address.bucket, item.address.key.rpartition("/")[0]) for item in items
    }
    return {address: size for folder in folders for address, size in objects.sizes(client, folder)}


def _sums(answer: dict[str, Any]) -> dict[str, str]:
    """Return how a part is named when the upload is completed."""
    return {name: answer[name] for name in ("ETag", "ChecksumCRC32") if name in answer}


def _read(item: Item, part: Part) -> bytes:
    handle = os.open(item.path, os.O_RDONLY)
    try:
        return os.pread(handle, part.size, part.start)
    finally:
        os.close(handle)


def _check(item: Item, digest: str) -> None:
    if digest != item.sha256:
        raise DataError(
            f"expected {item.path} with the SHA-256 {item.sha256[:12]}..., it is {digest[:12]}...: "
            "the file is damaged; import the data set again"
        )


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
