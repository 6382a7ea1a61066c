"""Where things lie in S3: addresses such as s3://bucket/prefix, and the layout below a prefix."""

import re
from dataclasses import dataclass

from nas_core.errors import UsageError

SCHEME = "s3://"
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LONGEST_KEY = 1024  # bytes


def is_address(text: str) -> bool:
    """Return whether `text` is meant as an address in S3."""
    return text.startswith(SCHEME)


def check_bucket(name: str) -> str:
    """Return a bucket's name.

    Raises:
        UsageError: S3 has no such names.
    """
    if _BUCKET.fullmatch(name) is None or ".." in name:
        raise UsageError(
            f"expected a bucket's name (3 to 63 lower-case letters, digits, dots and hyphens), "
            f"received {name!r}: correct it"
        )
    return name


@dataclass(frozen=True)
class S3Address:
    """An object or a prefix in S3.

    Attributes:
        bucket: The bucket.
        key: The object's key, or a prefix without a slash at its ends; may be empty.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> "S3Address":
        """Read s3://bucket/key.

        Raises:
            UsageError: Another scheme, a bucket's name that cannot be, or a key that is too long.
        """
        if not is_address(text):
            raise UsageError(f"expected an address s3://bucket/prefix, received {text!r}")
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        key = key.strip("/")
        problem = any(part in ("", ".", "..") for part in key.split("/")) and key != ""
        if problem or not key.isprintable() or len(key.encode()) > LONGEST_KEY:
            raise UsageError(
                f"expected plain names between slashes in an address, received {text[:200]!r}"
            )
        return cls(check_bucket(bucket), key)

    def __truediv__(self, name: str) -> "S3Address":
        """Return the address of something below this one."""
        return S3Address(self.bucket, f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"

    def folder(self) -> str:
        """Return the address with a slash at its end: a prefix that matches nothing beside it."""
        return f"{self}/"
