"""What AWS answers when it refuses, in one line that says what to do."""

from typing import Any

from nas_core.cloud.redaction import redact
from nas_core.errors import CloudError

LONGEST = 300  # characters of AWS's own message
SIGN_IN = "sign in again (aws sso login, or new AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
DENIED = (
    "the bucket may belong to another account (--owner says whose it must be), or your "
    "permissions lack this call (sagemaker/iam-policy.json)"
)
THROTTLED = (
    "ExceptionThrottling", "Throttling", "ThrottlingException", "ThrottledException",
    "TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled", "SlowDown",
    "BandwidthLimitExceeded", "LimitExceededException",
)  # fmt: skip
QUOTA = ("ResourceLimitExceeded", "ServiceQuotaExceededException")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
UNKNOWN_KEY = (
    "InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidToken",
    "UnrecognizedClientException", "AuthFailure", "InvalidSignatureException",
)  # fmt: skip
WRONG_REGION = (
    "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
    "301", "IncorrectEndpoint",
)  # fmt: skip
_ADVICE = {
    **dict.fromkeys(THROTTLED, "wait a minute and repeat, with fewer --workers"),
    **dict.fromkeys(
        QUOTA,
        "fewer --workers, another --instance, or a higher quota (Service Quotas, SageMaker, "
        "'for training job usage')",
    ),
    **dict.fromkeys(EXPIRED, SIGN_IN),
    **dict.fromkeys(UNKNOWN_KEY, "check the credentials and the machine's clock"),
    **dict.fromkeys(WRONG_REGION, "give the bucket's own region with --region"),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "403"), DENIED),
    "RequestTimeTooSkewed": "set the machine's clock",
    "NoSuchBucket": "check its name, or create it (aws s3 mb s3://NAME)",
    "NoSuchKey": "check the address",
    "404": "check the address",
    "ResourceInUse": "the name is taken: choose another --run",
    "ValidationException": "check --role, --image, --instance and --region",
}
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
_LOCAL = {
    **dict.fromkeys(_NO_CREDENTIALS, "run 'aws configure' or set AWS_ACCESS_KEY_ID and its secret"),
    **dict.fromkeys(
        ("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"), SIGN_IN
    ),
    "NoRegionError": "give --region or set AWS_DEFAULT_REGION",
    "ProfileNotFound": "check AWS_PROFILE",
}


def code_of(error: BaseException) -> str:
    """Return AWS's name for an error, such as "ThrottlingException"; "" where it has none."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def is_busy(error: BaseException) -> bool:
    """Return whether the same request may succeed later: throttling or a quota."""
    return code_of(error) in (*THROTTLED, *QUOTA)


def explain(error: BaseException, wanted: str) -> CloudError:
    """Return an error of boto3 as one line.

    Args:
        error: What boto3 raised.
        wanted: What was expected, such as "the bucket leaves-data".
    """
    code = code_of(error)
    name = type(error).__name__
    if code:
        response: dict[str, Any] = getattr(error, "response", {})
        said = response["Error"].get("Message") or name
        advice = _ADVICE.get(code, "repeat the command; the message says what AWS objects to")
        text = f"AWS answered {code} ({_line(str(said))})"
    else:
        advice = _LOCAL.get(name, "check the network and AWS_ENDPOINT_URL, then repeat")
        text = f"received {_line(str(error))}"
    return CloudError(f"expected {wanted}, {text}: {advice}", code)


def _line(text: str) -> str:
    return redact(" ".join(text.split()))[:LONGEST]
