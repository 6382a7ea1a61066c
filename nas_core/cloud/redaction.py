"""Keeps credentials out of logs, databases, reports and failure files."""

import os
import re
from collections.abc import Mapping

HIDDEN = "***"
SHORTEST = 8  # shorter values would blank out ordinary words
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|ACCESS_KEY|API_KEY|PRIVATE_KEY")
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_SIGNED = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE)


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return `text` without the values of secret environment variables, key ids and signatures.

    Args:
        text: What is to be shown or stored.
        environment: Names and values; None for this process's own.
    """
    known = os.environ if environment is None else environment
    values = [
        value
        for name, value in known.items()
        if _SECRET_NAME.search(name.upper()) and len(value) >= SHORTEST
    ]
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _SIGNED.sub(rf"\1{HIDDEN}", _KEY_ID.sub(HIDDEN, text))
