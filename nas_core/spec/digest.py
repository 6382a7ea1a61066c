"""The versioned name of an architecture: SHA-256 of its canonical JSON."""

import json
from typing import Any

from nas_core.files import sha256_bytes

DIGEST_VERSION = 1


def canonical_digest(canonical: dict[str, Any]) -> str:
    """Return ``v1:`` and the first 32 hexadecimal digits (128 bits) of the SHA-256.

    Args:
        canonical: A specification's canonical form as JSON values; keys are sorted here.
    """
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"v{DIGEST_VERSION}:{sha256_bytes(text.encode())[:32]}"
