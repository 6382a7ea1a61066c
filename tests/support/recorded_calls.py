"""Every call to AWS that the code under test makes, and whether sagemaker/iam-policy.json allows it."""

import fnmatch
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from botocore.config import Config
from botocore.session import Session

POLICY = Path(__file__).resolve().parents[2] / "sagemaker" / "iam-policy.json"
MARK = "test-equipment"  # in the user agent of clients that are the tests' own
EQUIPMENT = Config(user_agent_extra=MARK)
OWNER = "x-amz-expected-bucket-owner"
# S3's calls whose permission has another name.
ACTIONS = {
    "HeadObject": "GetObject", "ListObjectsV2": "ListBucket", "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts", "ListMultipartUploads": "ListBucketMultipartUploads",
}  # fmt: skip
FREE = ("sts:GetCallerIdentity",)  # needs no permission


@dataclass(frozen=True)
class Call:
    """One call: its permission, what it is about, and the owner that it names."""

    action: str
    resource: str
    prefix: str | None = None
    owner: str | None = None


@dataclass
class Calls:
    """What was called, in order."""

    made: list[Call] = field(default_factory=list)

    def install(self, replace: Callable[[object, str, object], None]) -> None:
        """Listen to every client that is made from now on; `replace` is monkeypatch.setattr."""
        create = Session.create_client

        def recorded(session, service, *args, **kwargs):
            client = create(session, service, *args, **kwargs)
            config = kwargs.get("config")
            if config is None or config.user_agent_extra != MARK:
                client.meta.events.register("provide-client-params", self._remember)
                client.meta.events.register("before-call", self._send)
            return client

        replace(Session, "create_client", recorded)

    def _remember(self, params, model, context, **_):
        context["asked"] = params

    def _send(self, params, model, context, **_):
        asked, service = context.get("asked", {}), model.service_model.service_name
        name = ACTIONS.get(model.name, model.name) if service == "s3" else model.name
        self.made.append(
            Call(
                f"{service}:{name}", _resource(service, model.name, asked),
                asked.get("Prefix"), params["headers"].get(OWNER),
            )
        )  # fmt: skip

    def check(self, values: dict[str, str]) -> None:
        """Fail on a call to S3 without an owner, or one that the policy does not allow."""
        policy = filled(POLICY, values)
        for call in self.made:
            assert call.owner is not None or not call.action.startswith("s3:"), call
            assert call.action in FREE or allows(policy, call), call


def _resource(service: str, name: str, asked: dict) -> str:
    if service == "s3":
        key = f"/{asked['Key']}" if "Key" in asked else ""
        return f"arn:aws:s3:::{asked.get('Bucket')}{key}"
    if service == "sagemaker":
        job = asked.get("TrainingJobName")
        return (
            "*" if job is None else f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{job}"
        )
    if service == "logs":
        stream = asked.get("logStreamName", "")
        return f"arn:aws:logs:us-east-1:123456789012:log-group:{asked['logGroupName']}:log-stream:{stream}"
    return "*"


def filled(path: Path, values: dict[str, str]) -> dict:
    """Return a policy with its capitals replaced by what they stand for."""
    text = path.read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    return json.loads(text)


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def allows(policy: dict, call: Call) -> bool:
    """Return whether any statement allows a call (there are no denials)."""
    return any(
        call.action in as_list(statement["Action"])
        and any(fnmatch.fnmatchcase(call.resource, item) for item in as_list(statement["Resource"]))
        and _condition(statement, call)
        for statement in policy["Statement"]
    )


def _condition(statement: dict, call: Call) -> bool:
    wanted = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    return wanted is None or (call.prefix is not None and fnmatch.fnmatchcase(call.prefix, wanted))
